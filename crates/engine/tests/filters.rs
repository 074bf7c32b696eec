//! Expressions and events: what matches, what fails, and that nothing hostile gets beyond its budget.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;
use std::sync::Arc;

use hookwright_engine::event::Draft;
use hookwright_engine::filter::{Expression, Failure, Filter, Subject, Verdict};
use hookwright_engine::time::Time;
use proptest::prelude::*;

const EVENT: &str = r#"{
    "id": "evt_1", "type": "resource.updated", "created_at": "2024-01-15T10:30:00Z",
    "data": {
        "object": {
            "id": "res_456", "type": "resource", "number": 9007199254740993, "huge": 18446744073709551615,
            "attributes": { "status": "active", "price": 19.5, "count": 3, "tags": ["a", "b", "café"], "a-b": true }
        },
        "previous_attributes": null,
        "changes": { "status": ["draft", "active"] },
        "items": [{ "sku": "x", "n": 1 }, { "sku": "y", "n": 20 }, { "n": 3 }]
    },
    "metadata": { "user_id": "user_789", "ip_address": "192.168.1.1" }
}"#;
const BARE: &str = r#"{"type":"test.ping","data":{}}"#;

const YES: Verdict = Verdict::Accepted;
const NO: Verdict = Verdict::Rejected;
const MISSING: Verdict = Verdict::Failed(Failure::Missing);
const TYPE: Verdict = Verdict::Failed(Failure::Type);
const NUMBER: Verdict = Verdict::Failed(Failure::Number);
const OVER_BUDGET: Verdict = Verdict::Failed(Failure::OverBudget);

fn subject(event: &str) -> Subject {
    Subject::of_draft(&Draft::parse(event.as_bytes()).unwrap(), Time::from_secs(1_705_314_600))
}

fn filter(expressions: &[&str]) -> Filter {
    let compiled = expressions.iter().map(|source| match Expression::compile(source) {
        Ok(expression) => expression,
        Err(error) => panic!("{source}: {error}"),
    });
    Filter::new(&[], &[], compiled.collect()).unwrap()
}

fn judge(expression: &str, event: &str) -> Verdict {
    filter(&[expression]).judge(&subject(event))
}

fn refusal(expression: &str) -> String {
    Expression::compile(expression).expect_err(expression).to_string()
}

#[test]
fn expressions_select_events() {
    for (expression, verdict) in [
        ("true", YES),
        ("event.type == 'resource.updated'", YES),
        ("event.type == \"resource.deleted\"", NO),
        ("event.type.startsWith('resource.')", YES),
        ("event.id == 'evt_1' && event.created_at > '2024-01-01'", YES),
        ("event.data.object.attributes.status == 'active'", YES),
        ("event['data'].object['attributes']['a-b']", YES),
        ("has(event.data.changes.status)", YES),
        ("has(event.data.changes.price)", NO),
        ("has(event.data.changes.price) || event.data.object.attributes.count >= 3", YES),
        ("event.data.changes.status[1] == 'active'", YES),
        ("event.data.previous_attributes == null", YES),
        ("event.data.object.number == 9007199254740993", YES),
        ("event.data.object.number == 9007199254740992", NO),
        ("event.data.object.number > 9007199254740992.0", YES),
        ("event.data.object.huge == 18446744073709551615u", YES),
        ("event.data.object.huge > event.data.object.number", YES),
        ("event.data.object.attributes.price * 2 == 39", YES),
        ("event.data.object.attributes.price < 20 && 19 < event.data.object.attributes.price", YES),
        ("event.data.object.attributes.count % 2 == 1", YES),
        ("event.data.object.attributes.count == 3.0", YES),
        ("-event.data.object.attributes.count < -2", YES),
        ("event.data.object.attributes.status in ['active', 'pending']", YES),
        ("'status' in event.data.changes", YES),
        ("'b' in event.data.object.attributes.tags", YES),
        ("size(event.data.object.attributes.tags) == 3 && event.data.items.size() == 3", YES),
        ("event.data.object.attributes.tags[2].size() == 4", YES),
        ("event.data.items.exists(item, item.n > 10)", YES),
        ("event.data.items.all(item, item.n > 10)", NO),
        ("event.data.items.exists_one(item, item.n == 3)", YES),
        ("event.data.items.filter(item, has(item.sku)).map(item, item.sku) == ['x', 'y']", YES),
        ("event.data.items.exists(a, event.data.items.exists(b, a.n == b.n * 20))", YES),
        ("event.data.changes.all(name, name != 'price')", YES),
        ("event.metadata.user_id.matches('^user_[0-9]+$')", YES),
        ("matches(event.metadata.ip_address, '^10\\\\.')", NO),
        ("event.metadata.ip_address.endsWith('.1') && event.metadata.ip_address.contains('168')", YES),
        ("event.data.object.attributes.count > 2 ? event.type != '' : false", YES),
        ("!(event.type == 'test.ping')", YES),
        ("event.data.object.attributes.status.upperAscii() == 'ACTIVE'", YES),
        ("string(event.data.object.attributes.count) + '!' == '3!'", YES),
        ("int('42') + int(1.9) == 43 && uint(3) == 3u && double('1.5') == 1.5", YES),
        ("event.data.object == event.data.object && event.data.items == event.data.items", YES),
        ("event.data.object.attributes.status == 3", NO),
        ("[1, 2] + [3] == [1, 2, 3]", YES),
        // What fails on one side is made up for by what decides on the other, in either order.
        ("event.data.nothing == 1 || true", YES),
        ("true || event.data.nothing == 1", YES),
        ("event.data.nothing == 1 && false", NO),
        ("event.data.items.exists(item, item.sku == 'y')", YES),
    ] {
        assert_eq!(judge(expression, EVENT), verdict, "{expression}");
    }
}

