//! What the operator writes is no drift: a cluster that was reconciled is still as Git says.

use futures::future::join_all;
use serde_json::Value;

use super::examples::make_secret;
use crate::support::{self, Namespace, Operator};

/// Examples that go into one namespace, and how they are applied and compared with the cluster.
type Examples = [(&'static str, &'static str); 2];

const FEATURES: Examples =
    [("--filename", "examples/webhooks"), ("--kustomize", "examples/gitops/deliveries")];
const GITOPS: Examples =
    [("--kustomize", "examples/gitops/overlays/production"), ("--kustomize", "examples/gitops/deliveries")];

/// The differences between examples and the cluster, in the way that applied them.
async fn drift(ns: &Namespace<'_>, examples: Examples, way: &[&str]) -> String {
    let mut drift = String::new();
    for (how, path) in examples {
        let path = hookwright_testbed::project().join(path);
        let output = ns.kubectl(&[&["diff", how, path.to_str().unwrap()], way].concat()).await;
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", output.stderr);
        assert_eq!(output.status.success(), output.stdout.is_empty());
        drift.push_str(&output.stdout);
    }
    drift
}

/// Waits until the operator has said of every object what it has to say.
async fn reconciled(ns: &Namespace<'_>) {
    support::eventually("all to be reconciled", async || {
        let get = ["get", "webhooks,webhookdeliveries", "--output=json"];
        let listed: Value = serde_json::from_str(&ns.kubectl(&get).await.success()).unwrap();
        let seen = |it: &Value| {
            let conditions = it["status"]["conditions"].as_array();
            it["status"]["observedGeneration"] == it["metadata"]["generation"]
                && conditions.is_some_and(|it| it.iter().any(|it| it["type"] == "Ready"))
        };
        let unseen = listed["items"].as_array().unwrap().iter().find(|it| !seen(it));
        unseen.map_or(Ok(()), |it| Err(it.clone()))
    })
    .await;
}

async fn is_empty_after_a_reconcile(examples: Examples, way: &[&str]) {
    let cluster = super::cluster().await;
    let ns = cluster.namespace("drift").await;
    let _operator = Operator::start(cluster, &ns, &[]).await;
    make_secret(&ns).await;
    for (how, path) in examples {
        let path = hookwright_testbed::project().join(path);
        ns.kubectl(&[&["apply", how, path.to_str().unwrap()], way].concat()).await.success();
    }
    reconciled(&ns).await;
    // What a status comes to say between the two looks of a diff is none, and soon over; a drift stays.
    support::eventually("a diff that is empty", async || {
        let drift = drift(&ns, examples, way).await;
        if drift.is_empty() { Ok(()) } else { Err(drift) }
    })
    .await;

    let changed = r#"{"spec":{"suspend":true,"events":["custom.*"]}}"#;
    ns.kubectl(&["patch", "webhook/orders", "--type=merge", "--patch", changed]).await.success();
    let insisting = if way.is_empty() { Vec::new() } else { [way, &["--force-conflicts"]].concat() };
    let drift = drift(&ns, examples, &insisting).await;
    assert!(drift.contains("-  - custom.*"), "no drift is seen at all: {drift}");
}

#[tokio::test]
async fn a_second_server_side_diff_of_every_example_is_empty() {
    let checks = [FEATURES, GITOPS].map(|examples| is_empty_after_a_reconcile(examples, &["--server-side"]));
    join_all(checks).await;
}

#[tokio::test]
async fn a_second_client_side_diff_of_every_example_is_empty() {
    let checks = [FEATURES, GITOPS].map(|examples| is_empty_after_a_reconcile(examples, &[]));
    join_all(checks).await;
}

#[tokio::test]
async fn the_definitions_are_as_git_has_them_once_the_api_server_has_completed_them() {
    let cluster = support::cluster().await;
    let crds = hookwright_testbed::project().join("crds");
    let diff = ["diff", "--server-side", "--force-conflicts", "--filename", crds.to_str().unwrap()];
    assert_eq!(cluster.kubectl(&diff).await.success(), "");
}
