//! `WebhookDelivery` objects in Git, which are applied again and again.

use std::fs;

use serde_json::json;

use super::{delivery, says, shows};
use crate::support::{self, Namespace, Operator, Receiver, Request, webhook};

const OUR_ADDRESSES: [&str; 2] = ["--egress-allow", "127.0.0.0/8"];

/// Applies an object once by each of the ways that there are.
async fn apply_in_every_way(ns: &Namespace<'_>, manifest: &str) {
    let cluster = support::cluster().await;
    let insisting: &[&str] = &["--server-side", "--force-conflicts"];
    for way in [&[], insisting, insisting] {
        let apply = [&["--namespace", ns.name(), "apply", "--filename", "-"], way].concat();
        cluster.kubectl_with_input(&apply, manifest).await.success();
    }
}

#[tokio::test]
async fn a_delivery_in_git_is_sent_once_whatever_its_object_and_the_operator_go_through() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("git-owned").await;
    let receiver = Receiver::start().await;
    let mut operator = Operator::start(cluster, &ns, &OUR_ADDRESSES).await;
    ns.apply(&webhook("orders", &receiver, json!({}))).await;
    let manifest = delivery("connected", "orders", "connected-1").to_string();

    apply_in_every_way(&ns, &manifest).await;
    let first = shows(&ns, "whd/connected", "the end", |it| says(it, "Succeeded=True/Delivered")).await;
    apply_in_every_way(&ns, &manifest).await;
    assert!(operator.sigterm().await.success());
    apply_in_every_way(&ns, &manifest).await;
    operator.restart().await;
    apply_in_every_way(&ns, &manifest).await;
    operator.kill().await;
    ns.kubectl(&["delete", "whd/connected"]).await.success();
    apply_in_every_way(&ns, &manifest).await;
    operator.restart().await;

    let again = shows(&ns, "whd/connected", "the end", |it| says(it, "Succeeded=True/Delivered")).await;
    assert_ne!(again["metadata"]["uid"], first["metadata"]["uid"]);
    assert_eq!(again["status"]["id"], first["status"]["id"], "the event was sent by its id before");
    // Had anything else been due, it had gone first.
    ns.apply(&delivery("marker", "orders", "marker").to_string()).await;
    shows(&ns, "whd/marker", "the end", |it| says(it, "Succeeded=True/Delivered")).await;
    let events: Vec<_> = receiver.received().iter().map(Request::event_id).collect();
    assert_eq!(events, ["connected-1", "marker"]);
}

#[tokio::test]
async fn an_object_that_was_sent_is_not_sent_again_by_an_operator_that_has_lost_its_log() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("lost-log").await;
    let receiver = Receiver::start().await;
    let mut operator = Operator::start(cluster, &ns, &OUR_ADDRESSES).await;
    ns.apply(&webhook("orders", &receiver, json!({}))).await;
    ns.apply(&webhook("suspended", &receiver, json!({ "suspend": true }))).await;
    let sent = delivery("sent", "orders", "sent").to_string();
    let waiting = delivery("waiting", "suspended", "waiting").to_string();
    apply_in_every_way(&ns, &sent).await;
    apply_in_every_way(&ns, &waiting).await;
    shows(&ns, "whd/sent", "the end", |it| says(it, "Succeeded=True/Delivered")).await;
    shows(&ns, "whd/waiting", "the delivery", |it| says(it, "Succeeded=Unknown/Pending")).await;

    operator.kill().await;
    fs::remove_dir_all(operator.database().parent().unwrap()).unwrap();
    operator.restart().await;
    apply_in_every_way(&ns, &sent).await;
    // Perhaps it was sent: nobody knows any more, and at most once is what an object asks for.
    shows(&ns, "whd/waiting", "the loss", |it| says(it, "Stalled=True/DeliveryLost")).await;
    shows(&ns, "whd/sent", "its end as it was", |it| says(it, "Succeeded=True/Delivered")).await;
    ns.apply(&delivery("marker", "orders", "marker").to_string()).await;
    shows(&ns, "whd/marker", "the end", |it| says(it, "Succeeded=True/Delivered")).await;
    let events: Vec<_> = receiver.received().iter().map(Request::event_id).collect();
    assert_eq!(events, ["sent", "marker"]);
}

#[tokio::test]
async fn an_object_that_gitops_would_make_anew_outlives_its_time() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("outlives").await;
    let receiver = Receiver::start().await;
    let _operator = Operator::start(cluster, &ns, &OUR_ADDRESSES).await;
    ns.apply(&webhook("orders", &receiver, json!({}))).await;

    let mut brief = delivery("of-flux", "orders", "of-flux");
    brief["spec"]["ttlSecondsAfterFinished"] = json!(1);
    brief["metadata"]["labels"] = json!({ "kustomize.toolkit.fluxcd.io/name": "webhooks" });
    ns.apply(&brief.to_string()).await;
    shows(&ns, "whd/of-flux", "the end", |it| says(it, "Succeeded=True/Delivered")).await;
    brief["metadata"] = json!({ "name": "of-argo-cd" });
    brief["spec"]["event"]["id"] = json!("of-argo-cd");
    let apply =
        ["--namespace", ns.name(), "apply", "--server-side", "--field-manager=argocd-controller", "-f", "-"];
    cluster.kubectl_with_input(&apply, &brief.to_string()).await.success();
    shows(&ns, "whd/of-argo-cd", "the end", |it| says(it, "Succeeded=True/Delivered")).await;

    // One that ends later, and goes: then it was time for the others, too.
    brief["metadata"] = json!({ "name": "of-nobody" });
    brief["spec"]["event"]["id"] = json!("of-nobody");
    ns.apply(&brief.to_string()).await;
    gone(&ns, "whd/of-nobody").await;
    for kept in ["whd/of-flux", "whd/of-argo-cd"] {
        ns.kubectl(&["get", kept]).await.success();
    }

    ns.kubectl(&["label", "whd/of-flux", "kustomize.toolkit.fluxcd.io/name-"]).await.success();
    gone(&ns, "whd/of-flux").await;
    assert_eq!(receiver.received().len(), 3);
}

/// Waits until an object is gone.
async fn gone(ns: &Namespace<'_>, object: &str) {
    support::eventually(&format!("{object} to be removed"), async || {
        let found = ns.kubectl(&["get", object, "--ignore-not-found", "--output=yaml"]).await.success();
        if found.is_empty() { Ok(()) } else { Err(found) }
    })
    .await;
}
