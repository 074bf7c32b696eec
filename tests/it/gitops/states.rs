//! Every state of our objects, as kstatus judges it on the live object; and the record of these objects, which those are
//! judged by that need no cluster.

use std::path::PathBuf;
use std::{env, fs};

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{delivery, says, shows};
use crate::support::{self, Namespace, Operator, Receiver, webhook};

/// Set by `make recordings`: writes the record instead of comparing with it.
const RECORD: &str = "HOOKWRIGHT_RECORD";

/// A state of an object.
pub(super) struct State {
    /// The object that is in it, as kubectl names it; its record has the same path.
    pub object: &'static str,
    /// What kstatus says.
    kstatus: &'static str,
    /// What Argo CD says.
    pub health: &'static str,
    /// A condition by which it is told from what comes before.
    claim: &'static str,
}

/// A state whose condition tells it from the states before.
const fn state(
    object: &'static str,
    kstatus: &'static str,
    health: &'static str,
    claim: &'static str,
) -> State {
    State { object, kstatus, health, claim }
}

/// Those of an operator that runs.
const SEEN: [State; 19] = [
    state("webhook/ready", "Current", "Healthy", "Ready=True/Active"),
    state("webhook/invalid", "Failed", "Degraded", "Stalled=True/InvalidFilter"),
    state("webhook/missing-secret", "InProgress", "Progressing", "Reconciling=True/SecretNotFound"),
    state("webhook/suspended", "Current", "Suspended", "Ready=True/Suspended"),
    state("webhook/failing", "Current", "Healthy", "EndpointHealthy=False/HTTPStatus"),
    state("webhook/gone", "Current", "Healthy", "EndpointHealthy=False/Gone"),
    state("webhook/no-dead-letter", "Current", "Healthy", "ResolvedRefs=False/DeadLetterNotFound"),
    state("webhookdelivery/waiting", "InProgress", "Progressing", "Succeeded=Unknown/WebhookNotFound"),
    state("webhookdelivery/pending", "InProgress", "Progressing", "Succeeded=Unknown/Pending"),
    state("webhookdelivery/retrying", "InProgress", "Progressing", "Succeeded=Unknown/Retrying"),
    state("webhookdelivery/delivered", "Current", "Healthy", "Succeeded=True/Delivered"),
    state("webhookdelivery/failed", "Failed", "Degraded", "Succeeded=False/AttemptsExhausted"),
    state("webhookdelivery/refused", "Failed", "Degraded", "Succeeded=False/NotSubscribed"),
    state("webhookdelivery/gone", "Failed", "Degraded", "Succeeded=False/Gone"),
    state("webhookdelivery/dead-lettered", "Failed", "Degraded", "Succeeded=False/DeadLettered"),
    state("webhookdelivery/canceled", "Current", "Healthy", "Succeeded=False/Canceled"),
    state("webhookdelivery/canceled-unsent", "Current", "Healthy", "Succeeded=False/Canceled"),
    state("webhookdelivery/canceled-with-webhook", "Failed", "Degraded", "Succeeded=False/Canceled"),
    state("webhookdelivery/conflicting", "Failed", "Degraded", "Succeeded=False/EventConflict"),
];

/// Those that no operator has looked at.
const UNSEEN: [State; 3] = [
    state("webhook/unseen", "InProgress", "Progressing", ""),
    state("webhook/changed", "InProgress", "Progressing", "Ready=True/Active"),
    state("webhookdelivery/unseen", "InProgress", "Progressing", ""),
];

pub(super) fn all() -> impl Iterator<Item = &'static State> {
    SEEN.iter().chain(&UNSEEN)
}

impl State {
    /// The object as it was recorded.
    pub(super) fn recorded(&self) -> Value {
        let path = self.path();
        let text = fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; make recordings writes it", path.display());
        });
        serde_json::from_str(&text).unwrap()
    }

    fn path(&self) -> PathBuf {
        let folder = hookwright_testbed::project().join("tests/it/gitops/objects");
        folder.join(self.object).with_extension("json")
    }

    /// Waits until the object is in this state, and asks kstatus about it.
    async fn check(&self, ns: &Namespace<'_>, receivers: &Receivers) {
        let Self { object, kstatus, health: _, claim } = self;
        let counted = |it: &Value| it["kind"] != "Webhook" || it["status"]["counts"].is_object();
        let there = |it: &Value| claim.is_empty() || says(it, claim) && counted(it);
        let live = if env::var_os(RECORD).is_some() {
            let live = shows(ns, object, claim, there).await;
            let path = self.path();
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text = serde_json::to_string_pretty(&receivers.normalised(ns, &live)).unwrap();
            fs::write(path, text + "\n").unwrap();
            live
        } else {
            let recorded = self.recorded();
            let what = format!("what is recorded (make recordings writes it anew): {recorded:#}");
            shows(ns, object, &what, |it| there(it) && receivers.normalised(ns, it) == recorded).await
        };
        let verdict = support::program("kstatus", &[], &live.to_string()).await.success();
        let verdict: Value = serde_json::from_str(&verdict).unwrap();
        assert_eq!(verdict["status"], *kstatus, "{object}: {verdict}");
    }
}

/// Three receivers, by how they are.
struct Receivers {
    well: Receiver,
    ill: Receiver,
    gone: Receiver,
}

impl Receivers {
    async fn start() -> Self {
        Self {
            well: Receiver::start().await,
            ill: Receiver::answering(|_, _| StatusCode::BAD_GATEWAY).await,
            gone: Receiver::answering(|_, _| StatusCode::GONE).await,
        }
    }

