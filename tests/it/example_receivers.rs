//! The receivers of the examples verify what the operator sends them, event by event and in batches.

use std::path::Path;
use std::process::Command;

use hookwright_testbed::{Folder, Output, Process};
use serde_json::json;

use crate::support::{self, DEADLINE, Operator};

/// What the receivers say once they listen; their address follows.
const LISTENING: &str = "listening on ";

async fn receives(language: &str, program: &[&str]) {
    let cluster = support::cluster().await;
    let ns = cluster.namespace(language).await;
    let folder = Folder::temporary().unwrap();
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).args(["--fail-first", "1"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("WEBHOOK_SECRET", "s3cr3t").env("PORT", "0").env("PYTHONUNBUFFERED", "1");
    let mut receiver = Process::start(&folder, language, &command, Output::Log).unwrap();
    let listens = async |process: &Process| process.log().contains(LISTENING);
    receiver.until("listening", DEADLINE, listens).await.unwrap();
    let log = receiver.log();
    let url = log.split_once(LISTENING).unwrap().1.split_whitespace().next().unwrap();

    let operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "key" }, "stringData": { "secret": "s3cr3t" },
    });
    let webhook = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Webhook", "metadata": { "name": "orders" },
        "spec": {
            "url": format!("{url}/webhooks/pcf"), "events": ["*"], "retry": { "intervalsSeconds": [1] },
            "signing": { "secretRef": { "name": "key" } },
        },
    });
    ns.apply(&secret.to_string()).await;
    ns.apply(&webhook.to_string()).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
    operator.publish(&ns, &json!({ "id": "evt_1", "type": "user.login", "data": {} })).await;
    let accepted = "received user.login evt_1 attempt 2";
    receiver.until(accepted, DEADLINE, async |process| process.log().contains(accepted)).await.unwrap();

    let batch = json!({ "maxSize": 2, "maxWaitMilliseconds": 300_000 });
    let mut webhook = webhook;
    webhook["spec"]["batch"] = batch;
    ns.apply(&webhook.to_string()).await;
    let generation = "--output=jsonpath={.status.observedGeneration}";
    support::eventually("the change to take effect", async || {
        let seen = ns.kubectl(&["get", "whk/orders", generation]).await.success();
        if seen == "2" { Ok(()) } else { Err(seen) }
    })
    .await;
    for id in ["evt_2", "evt_3"] {
        operator.publish(&ns, &json!({ "id": id, "type": "user.login", "data": {} })).await;
    }
    for accepted in ["received user.login evt_2 attempt", "received user.login evt_3 attempt"] {
        receiver.until(accepted, DEADLINE, async |process| process.log().contains(accepted)).await.unwrap();
    }
}

#[tokio::test]
async fn the_one_in_node_takes_a_delivery_that_is_retried() {
    receives("node", &["node", "examples/receivers/node/receiver.mjs"]).await;
}

#[tokio::test]
async fn the_one_in_python_takes_a_delivery_that_is_retried() {
    receives("python", &["python3", "examples/receivers/python/receiver.py"]).await;
}

#[tokio::test]
async fn the_one_in_rust_takes_a_delivery_that_is_retried() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--example", "receiver"]);
    assert!(cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
    let program = Path::new(env!("CARGO_BIN_EXE_hookwright")).with_file_name("examples").join("receiver");
    receives("rust", &[program.to_str().unwrap()]).await;
}