#[test]
fn what_fails_on_an_event_does_not_match_and_says_why() {
    for (expression, event, verdict) in [
        ("event.data.nothing == 1", EVENT, MISSING),
        ("event.data.nothing.more == 1", EVENT, MISSING),
        ("has(event.data.nothing.more)", EVENT, MISSING),
        ("event.data['nothing'] == 1", EVENT, MISSING),
        ("event.data.items[3] == 1", EVENT, MISSING),
        ("event.data.items[-1] == 1", EVENT, MISSING),
        ("event.metadata.user_id == 'user_789'", BARE, MISSING),
        ("event.id != ''", BARE, MISSING),
        ("event.data.nothing == 1 || false", EVENT, MISSING),
        ("event.data.items.all(item, item.sku != '')", EVENT, MISSING),
        ("event.type", EVENT, TYPE),
        ("event.type.more == 1", EVENT, TYPE),
        ("event.type < 3", EVENT, TYPE),
        ("event.type + 1 == ''", EVENT, TYPE),
        ("!event.type", EVENT, TYPE),
        ("event.data.object.number.contains('9')", EVENT, TYPE),
        ("event.type.all(c, true)", EVENT, TYPE),
        ("'a' in event.type", EVENT, TYPE),
        ("1 / 0 == 1", EVENT, NUMBER),
        ("event.data.object.number * event.data.object.number > 0", EVENT, NUMBER),
        ("-(-9223372036854775807 - 1) > 0", EVENT, NUMBER),
        ("int(event.type) == 1", EVENT, NUMBER),
        ("int(event.data.object.huge) > 0", EVENT, NUMBER),
        // An event without metadata, and one without anything.
        ("has(event.metadata) && event.metadata.user_id == 'x'", BARE, NO),
        ("has(event.data.object)", BARE, NO),
        ("event.created_at == '2024-01-15T10:30:00.000Z'", BARE, YES),
    ] {
        assert_eq!(judge(expression, event), verdict, "{expression}");
    }
}

#[test]
fn what_does_not_compile_is_refused_with_its_place() {
    for (expression, says) in [
        ("event.type ==", "at 1:14: "),
        ("", "at 1:1: "),
        ("event.type ==\n  'a' &&&", "at 2:9: "),
        (
            "event.typ == 'a'",
            "at 1:6: event has no field 'typ'; its fields are id, type, created_at, data, metadata",
        ),
        ("evnt.type == 'a'", "at 1:1: 'evnt' is not known; the variable is event"),
        ("true && now() > 1", "there is no function now with 0 arguments"),
        ("event.type.reverse() == 'a'", "there is no method reverse with 0 arguments"),
        ("event.type.matches('(')", "at 1:20: the pattern of matches(): unclosed group"),
        ("event.type.matches(event.id)", "must be written out"),
        ("has(event)", "has() needs a field"),
        ("event.data.all(1, true)", "must be the name of a variable"),
        ("event.data.all(x, true) && x", "'x' is not known"),
        ("{'a': 1}.a == 1", "{…} is not supported"),
        ("b'a' == b'a'", "bytes are not supported"),
        ("event.data.?a == 1", "unsupported syntax"),
        ("99999999999999999999 == 1", "at 1:1: "),
    ] {
        let refusal = refusal(expression);
        assert!(refusal.starts_with("at ") && refusal.contains(says), "{expression}: {refusal}");
    }
}

