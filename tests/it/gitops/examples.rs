//! `examples/gitops`, applied as it is.

use serde_json::{Value, json};

use super::{says, shows};
use crate::support::{Namespace, Operator, Receiver, Request};

const SECRET: &str = "secret/orders-signing";

/// Makes the Secret that External Secrets or Sealed Secrets would make.
pub(super) async fn make_secret(ns: &Namespace<'_>) {
    let create =
        ["create", "secret", "generic", "orders-signing", "--from-literal=secret=whsec_MDEyMzQ1Njc4OWFi"];
    ns.kubectl(&create).await.success();
}

/// What kustomize makes of a folder of the examples, with a receiver in place of theirs.
async fn built(ns: &Namespace<'_>, folder: &str, receiver: &Receiver) -> String {
    let path = hookwright_testbed::project().join("examples/gitops").join(folder);
    let built = ns.kubectl(&["kustomize", path.to_str().unwrap()]).await.success();
    let host = receiver.url().split('/').nth(2).unwrap().to_owned();
    built.replace("https://orders.example.com", &format!("http://{host}"))
}

#[tokio::test]
async fn every_overlay_is_applied_as_it_is_and_its_webhooks_wait_for_the_secret_that_is_not_in_git() {
    let cluster = super::cluster().await;
    for (overlay, component, suspended) in [
        ("base", None, false),
        ("overlays/staging", Some("sealedsecret/orders-signing"), true),
        ("overlays/production", Some("externalsecret/orders-signing"), false),
    ] {
        let ns = cluster.namespace("overlay").await;
        let _operator = Operator::start(cluster, &ns, &["--secret-poll-seconds", "1"]).await;
        let path = hookwright_testbed::project().join("examples/gitops").join(overlay);
        ns.kubectl(&["apply", "--server-side", "--kustomize", path.to_str().unwrap()]).await.success();
        shows(&ns, "webhook/orders", "the wait", |it| says(it, "Reconciling=True/SecretNotFound")).await;
        let in_force = if suspended { "Ready=True/Suspended" } else { "Ready=True/Active" };
        shows(&ns, "webhook/audit", "that it is in force", |it| says(it, in_force)).await;
        if let Some(component) = component {
            ns.kubectl(&["get", component]).await.success();
        }
        make_secret(&ns).await;
        shows(&ns, "webhook/orders", "that it is in force", |it| says(it, in_force)).await;
    }
}

#[tokio::test]
async fn what_is_published_before_the_secret_exists_is_sent_once_it_does() {
    let cluster = super::cluster().await;
    let ns = cluster.namespace("external-secret").await;
    let receiver = Receiver::start().await;
    let arguments = ["--egress-allow", "127.0.0.0/8", "--secret-poll-seconds", "1"];
    let operator = Operator::start(cluster, &ns, &arguments).await;
    for folder in ["base", "deliveries"] {
        ns.apply(&built(&ns, folder, &receiver).await).await;
    }
    shows(&ns, "webhook/orders", "the wait", |it| says(it, "Reconciling=True/SecretNotFound")).await;
    let event = json!({ "id": "evt_1", "type": "resource.created", "data": {} });
    operator.publish(&ns, &event).await;
    let pending = |it: &Value| it["status"]["outcome"] == "Pending";
    shows(&ns, "whd/orders-connected-1", "that it waits", pending).await;
    assert!(receiver.received().is_empty());

    make_secret(&ns).await;
    shows(&ns, "whd/orders-connected-1", "that it was sent", |it| says(it, "Ready=True/Delivered")).await;
    let mut events: Vec<_> = receiver.requests(2).await.iter().map(Request::event_id).collect();
    events.sort();
    assert_eq!(events, ["evt_1", "orders-connected-1"]);
    let owned = ["get", SECRET, "--output=jsonpath={.metadata.ownerReferences}"];
    assert_eq!(ns.kubectl(&owned).await.success(), "", "the operator took the Secret of others for its own");
}