    /// An object without what differs from one run to the next.
    fn normalised(&self, ns: &Namespace<'_>, object: &Value) -> Value {
        let hosts = [(&self.well, "well"), (&self.ill, "ill"), (&self.gone, "gone")];
        let hosts = hosts.iter().map(|(receiver, name)| {
            let host = receiver.url().split('/').nth(2).unwrap().to_owned();
            (host, format!("{name}.example.com"))
        });
        let known: Vec<_> = hosts.chain([(ns.name().to_owned(), "shop".to_owned())]).collect();
        let mut object = object.clone();
        normalise("", &mut object, &known);
        object
    }
}

fn normalise(key: &str, value: &mut Value, known: &[(String, String)]) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !["managedFields", "resourceVersion"].contains(&key.as_str()));
            fields.iter_mut().for_each(|(key, value)| normalise(key, value, known));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| normalise(key, item, known)),
        Value::Number(_) if key == "responseMilliseconds" => *value = json!(1),
        Value::String(text) => *text = normalised(key, text, known),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn normalised(key: &str, text: &str, known: &[(String, String)]) -> String {
    match key {
        "uid" => return "00000000-0000-0000-0000-000000000000".to_owned(),
        "keyID" => return "0000".to_owned(),
        _ if ["time", "creationTimestamp"].contains(&key) || key.ends_with("Time") => {
            return "2026-01-01T00:00:00Z".to_owned();
        }
        _ => {}
    }
    let ids = ["del_", "webhook_"];
    let anonymous = |word: &str| {
        let id = ids.iter().find(|id| word.starts_with(**id));
        id.map_or_else(|| word.to_owned(), |id| format!("{id}0"))
    };
    let text = text.split(' ').map(anonymous).collect::<Vec<_>>().join(" ");
    known.iter().fold(text, |text, (is, name)| text.replace(is, name))
}

/// Brings all objects on their way to the states of an operator that runs. Those whose state is that of a webhook get at
/// most one delivery, so that their counts do not change once they are there.
async fn apply_what_is_seen(ns: &Namespace<'_>, receivers: &Receivers) {
    let Receivers { well, ill, gone } = receivers;
    let once = json!({ "enabled": false });
    for manifest in [
        webhook("ready", well, json!({})),
        webhook("changed", well, json!({})),
        webhook(
            "invalid",
            well,
            json!({ "filters": { "expressions": [{ "name": "typo", "cel": "event." }] } }),
        ),
        webhook("missing-secret", well, json!({ "signing": { "secretRef": { "name": "elsewhere" } } })),
        webhook("suspended", well, json!({ "suspend": true })),
        webhook("failing", ill, json!({ "retry": { "intervalsSeconds": [86400] } })),
        webhook("receiving", well, json!({ "events": ["test.*"] })),
        webhook("waiting", well, json!({ "suspend": true })),
        webhook("failing-once", ill, json!({ "retry": once })),
        webhook("gone", gone, json!({})),
        webhook("no-dead-letter", well, json!({ "deadLetter": { "webhookRef": { "name": "elsewhere" } } })),
        webhook(
            "dead-letters",
            ill,
            json!({ "retry": once, "deadLetter": { "webhookRef": { "name": "waiting" } } }),
        ),
        webhook("deleted", well, json!({ "suspend": true })),
    ] {
        ns.apply(&manifest).await;
    }
    let mut canceled_unsent = delivery("canceled-unsent", "elsewhere", "evt_5");
    canceled_unsent["spec"]["canceled"] = json!(true);
    let mut refused = delivery("refused", "receiving", "evt_6");
    refused["spec"]["event"]["type"] = json!("custom.sale");
    for delivery in [
        delivery("waiting", "elsewhere", "evt_1"),
        delivery("pending", "waiting", "evt_2"),
        delivery("canceled", "waiting", "evt_3"),
        delivery("canceled-with-webhook", "deleted", "evt_4"),
        canceled_unsent,
        refused,
        delivery("retrying", "failing", "evt_7"),
        delivery("delivered", "receiving", "evt_8"),
        delivery("failed", "failing-once", "evt_9"),
        delivery("gone", "gone", "evt_10"),
        delivery("dead-lettered", "dead-letters", "evt_11"),
    ] {
        ns.apply(&delivery.to_string()).await;
    }
}

/// What can only happen to objects that the operator knows.
async fn go_on(ns: &Namespace<'_>) {
    for name in ["canceled", "canceled-with-webhook", "delivered"] {
        shows(ns, &format!("whd/{name}"), "a delivery", |it| it["status"]["id"].is_string()).await;
    }
    let canceled = json!({ "spec": { "canceled": true } }).to_string();
    ns.kubectl(&["patch", "whd/canceled", "--type=merge", "--patch", &canceled]).await.success();
    ns.kubectl(&["delete", "whk/deleted"]).await.success();
    let mut conflicting = delivery("conflicting", "receiving", "evt_8");
    conflicting["spec"]["event"]["data"] = json!({ "another": "event" });
    ns.apply(&conflicting.to_string()).await;
}

#[tokio::test]
async fn kstatus_says_of_every_live_object_what_its_state_means_to_a_rollout() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("states").await;
    let receivers = Receivers::start().await;
    let mut operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    apply_what_is_seen(&ns, &receivers).await;
    go_on(&ns).await;
    for state in &SEEN {
        state.check(&ns, &receivers).await;
    }
    shows(&ns, "whk/changed", "that it is seen", |it| says(it, "EndpointHealthy=Unknown/NothingSent")).await;

    assert!(operator.sigterm().await.success());
    ns.apply(&webhook("unseen", &receivers.well, json!({}))).await;
    ns.apply(&webhook("changed", &receivers.well, json!({ "suspend": true }))).await;
    ns.apply(&delivery("unseen", "receiving", "evt_12").to_string()).await;
    for state in &UNSEEN {
        state.check(&ns, &receivers).await;
    }
}
