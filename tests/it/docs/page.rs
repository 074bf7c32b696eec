//! A page of the documentation, as what there is to do.

use std::fs;
use std::path::Path;

/// Why something is shown that is not run.
const REASONS: [&str; 5] =
    ["needs a registry", "needs another product", "needs nodes", "takes minutes", "is an excerpt"];

/// Programs whose commands are run where they stand in the text, too.
const PROGRAMS: [&str; 5] = ["kubectl ", "helm ", "hookwright ", "curl ", "make "];

/// What there is to do, line by line.
#[derive(Debug, PartialEq)]
pub struct Page {
    pub name: String,
    /// It installs the chart by itself, on a cluster that has nothing of ours.
    pub release: bool,
    pub steps: Vec<(usize, Step)>,
}

#[derive(Debug, PartialEq)]
pub enum Step {
    /// Commands of the shell, which must succeed.
    Run(String),
    /// Commands, and what they print. They only look, where `again` says so: then it may take a moment to be so.
    Compare { command: String, expected: String, again: bool },
    /// A file that is shown.
    Save { file: String, text: String },
    /// The pod of the release starts. It does so on no other way here, as there are no containers.
    Operator,
}

impl Page {
    pub fn read(path: &Path) -> Result<Self, String> {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        Self::parse(&name, &fs::read_to_string(path).unwrap())
            .map_err(|(line, what)| format!("docs/{name}.md:{line}: {what}"))
    }

    fn parse(name: &str, text: &str) -> Result<Self, (usize, String)> {
        let mut page = Self { name: name.to_owned(), release: false, steps: Vec::new() };
        let mut excused = false;
        let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
        while let Some((at, line)) = lines.next() {
            let line = line.trim_start();
            if let Some(language) = line.strip_prefix("```") {
                let block = until(&mut lines, |line| line.trim() == "```");
                if !std::mem::take(&mut excused) {
                    page.block(at, language.trim(), block).map_err(|what| (at, what))?;
                }
            } else if let Some(comment) = line.strip_prefix("<!-- ") {
                if let Some(reason) = comment.strip_prefix("not run: ") {
                    let reason = reason.trim_end_matches("-->").trim();
                    if !REASONS.contains(&reason) {
                        return Err((at, format!("'{reason}' is none of {REASONS:?}")));
                    }
                    excused = true;
                } else if comment == "run" {
                    page.steps.push((at, Step::Run(until(&mut lines, |line| line.trim() == "-->"))));
                } else if comment == "on a release -->" {
                    page.release = true;
                } else if comment == "the pod starts -->" {
                    page.steps.push((at, Step::Operator));
                }
            } else if line.is_empty() {
                excused = false;
            } else if !excused {
                let commands = line.split('`').skip(1).step_by(2).filter(|span| is_command(span));
                page.steps.extend(commands.map(|command| (at, Step::Run(command.to_owned()))));
            }
        }
        Ok(page)
    }

    fn block(&mut self, at: usize, language: &str, text: String) -> Result<(), String> {
        let (language, file) = language.split_once(' ').unwrap_or((language, ""));
        if !file.is_empty() {
            self.steps.push((at, Step::Save { file: file.to_owned(), text }));
            return Ok(());
        }
        let run = |program: &str, text: String| {
            Step::Run(format!("{program} <<'END_OF_BLOCK'\n{text}END_OF_BLOCK"))
        };
        let step = match language {
            "sh" => Step::Run(text),
            "yaml" => run("kubectl apply --server-side --filename -", text),
            "json" => {
                return serde_json::from_str::<serde::de::IgnoredAny>(&text)
                    .map(drop)
                    .map_err(|error| error.to_string());
            }
            "js" => run("node --input-type=module -", text),
            "python" => run("python3 -", text),
            "console" => {
                self.steps.extend(
                    dialogue(&text)?
                        .into_iter()
                        .map(|(command, expected)| (at, Step::Compare { command, expected, again: true })),
                );
                return Ok(());
            }
            "text" => {
                let Some((line, Step::Run(command))) = self.steps.pop() else {
                    return Err("it follows no command that would print it".to_owned());
                };
                self.steps.push((line, Step::Compare { command, expected: text, again: false }));
                return Ok(());
            }
            other => {
                return Err(format!(
                    "nobody knows how to run '{other}': name a file, or say why it is not run"
                ));
            }
        };
        self.steps.push((at, step));
        Ok(())
    }
}

/// The lines before the one that ends them.
fn until<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>, ends: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    for (_, line) in lines.take_while(|(_, line)| !ends(line)) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Commands, and what each prints.
fn dialogue(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut turns: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            turns.push((command.to_owned(), String::new()));
        } else if let Some((command, expected)) = turns.last_mut() {
            let more = if expected.is_empty() && command.ends_with('\\') { command } else { expected };
            if !more.is_empty() {
                more.push('\n');
            }
            more.push_str(line);
        } else {
            return Err("the first line of a console is a command: '$ …'".to_owned());
        }
    }
    Ok(turns)
}

/// Whether it is a command, rather than the name of one, without anything to fill in.
fn is_command(span: &str) -> bool {
    let to_fill_in = |word: &str| {
        word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase()) || word.contains(['…', '<', '{'])
    };
    PROGRAMS.iter().any(|program| span.starts_with(program))
        && span.split(' ').count() > 2
        && !span.split([' ', '/', '=', '"', ',']).any(to_fill_in)
}

#[test]
fn a_page_says_what_there_is_to_do() {
    let page = "<!-- on a release -->\nSee `kubectl get whk` or `kubectl get whk NAME`.\n\n<!-- run\nsetup\n-->\n\
                ```sh\nmake it\n```\n```text\nmade 1\n```\n```yaml a.yaml\na: 1\n```\n\n\
                ```console\n$ look \\\n  there\nseen\n```\n\n<!-- not run: needs a registry -->\n```sh\npush\n```\n";
    let run = |text: &str| Step::Run(text.to_owned());
    let compare = |command: &str, expected: &str, again| Step::Compare {
        command: command.to_owned(),
        expected: expected.to_owned(),
        again,
    };
    let steps = vec![
        (2, run("kubectl get whk")),
        (4, run("setup\n")),
        (7, compare("make it\n", "made 1\n", false)),
        (13, Step::Save { file: "a.yaml".to_owned(), text: "a: 1\n".to_owned() }),
        (17, compare("look \\\n  there", "seen", true)),
    ];
    assert_eq!(Page::parse("page", page), Ok(Page { name: "page".to_owned(), release: true, steps }));
}

#[test]
fn what_nobody_can_run_needs_a_reason_of_the_list() {
    let fails = |text: &str| Page::parse("page", text).is_err();
    assert!(fails("```toml\na = 1\n```\n"));
    assert!(fails("<!-- not run: no time -->\n```sh\nfalse\n```\n"));
    assert!(fails("```json\n{\n```\n"));
    assert!(fails("```text\nprinted by nothing\n```\n"));
}
