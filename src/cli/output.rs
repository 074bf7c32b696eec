//! What commands print, for people and for programs.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clap::{Args, ValueEnum};
use serde_json::Value;
use tabwriter::TabWriter;

use super::error::Error;

/// How to print.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Output {
    /// Form of the output [default: a table]
    #[arg(long, short, value_name = "FORM")]
    output: Option<Form>,
}

/// The forms for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// What the API answers
    Json,
    /// The same as YAML
    Yaml,
    /// Ids, one a line
    Name,
}

/// How a cell is coloured on a terminal.
pub(super) const PLAIN: Style = Style::new();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default();
pub(super) const WAITING: Style = AnsiColor::Yellow.on_default();
pub(super) const FAINT: Style = Style::new().dimmed();

/// A cell of a table.
pub(super) type Cell = (Style, String);

impl Output {
    /// Prints an answer: as it came, as the ids that `names` finds in it, or as `people` like it.
    pub(super) fn print(
        self,
        answer: &Value,
        names: impl FnOnce(&Value) -> Vec<String>,
        people: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        let mut out = anstream::stdout().lock();
        let printed = match self.output {
            Some(Form::Json) => writeln!(out, "{answer:#}"),
            Some(Form::Yaml) => match serde_yaml::to_string(answer) {
                Ok(yaml) => out.write_all(yaml.as_bytes()),
                Err(error) => Err(io::Error::other(error)),
            },
            Some(Form::Name) => names(answer).iter().try_for_each(|name| writeln!(out, "{name}")),
            None => people(&mut out),
        };
        tolerate(printed)
    }
}

/// Prints a line for people.
pub(super) fn line(text: &str) -> Result<(), Error> {
    tolerate(writeln!(anstream::stdout().lock(), "{text}"))
}

/// Prints a line for people who follow what goes on; an error where nobody reads it any more.
pub(super) fn news(text: &str) -> Result<(), Error> {
    writeln!(anstream::stdout().lock(), "{text}").map_err(Error::Stdout)
}

/// Says something about what is printed, to people only.
pub(super) fn note(text: &str) {
    // Where nobody reads it, nobody misses it.
    drop(writeln!(anstream::stderr().lock(), "{text}"));
}

/// Text in a style; on what is no terminal, or where `NO_COLOR` says so, only the text remains.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Writes a table with aligned columns.
pub(super) fn table<const N: usize>(
    out: &mut dyn Write,
    head: [&str; N],
    rows: impl IntoIterator<Item = [Cell; N]>,
) -> io::Result<()> {
    let mut aligned = TabWriter::new(out).ansi(true).padding(3);
    writeln!(aligned, "{}", head.map(|title| styled(FAINT, title)).join("\t"))?;
    for row in rows {
        // What comes from elsewhere must not steer the terminal.
        let cells = row.map(|(style, text)| styled(style, &text.replace(char::is_control, " ")));
        writeln!(aligned, "{}", cells.join("\t"))?;
    }
    aligned.flush()
}

/// Whoever reads the first lines only, as `head` does, has what they wanted.
fn tolerate(printed: io::Result<()>) -> Result<(), Error> {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Stdout(error)),
        _ => Ok(()),
    }
}
