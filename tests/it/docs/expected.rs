//! What a command prints, compared with what a page shows of it.

/// Whether each line that is shown is among those that were said, in this order.
///
/// Words are compared, not columns. What differs from run to run matches anything: words with digits, hosts of examples, `…`.
/// A line `…` stands for any lines.
pub fn matches(shown: &str, said: &str) -> Result<(), String> {
    let mut lines = said.lines();
    for line in shown.lines().filter(|line| !matches!(line.trim(), "" | "…")) {
        if !lines.any(|said| same(line, said)) {
            return Err(format!("shows\n{shown}\nbut there is no line '{line}' (in this order) in\n{said}"));
        }
    }
    Ok(())
}

fn same(shown: &str, said: &str) -> bool {
    let (shown, said): (Vec<_>, Vec<_>) = (words(shown), words(said));
    match shown.split_last() {
        Some((&"…", begin)) => {
            said.len() >= begin.len() && begin.iter().zip(&said).all(|(a, b)| same_word(a, b))
        }
        _ => shown.len() == said.len() && shown.iter().zip(&said).all(|(a, b)| same_word(a, b)),
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn same_word(shown: &str, said: &str) -> bool {
    let wild =
        shown.contains(|c: char| c.is_ascii_digit()) || shown.contains(".example.com") || shown.contains('…');
    shown == said || wild && keys(shown).all(|key| said.contains(key))
}

/// The keys of an object in JSON: values differ, names do not.
fn keys(json: &str) -> impl Iterator<Item = &str> {
    json.match_indices("\":").filter_map(|(end, _)| {
        let begin = json[..end].rfind('"')?;
        Some(&json[begin..=end])
    })
}

#[test]
fn what_differs_from_run_to_run_is_not_compared() {
    let said = "NAME  READY HOST           AGE\nbilling False 127.0.0.1:4 2s\norders  True  127.0.0.1:4 5s";
    assert_eq!(matches("NAME READY HOST AGE\n…\norders True orders.example.com 3m", said), Ok(()));
    assert_eq!(matches("orders True …", said), Ok(()));
    assert_eq!(matches(r#"{"id":"evt_1"}"#, r#"{"id":"evt_2","more":1}"#), Ok(()));
    assert!(matches(r#"{"id":"evt_1"}"#, r#"{"ID":"evt_2"}"#).is_err());
    assert!(matches("orders False orders.example.com 3m", said).is_err());
    assert!(
        matches("orders True h.example.com 1s\nbilling False h.example.com 1s", said).is_err(),
        "the order"
    );
}
