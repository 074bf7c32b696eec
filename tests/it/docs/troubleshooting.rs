//! Whoever looks up a word finds it: every reason there is, and none that is not.

use std::collections::BTreeSet;

use hookwright_engine::attempt::FailureReason;

use crate::support::read;

/// The words that a match in a source gives names by: `Self::X => "Y"`, below this line.
fn names(source: &str, below: &str) -> BTreeSet<String> {
    let (_, rest) = source.split_once(below).unwrap();
    let (body, _) = rest.split_once("\n    }\n").unwrap();
    let quoted = |line: &str| line.split('"').nth(1).map(str::to_owned);
    body.lines().filter(|line| line.contains("=> ")).filter_map(quoted).collect()
}

#[test]
fn every_reason_has_its_entry_and_every_entry_is_of_a_reason() {
    let mut reasons = names(&read("src/crd/condition.rs"), "impl Reason {");
    reasons.extend(FailureReason::ALL.map(|reason| reason.as_str().to_owned()));
    reasons.extend(names(&read("crates/engine/src/attempt.rs"), "pub const fn reason("));
    let page = read("docs/troubleshooting.md");
    let entries: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect();
    assert_eq!(entries.iter().cloned().collect::<BTreeSet<_>>(), reasons);
    assert_eq!(entries.len(), reasons.len(), "an entry is there twice");
}

#[test]
fn every_kind_of_problem_has_its_row() {
    let kinds: BTreeSet<_> = read("src/api/error.rs")
        .split("https://hookwright.dev/problems/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    let page = read("docs/troubleshooting.md");
    let (_, table) = page.split_once("## Answers of the API").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), kinds);
}
