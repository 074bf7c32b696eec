//! Metrics and the log are as docs/observability.md describes them, and have nothing beside.

use std::collections::BTreeSet;

use crate::support::{read, sources};

const LEVELS: [&str; 5] = ["trace!(", "debug!(", "info!(", "warn!(", "error!("];

/// What is between the brackets of a macro, argument by argument.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut arguments) = (1, false, vec![String::new()]);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => drop(chars.next()),
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 1 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
        arguments.last_mut().unwrap().push(c);
    }
    arguments.into_iter().map(|argument| argument.trim().to_owned()).filter(|it| !it.is_empty()).collect()
}

/// The name of the field that an argument adds, unless it is the message or the target.
fn field(argument: &str) -> Option<String> {
    let name = argument.split(" = ").next().unwrap().trim_start_matches(['%', '?']);
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || "_.".contains(c));
    is_name.then(|| name.to_owned())
}

fn logged() -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for file in sources("src") {
        let text = read(file);
        for level in LEVELS {
            fields.extend(text.split(level).skip(1).flat_map(arguments).filter_map(|it| field(&it)));
        }
        // The level of a line of the audit is chosen where it is written.
        let audit = text.split("tracing::$level!(").skip(1);
        fields.extend(audit.flat_map(arguments).filter_map(|it| field(&it)));
    }
    fields
}

#[test]
fn every_field_of_the_log_is_described_and_every_described_one_is_there() {
    let page = read("docs/observability.md");
    let (_, section) = page.split_once("\n## Logs\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let described: BTreeSet<_> = rows.map(|(field, _)| field.to_owned()).collect();
    // What every line has.
    let mut logged = logged();
    logged.extend(["timestamp", "level", "target", "message", "span", "spans"].map(str::to_owned));
    assert_eq!(described, logged);
}

#[test]
fn fields_are_read_from_a_call() {
    let call =
        r#"%webhook, ?circuit, by = "A, B", count = list.len(), target: "x", "a message, (said)") + other"#;
    let fields: Vec<_> = arguments(call).iter().filter_map(|it| field(it)).collect();
    assert_eq!(fields, ["webhook", "circuit", "by", "count"]);
}

#[test]
fn every_metric_is_described_and_every_described_one_is_there() {
    let names = read("src/metrics/names.txt");
    let name = |line: &str| line.split('{').next().unwrap().to_owned();
    // Two series of a histogram are one metric.
    let names = names.lines().map(name).filter(|name| !name.ends_with("_count"));
    let names: BTreeSet<_> = names.map(|name| name.trim_end_matches("_sum").to_owned()).collect();
    let page = read("docs/observability.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `hookwright_")?.split('`').next());
    assert_eq!(rows.map(|row| format!("hookwright_{row}")).collect::<BTreeSet<_>>(), names);
}
