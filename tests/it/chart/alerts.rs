//! Alerts and the dashboard name what exists, and tell what to do.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use hookwright_testbed::Folder;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{read, root, success};

/// The names of metrics in some text.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("hookwright_")).map(str::to_owned).collect()
}

/// The metrics that the operator has, and the buckets that the list leaves out.
fn known() -> BTreeSet<String> {
    let mut known = metrics(&read("src/metrics/names.txt"));
    let buckets: Vec<_> =
        known.iter().filter_map(|it| it.strip_suffix("_sum")).map(|it| format!("{it}_bucket")).collect();
    known.extend(buckets);
    known
}

/// The queries of the dashboard.
pub(super) fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("charts/hookwright/files/dashboard.json")).unwrap();
    let targets =
        dashboard["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array());
    targets.flatten().map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

fn alerts() -> Vec<Value> {
    serde_yaml::from_str(&read("charts/hookwright/files/alerts.yaml")).unwrap()
}

#[test]
fn alerts_and_dashboard_name_metrics_that_exist_with_values_that_their_labels_have() {
    let list = read("src/metrics/names.txt");
    for file in ["alerts.yaml", "dashboard.json"] {
        let text = read(format!("charts/hookwright/files/{file}"));
        let unknown: Vec<_> = metrics(&text).difference(&known()).cloned().collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
    for alert in alerts() {
        let expr = alert["expr"].as_str().unwrap();
        for label in ["reason=", "state=~"] {
            let Some((_, rest)) = expr.split_once(label) else { continue };
            for value in rest.split('"').nth(1).unwrap().split('|') {
                assert!(list.contains(&format!("=\"{value}\"")), "{expr}: {value}");
            }
        }
    }
}

#[test]
fn prometheus_understands_every_alert_and_every_query_of_the_dashboard() {
    let golden = read("tests/it/chart/everything.golden.yaml");
    let mut documents = serde_yaml::Deserializer::from_str(&golden).map(|it| Value::deserialize(it).unwrap());
    let mut rules = documents.find(|it| it["kind"] == "PrometheusRule").unwrap()["spec"].take();
    let record = |(n, query): (usize, String)| json!({ "record": format!("query_{n}"), "expr": query.replace("$__rate_interval", "5m") });
    let queries: Vec<_> = queries().into_iter().enumerate().map(record).collect();
    let count = alerts().len() + queries.len();
    rules["groups"].as_array_mut().unwrap().push(json!({ "name": "dashboard", "rules": queries }));
    let folder = Folder::temporary().unwrap();
    let file = folder.path().join("rules.yaml");
    fs::write(&file, rules.to_string()).unwrap();
    let mut promtool = Command::new(root().join("bin/promtool"));
    let said = success(promtool.args(["check", "rules"]).arg(file).output().unwrap());
    assert!(said.contains(&format!("SUCCESS: {count} rules found")), "{count}: {said}");
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let shown = metrics(&read("charts/hookwright/files/dashboard.json"));
    let names = metrics(&read("src/metrics/names.txt"));
    // A quantile is made of the buckets of a histogram.
    let missing: Vec<_> =
        names.difference(&shown).filter(|it| !it.ends_with("_sum") && !it.ends_with("_count")).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let alerts: Vec<_> = alerts().iter().map(|it| it["alert"].as_str().unwrap().to_owned()).collect();
    let runbooks = read("docs/runbooks.md");
    let headings: Vec<_> = runbooks.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(headings, alerts);
}
