//! A real Prometheus that scrapes a real operator: the dashboard and the alerts show what happens.

use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::http::StatusCode;
use hookwright_testbed::{Folder, Output, Process};
use serde::Deserialize;
use serde_json::{Value, json};

use super::alerts::queries;
use super::{read, root};
use crate::support::{self, DEADLINE, Operator, Receiver, webhook};

/// What Prometheus says of its address, and once it answers.
const LISTENING: &str = "msg=\"Listening on\" address=";
const READY: &str = "Server is ready to receive web requests";

/// Series have the labels that the chart's alerts ask for.
const JOB: &str = "hookwright-hooks";

struct Prometheus {
    _process: Process,
    _folder: Arc<Folder>,
    url: String,
}

impl Prometheus {
    /// Starts one that scrapes the operator, with the alerts of the chart.
    async fn start(operator: &Operator, token: &str) -> Self {
        let folder = Folder::temporary().unwrap();
        let file = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let golden = read("tests/it/chart/everything.golden.yaml");
        let mut documents =
            serde_yaml::Deserializer::from_str(&golden).map(|it| Value::deserialize(it).unwrap());
        let rules = documents.find(|it| it["kind"] == "PrometheusRule").unwrap()["spec"].take();
        let token = file("token", token.to_owned());
        let config = json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [file("rules.json", rules.to_string())],
            "scrape_configs": [{
                "job_name": JOB,
                "authorization": { "credentials_file": token },
                "static_configs": [{
                    "targets": [operator.url().trim_start_matches("http://")],
                    "labels": { "namespace": "hookwright" },
                }],
            }],
        });
        let mut command = Command::new(root().join("bin/prometheus"));
        command.arg(format!("--config.file={}", file("config.json", config.to_string()).display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("series").display()));
        command.arg("--web.listen-address=127.0.0.1:0");
        let mut process = Process::start(&folder, "prometheus", &command, Output::Log).unwrap();
        process.until("listening", DEADLINE, async |it| it.log().contains(READY)).await.unwrap();
        let log = process.log();
        let address = log.split_once(LISTENING).unwrap().1.split_whitespace().next().unwrap();
        Self { _process: process, _folder: folder, url: format!("http://{address}") }
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.url), query).unwrap();
        let answer: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{query:?}: {answer}");
        answer["data"].clone()
    }

    /// The series that a query of the dashboard finds now.
    async fn series(&self, query: &str) -> usize {
        let filled_in =
            query.replace("$__rate_interval", "1m").replace("$job", ".*").replace("$namespace", ".*");
        self.get("/api/v1/query", &[("query", &filled_in)]).await["result"].as_array().unwrap().len()
    }
}

#[tokio::test]
async fn prometheus_sees_what_the_dashboard_and_the_alerts_ask_for() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("prometheus").await;
    let receiver =
        Receiver::answering(|nth, _| if nth == 1 { StatusCode::OK } else { StatusCode::BAD_GATEWAY }).await;
    let operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    ns.apply(&webhook("orders", &receiver, json!({ "retry": { "maxAttempts": 1 } }))).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
    let prometheus = Prometheus::start(&operator, &cluster.token().await).await;
    support::eventually("a first scrape", async || {
        let up = prometheus.series(r#"hookwright_store_quota_bytes{job=~"$job"}"#).await;
        if up == 1 { Ok(()) } else { Err(up) }
    })
    .await;
    for id in ["evt_1", "evt_2"] {
        operator.publish(&ns, &json!({ "id": id, "type": "user.login", "data": {} })).await;
        receiver.requests(1).await;
    }

    for query in queries() {
        support::eventually(&format!("what {query} finds"), async || {
            let found = prometheus.series(&query).await;
            if found > 0 { Ok(()) } else { Err(found) }
        })
        .await;
    }
    support::eventually("every alert to be judged, and that of a failed delivery to fire", async || {
        let groups = prometheus.get("/api/v1/rules", &[]).await;
        let rules = groups["groups"][0]["rules"].as_array().unwrap().clone();
        let fires = |rule: &&Value| rule["state"] == "firing" && rule["name"] == "HookwrightDeliveriesFailed";
        if rules.iter().all(|rule| rule["health"] == "ok") && rules.iter().any(|rule| fires(&rule)) {
            Ok(())
        } else {
            Err(rules)
        }
    })
    .await;
}

/// A page of `OpenMetrics` in the format before it, the only one that promtool reads: counters are described under their whole name.
fn classic(page: &str) -> String {
    let counter = |name: &str| page.contains(&format!("# TYPE {name} counter\n"));
    let line = |line: &str| {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what), Some(name), Some(text)) if counter(name) => {
                format!("# {what} {name}_total {text}\n")
            }
            _ => format!("{line}\n"),
        }
    };
    page.lines().map(line).collect()
}

#[tokio::test]
async fn the_page_of_metrics_is_as_prometheus_wants_it() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("metrics").await;
    let operator = Operator::start(cluster, &ns, &[]).await;
    let page = classic(&operator.metrics().await);
    let mut promtool = Command::new(root().join("bin/promtool"));
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = promtool.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), page.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    let complaints =
        String::from_utf8_lossy(&said.stderr).into_owned() + &String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{complaints}");
    assert_eq!(complaints, "");
}
