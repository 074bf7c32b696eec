//! What the README shows is run.

use hookwright::api::auth::Access;
use hookwright::api::routes;
use hookwright_testbed::{Folder, Output, Process, Signal};
use serde_json::json;

use crate::support::{self, DEADLINE, Operator, read};

/// The code blocks of the README in this language.
fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    let opening = format!("```{language}\n");
    let blocks = text.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.collect()
}

/// The commands of its tables.
fn commands() -> Vec<String> {
    let text = readme();
    let rows = text.lines().filter(|line| line.starts_with('|'));
    let spans = rows.flat_map(|row| row.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    spans.filter(|span| span.starts_with("kubectl ")).collect()
}

fn readme() -> String {
    read("README.md")
}

#[tokio::test]
async fn every_command_for_a_cluster_works_as_shown() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("readme").await;
    let operator = Operator::start(cluster, &ns, &[]).await;
    let manifest = blocks("yaml").remove(0);
    ns.apply("{apiVersion: v1, kind: Secret, metadata: {name: warehouse-key}, stringData: {secret: s3cr3t}}")
        .await;
    ns.apply(&manifest).await;
    let by_hand = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "WebhookDelivery", "metadata": { "name": "ping" },
        "spec": { "webhookRef": { "name": "warehouse" }, "ignoreFilters": true,
                  "event": { "type": "test.ping", "data": {} } },
    });
    ns.apply(&by_hand.to_string()).await;

    let commands = commands();
    assert_eq!(commands.len(), 7, "{commands:#?}");
    for command in commands {
        let command = command.replace("whd/NAME", "whd/ping").replace("whk/NAME", "whk/warehouse");
        match command.as_str() {
            // The manifest is the reader's own, and the receiver of the example does not exist.
            "kubectl create -f" => {}
            wait if wait.contains("condition=Succeeded") => {
                let output = cluster.shell(&ns, &format!("{wait} --timeout=1s")).await;
                assert!(output.stderr.contains("timed out waiting"), "{}", output.stderr);
            }
            other => drop(cluster.shell(&ns, other).await.success()),
        }
    }
    let explained = cluster.shell(&ns, "kubectl explain webhook.spec --recursive").await.success();
    assert!(explained.contains("secretRef"), "{explained}");

    let publish = blocks("sh").into_iter().find(|block| block.contains("curl")).unwrap();
    let (apply, curl) = publish.split_once('\n').unwrap();
    let file = apply.strip_prefix("kubectl apply -f ").unwrap();
    let file = read(file);
    ns.apply(&file.replace("namespace: default", &format!("namespace: {}", ns.name()))).await;
    let curl = curl.replace("http://127.0.0.1:8787", operator.url());
    let answer = cluster.shell(&ns, &format!("{} --silent --show-error", curl.trim())).await.success();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["deliveries"].as_array().unwrap().len(), 1, "{answer}");
}

#[tokio::test]
async fn the_folder_of_the_example_runs_without_a_cluster() {
    let shown = blocks("sh").into_iter().find(|block| block.starts_with("hookwright standalone")).unwrap();
    let arguments: Vec<_> = shown.split_whitespace().skip(1).collect();
    let folder = Folder::temporary().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hookwright"));
    command.args(&arguments).args(["--listen", "127.0.0.1:0"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let mut process = Process::start(&folder, "standalone", &command, Output::Log).unwrap();
    process
        .until("listening", DEADLINE, async |process| process.log().contains("listening on http://"))
        .await
        .unwrap();
    process.signal(Signal::Terminate).unwrap();
    assert!(process.ended(DEADLINE).await.unwrap().success());
}

#[test]
fn the_rights_that_are_listed_are_those_that_calls_take() {
    let security = read("SECURITY.md");
    let has = |line: &str, words: &[&str]| words.iter().all(|word| line.contains(&format!("`{word}`")));
    for route in routes() {
        let listed = match route.access {
            Access::Namespaced(verb, resource) => {
                let words = [verb.as_str(), resource.as_str()];
                security.lines().any(|line| line.starts_with('|') && has(line, &words))
            }
            Access::Path | Access::Known | Access::Anybody => {
                security.contains(&format!("`{}`", route.path))
                    || security.contains(&format!("GET {}`", route.path))
            }
        };
        assert!(
            listed,
            "SECURITY.md does not say what {} {} takes: {:?}",
            route.method, route.path, route.access
        );
    }
}

#[test]
fn the_two_commands_are_targets_that_are_run() {
    let makefile = read("Makefile");
    let first = blocks("sh").remove(0);
    for line in first.lines() {
        let target = line.strip_prefix("make ").unwrap().split_whitespace().next().unwrap();
        assert!(makefile.contains(&format!("\n{target}: ")), "make {target}");
    }
}