#[test]
fn kinds_must_all_agree_and_entries_are_alternatives() {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let expression = || vec![Expression::compile("has(event.data.changes)").unwrap()];
    for (types, users, expressions, event, verdict) in [
        (&["resource"][..], &[][..], vec![], EVENT, YES),
        (&["user", "resource"], &[], vec![], EVENT, YES),
        (&["user"], &[], vec![], EVENT, NO),
        (&[], &["user_1", "user_789"], vec![], EVENT, YES),
        (&[], &["user_1"], vec![], EVENT, NO),
        (&["resource"], &["user_1"], vec![], EVENT, NO),
        (&["resource"], &["user_789"], expression(), EVENT, YES),
        (&["user"], &["user_789"], expression(), EVENT, NO),
        (&["resource"], &[], vec![], BARE, NO),
        (&[], &["user_789"], vec![], BARE, NO),
        (&["resource"], &[], vec![], r#"{"type":"a","data":{"object":"resource"}}"#, NO),
        (&["resource"], &[], vec![], r#"{"type":"a","data":{"object":{"type":["resource"]}}}"#, NO),
        (&["r\u{e9}"], &[], vec![], r#"{"type":"a","data":{"object":{"type":"r\u00e9"}}}"#, YES),
    ] {
        let filter = Filter::new(&texts(types), &texts(users), expressions).unwrap();
        assert_eq!(filter.judge(&subject(event)), verdict, "{types:?} {users:?} {event}");
    }
    assert!(Filter::new(&[], &[], vec![]).is_none());
}

#[test]
fn all_expressions_must_be_true_and_share_one_budget() {
    assert_eq!(filter(&["true", "event.type == 'test.ping'"]).judge(&subject(BARE)), YES);
    assert_eq!(filter(&["true", "event.type != 'test.ping'"]).judge(&subject(BARE)), NO);
    let list = vec!["1"; 20_000].join(",");
    let event = format!(r#"{{"type":"a","data":{{"list":[{list}]}}}}"#);
    let scan = "event.data.list.all(x, x == 1)";
    assert_eq!(filter(&[scan]).judge(&subject(&event)), YES);
    assert_eq!(filter(&[scan, scan]).judge(&subject(&event)), OVER_BUDGET);
}

#[test]
fn an_accepted_event_is_judged_as_it_was_published() {
    let draft = Draft::parse(EVENT.as_bytes()).unwrap();
    let accepted = draft.accept(draft.id.clone().unwrap(), Time::from_secs(1));
    let subject = Subject::of_event(&accepted).unwrap();
    let filter = filter(&[
        "event.id == 'evt_1' && event.type == 'resource.updated' && event.created_at == '2024-01-15T10:30:00Z'",
        "event.metadata.user_id == 'user_789' && event.data.object.type == 'resource'",
    ]);
    assert_eq!(filter.judge(&subject), YES);
}

/// Sources within and beyond the limits that drive whatever recurses or multiplies.
fn hostile_sources() -> Vec<String> {
    let mut sources = Vec::new();
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("{1:", "1", "}"),
        ("size(", "1", ")"),
        ("!(", "true", ")"),
        ("-(", "1", ")"),
        ("event.data[", "1", "]"),
        ("true?", "1", ":1"),
        ("true?1:", "1", ""),
        ("!", "true", ""),
        ("-", "1", ""),
        ("1+", "1", ""),
        ("1<", "1", ""),
        ("1*", "1", ""),
        ("true&&", "true", ""),
        ("true||", "true", ""),
        ("", "event", ".data"),
        ("", "event", "[0]"),
        ("", "event.data", ".x()"),
        ("", "[1]", ".map(x,x+x)"),
        ("", "[1]", ".all(x,[1]"),
        ("a{", "1", "}"),
        ("a.", "b", ""),
        ("'a'+", "'b'", ""),
        ("(((", "'", "'"),
        ("//", "\n", ""),
        ("\"\"\"", "r'", "\\"),
        ("`", "a", "`"),
        (".", "event", ""),
        ("?", "a", "?"),
    ] {
        for count in [8, 16, 31, 32, 62, 63, 64, 65, 96, 200, 512, 1000, 5000, 100_000] {
            sources.push([open.repeat(count), middle.to_owned(), close.repeat(count)].concat());
            sources.push([open.repeat(count), middle.to_owned()].concat());
        }
    }
    for pattern in
        ["(a+)+$", "(a|aa)+$", "((a{50}){50}){50}", "(x+x+)+y", "\\\\w{200}", "(.*)(.*)(.*)(.*)[b]"]
    {
        sources.push(format!("event.data.text.matches('{pattern}')"));
    }
    sources.push(format!("event.data.text.matches('{}a{}')", "(".repeat(50), ")".repeat(50)));
    sources.push(["['a']", &".map(x, x + x)".repeat(60), ".size() > 0"].concat());
    sources.push("event.data.list.all(a, event.data.list.all(b, a == b))".to_owned());
    sources.push("event.data.list.map(a, event.data.list.map(b, event.data)).size() > 0".to_owned());
    sources.push("event.data.list.all(a, event.data.list.all(b, event.data == event.data))".to_owned());
    sources.push(
        "event.data.list.exists(a, event.data.text.contains('b') || event.data.text == 'b')".to_owned(),
    );
    sources.push("event.data.list.all(a, [1].all(b, event.data.list + event.data.list != []))".to_owned());
    sources.push("event.data.list.all(a, event.data.text.upperAscii() != '' || true)".to_owned());
    sources
}

/// An event as large as events may be.
fn hostile_event() -> String {
    let list = vec!["1"; 100_000].join(",");
    format!(r#"{{"type":"a","data":{{"list":[{list}],"text":"{}"}}}}"#, "a".repeat(300_000))
}

/// In a process of its own: an abort, which no test can catch, would end that one.
#[test]
fn hostile_expressions_are_refused_or_end_within_their_budget() {
    const NAME: &str = "hostile_expressions_are_refused_or_end_within_their_budget";
    if std::env::var_os("HOSTILE").is_none() {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env("HOSTILE", "1")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        return;
    }
    let subject = subject(&hostile_event());
    let (mut compiled, mut over) = (0, 0);
    for source in hostile_sources() {
        match Expression::compile(&source) {
            Ok(expression) => {
                let filter = Filter::new(&[], &[], vec![expression]).unwrap();
                compiled += 1;
                over += usize::from(filter.judge(&subject) == OVER_BUDGET);
            }
            Err(refusal) => {
                assert!(refusal.to_string().len() < 1024, "{refusal}");
                assert!(refusal.line >= 1 && refusal.column >= 1, "{refusal}");
            }
        }
    }
    assert!(compiled > 20 && over > 5, "{compiled} compiled, {over} ran out of their budget");
}

#[test]
fn what_runs_out_of_its_budget_is_not_made_up_for() {
    let event = hostile_event();
    for expression in [
        "event.data.list.all(a, event.data.list.all(b, a == b)) || true",
        "true && (event.data.list.all(a, event.data.list.exists(b, a != b)) || true)",
        "['a'].map(x, x + x).exists(y, event.data.list.all(a, event.data.list == event.data.list) || true)",
    ] {
        assert_eq!(judge(expression, &event), OVER_BUDGET, "{expression}");
    }
}

#[test]
fn events_nested_deeper_than_filters_look_fail_and_nothing_else() {
    let deep = format!(r#"{{"type":"a","data":{{"x":{}1{}}}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(judge("event.type == 'a'", &deep), Verdict::Failed(Failure::Unreadable));
    let cheap = Filter::new(&["resource".to_owned()], &[], Vec::new()).unwrap();
    assert_eq!(cheap.judge(&subject(&deep)), NO);
}

#[test]
fn subjects_and_filters_go_to_other_threads() {
    fn shared<T: Send + Sync>(_: &Arc<T>) {}
    shared(&Arc::new(subject(BARE)));
    shared(&Arc::new(filter(&["true"])));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_compiler_panic(source in "\\PC{0,60}") {
        prop_assert!(!refused_by_panic(&source));
    }

    #[test]
    fn no_mix_of_tokens_makes_anything_panic(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "event", ".data", ".list", ".text", "(", ")", "[", "]", "'a'", "1", "1.5", "-", "!", "==", "<", "in",
            "+", "*", "/", "%", "&&", "||", "?", ":", ",", "has(", ".all(x,", "x", ".size()", "true", "null", "{", "}",
        ]), 0..24),
    ) {
        let source = tokens.join(" ");
        prop_assert!(!refused_by_panic(&source));
        if let Ok(expression) = Expression::compile(&source) {
            let filter = Filter::new(&[], &[], vec![expression]).unwrap();
            let event = r#"{"type":"a","data":{"list":[1,2.5,"x",null,[1],{"y":1}],"text":"a"}}"#;
            prop_assert_ne!(filter.judge(&subject(event)), Verdict::Failed(Failure::Defect));
        }
    }

    #[test]
    fn no_event_makes_an_expression_panic(data in json(), expression in prop::sample::select(vec![
        "event.data.a.b == event.data.c", "event.data.all(k, event.data[k] == event.data.a)",
        "event.data.a + event.data.b > event.data.c", "event.data.a in event.data.b || event.data.c[0] % 2 == 0",
        "size(event.data.a) < int(event.data.b) || string(event.data.c).matches('a')",
    ])) {
        let event = format!(r#"{{"type":"a","data":{data}}}"#);
        prop_assert_ne!(judge(expression, &event), Verdict::Failed(Failure::Defect));
    }
}

fn refused_by_panic(source: &str) -> bool {
    Expression::compile(source).is_err_and(|refusal| refusal.detail.contains("does not get on"))
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[a-c0-9]{0,3}".prop_map(Into::into),
    ];
    let nested = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[a-c]", nested, 0..4)
        .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
}
