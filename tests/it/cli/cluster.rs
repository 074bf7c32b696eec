//! The commands through the API server, each as a user who has the rights that its help names and no others.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use hookwright_testbed::{Folder, Output as Printed, Process};
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::{Value, json};

use super::{Ended, command, ended, files, prints};
use crate::support::{self, Cluster, Namespace, Operator, Receiver, eventually, webhook};

const EGRESS: &[&str] = &["--egress-allow", "127.0.0.0/8"];

/// A user of a cluster, in one namespace.
struct User {
    folder: Arc<Folder>,
    namespace: String,
}

impl User {
    /// One who may do this with these resources.
    async fn new(cluster: &Cluster, ns: &Namespace<'_>, name: &str, rights: &[(&str, &[&str])]) -> Self {
        let rule = |(resource, verbs): &(&str, &[&str])| PolicyRule {
            api_groups: Some(vec![if *resource == "secrets" { "" } else { "hookwright.dev" }.to_owned()]),
            resources: Some(vec![(*resource).to_owned()]),
            verbs: verbs.iter().map(ToString::to_string).collect(),
            ..PolicyRule::default()
        };
        let token = ns.service_account(name, rights.iter().map(rule).collect()).await;
        Self::with_token(cluster, ns, &token)
    }

    fn with_token(cluster: &Cluster, ns: &Namespace<'_>, token: &str) -> Self {
        let folder = Folder::temporary().unwrap();
        support::kubeconfig(cluster, &folder, token);
        Self { folder, namespace: ns.name().to_owned() }
    }

    async fn calls(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments)).await
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command
            .args(["--namespace", &self.namespace])
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"));
        command
    }
}

async fn until(user: &User, arguments: &[&str], what: &str, holds: impl Fn(&str) -> bool) -> String {
    eventually(what, async || {
        let said = user.calls(arguments).await.success();
        if holds(&said) { Ok(said) } else { Err(said) }
    })
    .await
}

/// An operator, a webhook `orders` that sends to a receiver, which is well or not, and one of others.
async fn served<'a>(
    cluster: &'a Cluster,
    purpose: &str,
) -> (Namespace<'a>, Operator, Receiver, Arc<AtomicBool>) {
    let ns = cluster.namespace(purpose).await;
    let (receiver, well) = Receiver::well_or(StatusCode::BAD_GATEWAY).await;
    well.store(true, Ordering::SeqCst);
    let operator = Operator::start(cluster, &ns, EGRESS).await;
    let once = json!({ "events": ["custom.*"], "retry": { "enabled": false } });
    ns.apply(&webhook("orders", &receiver, once)).await;
    ns.apply(&webhook("others", &receiver, json!({ "events": ["user.*"], "suspend": true }))).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
    (ns, operator, receiver, well)
}

