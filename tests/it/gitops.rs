//! What GitOps makes of our objects: Argo CD, Flux, and whoever else keeps a cluster as Git says.

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::support::{self, Cluster, Namespace, read};

mod argocd;
mod deliveries;
mod drift;
mod examples;
mod flux;
mod states;

/// A cluster that knows the kinds of Flux, and of those that make Secrets.
async fn cluster() -> &'static Cluster {
    static KNOWN: OnceCell<()> = OnceCell::const_new();
    let cluster = support::cluster().await;
    KNOWN
        .get_or_init(async || {
            let files =
                format!("--filename={}", hookwright_testbed::project().join("bin/definitions/").display());
            cluster.kubectl(&["apply", "--server-side", &files]).await.success();
            cluster
                .kubectl(&["wait", &files, "--for=condition=Established", "--timeout=60s"])
                .await
                .success();
        })
        .await;
    cluster
}

/// A delivery to a webhook, with an event of this id, as somebody keeps it in Git.
fn delivery(name: &str, webhook: &str, event_id: &str) -> Value {
    json!({
        "apiVersion": "hookwright.dev/v1alpha1",
        "kind": "WebhookDelivery",
        "metadata": { "name": name },
        "spec": { "webhookRef": { "name": webhook }, "event": { "id": event_id, "type": "test.ping" } },
    })
}

/// Waits until an object, which need not be there yet, looks as `probe` wants it.
async fn shows(ns: &Namespace<'_>, object: &str, what: &str, probe: impl Fn(&Value) -> bool) -> Value {
    support::eventually(&format!("{object} to show {what}"), async || {
        let found = ns.kubectl(&["get", object, "--ignore-not-found", "--output=json"]).await.success();
        let found: Value = serde_json::from_str(&found).unwrap_or_default();
        if probe(&found) { Ok(found) } else { Err(found["status"].clone()) }
    })
    .await
}

/// Whether an object has a condition, such as `Ready=True/Active`.
fn says(object: &Value, claim: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
    conditions
        .map(|it| format!("{}={}/{}", text(it, "type"), text(it, "status"), text(it, "reason")))
        .any(|said| said == claim)
}