#[tokio::test]
async fn an_event_is_sent_once_and_its_deliveries_are_shown_retried_and_redriven() {
    let cluster = support::cluster().await;
    let (ns, _operator, receiver, well) = served(cluster, "cli").await;
    let (_folder, paths) = files(&[
        ("one", r#"{"id":"evt_1","type":"custom.sale","data":{"n":1}}"#),
        ("other", r#"{"id":"evt_1","type":"custom.sale","data":{"n":2}}"#),
        (
            "many",
            "{\"id\":\"evt_2\",\"type\":\"custom.sale\",\"data\":{}}\n{\"id\":\"evt_3\",\"type\":\"a..b\",\"data\":{}}\n",
        ),
    ]);
    let [one, other, many] = paths.try_into().unwrap();
    let sender = User::new(
        cluster,
        &ns,
        "sender",
        &[("webhooks", &["list"]), ("webhookdeliveries", &["create", "get"])],
    )
    .await;
    let explained = sender.calls(&["explain", &one]).await.success();
    let says = |name: &str| explained.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(says("orders").contains("sent at once"), "{explained}");
    assert!(says("others").contains("none of its patterns selects the event's type: user.*"), "{explained}");

    assert!(
        sender.calls(&["send", &one]).await.success().starts_with("evt_1 accepted, for 1 webhook\n  orders-")
    );
    assert!(sender.calls(&["send", &one]).await.success().contains("evt_1 accepted, as it was before"));
    sender.calls(&["send", &other]).await.fails(1, "another event was sent under the id evt_1");

    let rights: &[(&str, &[&str])] = &[("webhooks", &["get"]), ("webhookdeliveries", &["list"])];
    let reader = User::new(cluster, &ns, "reader", rights).await;
    let json = ["deliveries", "orders", "--output", "json"];
    let shown = until(&reader, &json, "the delivery", |said| said.contains("Delivered")).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["deliveries"].as_array().unwrap().len(), 1, "{shown}");
    assert_eq!(shown["deliveries"][0]["event_id"], "evt_1");
    assert_eq!(receiver.received().len(), 1, "an event that is sent again is sent once");

    let id = shown["deliveries"][0]["id"].as_str().unwrap();
    let again = User::new(cluster, &ns, "again", &[("webhookdeliveries", &["list", "watch", "patch"])]).await;
    assert!(again.calls(&["retry", id]).await.success().contains("is Delivered, after attempt 2"));
    again.calls(&["retry", "del_0000000000001"]).await.fails(5, "no WebhookDelivery object shows");

    let rights: &[(&str, &[&str])] = &[("webhooks", &["get"]), ("webhookdeliveries", &["list", "watch"])];
    let follower = User::new(cluster, &ns, "follower", rights).await;
    let follow = follower.command(&["deliveries", "orders", "--follow"]);
    let mut follow = Process::start(&follower.folder, "follow", &follow, Printed::Log).unwrap();
    prints(&mut follow, "evt_1  Delivered  2  200").await;

    well.store(false, Ordering::SeqCst);
    let sent = sender.calls(&["send", &many]).await;
    assert!(sent.stdout.contains("evt_2 accepted, for 1 webhook"), "{}{}", sent.stdout, sent.stderr);
    assert!(sent.stdout.contains("event 2 not accepted: /type"), "{}", sent.stdout);
    assert!(sent.stderr.contains("1 of 2 events were not accepted"), "{}", sent.stderr);
    sent.code_is(1);
    let rights: &[(&str, &[&str])] = &[("webhooks", &["get", "list", "watch", "patch"])];
    let owner = User::new(cluster, &ns, "owner", rights).await;
    let dry = ["redrive", "orders", "--dry-run"];
    until(&owner, &dry, "the failure", |said| said == "1 failed delivery would be sent again\n").await;
    prints(&mut follow, "evt_2  Failed  1  502").await;
    owner.calls(&["redrive", "orders", "--event-type", "a"]).await.fails(2, "need the API, by --server");
    well.store(true, Ordering::SeqCst);
    let waited = owner.calls(&["redrive", "orders", "--follow"]).await;
    assert!(waited.stderr.contains("1 of 1 deliveries done"), "{}", waited.stderr);
    assert_eq!(waited.success(), "1 failed delivery will be sent again\n");
    assert_eq!(receiver.received().len(), 4);
}

#[tokio::test]
async fn a_webhook_is_tested_and_its_secret_replaced() {
    let cluster = support::cluster().await;
    let (ns, _operator, _receiver, well) = served(cluster, "cli-test").await;
    let rights: &[(&str, &[&str])] = &[("webhooks", &["get", "patch"]), ("webhookdeliveries", &["list"])];
    let tester = User::new(cluster, &ns, "tester", rights).await;
    assert!(tester.calls(&["test", "orders"]).await.success().starts_with("delivered HTTP 200 in "));
    let shown = tester.calls(&["test", "orders", "--output", "json"]).await.json();
    assert!(shown["delivery_id"].as_str().unwrap().starts_with("del_"), "{shown}");
    well.store(false, Ordering::SeqCst);
    tester.calls(&["test", "orders"]).await.fails(1, "not delivered: ");
    tester.calls(&["test", "orders", "--data", "{}"]).await.fails(2, "need the API, by --server");
    tester.calls(&["test", "others"]).await.fails(1, "it is suspended");

    let rights: &[(&str, &[&str])] = &[("webhooks", &["get"]), ("secrets", &["get", "patch"])];
    let keeper = User::new(cluster, &ns, "keeper", rights).await;
    let rotated = keeper.calls(&["rotate", "orders"]).await;
    assert!(rotated.stderr.contains("The one before it signs, too, for 24 h."), "{}", rotated.stderr);
    let secret = rotated.success().trim().to_owned();
    let kept = ns
        .kubectl(&["get", "secret/orders-signing", "--output=go-template={{.data.secret | base64decode}}"])
        .await;
    assert!(secret.starts_with("whsec_"));
    assert_eq!(kept.success(), secret);
    ns.kubectl(&["patch", "secret/orders-signing", "--patch={\"immutable\":true}"]).await.success();
    keeper.calls(&["rotate", "orders"]).await.fails(1, "it is immutable");
}

#[tokio::test]
async fn what_cannot_be_done_is_said_in_one_line_and_by_the_exit_code() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("cli-refused").await;
    let manifest = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Webhook", "metadata": { "name": "orders" },
        "spec": { "url": "https://a.example/hook", "events": ["*"] },
    });
    ns.apply(&manifest.to_string()).await;
    let (_folder, paths) = files(&[("event", r#"{"type":"custom.sale","data":{}}"#)]);
    let event = &paths[0];
    let nobody = User::new(cluster, &ns, "nobody", &[]).await;
    for arguments in [
        &["deliveries", "orders"] as &[_],
        &["retry", "del_1"],
        &["redrive", "orders"],
        &["test", "orders"],
        &["rotate", "orders"],
        &["send", event],
        &["explain", event],
    ] {
        nobody.calls(arguments).await.fails(4, "is forbidden");
    }
    let all: &[(&str, &[&str])] = &[("webhooks", &["*"]), ("webhookdeliveries", &["*"]), ("secrets", &["*"])];
    let user = User::new(cluster, &ns, "user", all).await;
    for command in ["deliveries", "redrive", "test", "rotate"] {
        user.calls(&[command, "nothing"]).await.fails(5, "there is no webhook 'nothing'");
    }
    for command in ["redrive", "test"] {
        user.calls(&[command, "orders", "--timeout", "1"])
            .await
            .fails(3, "no operator has taken it up within 1 s");
    }
    user.calls(&["rotate", "orders"]).await.fails(5, "the operator makes it");
    user.calls(&["deliveries", "orders", "--context", "moon"])
        .await
        .fails(2, "has no context 'moon'; there are: ");
    let expired = User::with_token(cluster, &ns, "not.a.token");
    expired.calls(&["deliveries", "orders"]).await.fails(4, "credentials are missing or have expired");
    let away = "apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\n\
        contexts: [{name: away, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {}}]\ncurrent-context: away\n";
    write(&user, away);
    user.calls(&["deliveries", "orders"])
        .await
        .fails(3, "failed to reach the API server http://127.0.0.1:1/");
    write(&user, "contexts: [");
    user.calls(&["deliveries", "orders"]).await.fails(1, "failed to use the kubeconfig: ");
}

fn write(user: &User, kubeconfig: &str) {
    let path: &Path = user.folder.path();
    std::fs::write(path.join("kubeconfig"), kubeconfig).unwrap();
}
