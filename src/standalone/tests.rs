//! A folder that changes, with a real store, and receivers that tell what they are sent.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use hookwright_engine::attempt::{Attempt, Outcome};
use hookwright_engine::endpoint::{Hold, Target};
use hookwright_engine::time::Time;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::folder::Folder;
use super::manifest::Identity;
use super::sends::Sends;
use super::table::{Table, webhook_id};
use crate::clock::{self, Clock};
use crate::delivery::{self, Driver};
use crate::metrics::Metrics;
use crate::store::{self, Retention, sqlite};
use crate::telemetry::traces::Traces;
use crate::transport::{Contents, Request, Transport};

/// Only ever waited for by a test that fails.
const DEADLINE: Duration = Duration::from_mins(1);
const NOW: Time = Time::from_secs(1_000_000);

/// A folder of these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let at = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(at.path().join(name), text).unwrap();
    }
    at
}

fn webhook(name: &str, more: &str) -> String {
    format!(
        "apiVersion: hookwright.dev/v1alpha1\nkind: Webhook\nmetadata: {{name: {name}}}\n\
         spec: {{url: 'http://a.example/', events: ['*'], signing: {{secretRef: {{name: key}}}}{more}}}\n---\n"
    )
}

fn secret(value: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: key}}\nstringData: {{secret: {value}}}\n---\n")
}

fn delivery(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: hookwright.dev/v1alpha1\nkind: WebhookDelivery\nmetadata: {{name: {name}}}\n\
         spec: {{webhookRef: {{name: orders}}, {spec}}}\n---\n"
    )
}

fn orders() -> Identity {
    Identity { namespace: "default".to_owned(), name: "orders".to_owned() }
}

/// The keys that a webhook signs with.
fn keys(target: &Target) -> (String, Option<(String, Time)>) {
    let Target::Receiver(receiver) = target else { panic!("held: {target:?}") };
    let signing = &receiver.signing;
    let previous = signing.previous.as_ref();
    let previous = previous.map(|it| (it.secret.expose_secret().to_owned(), it.until));
    (signing.current.expose_secret().to_owned(), previous)
}

#[test]
fn the_previous_key_signs_beside_a_new_one_for_the_overlap() {
    let at = folder(&[("a.yaml", &(webhook("orders", "") + &secret("one")))]);
    let mut folder = Folder::open(at.path()).unwrap();
    let mut table = Table::default();
    let plan = table.plan(&folder.manifests().0, NOW);
    assert_eq!(keys(&plan.upsert[0].target), ("one".to_owned(), None));
    let generation = plan.upsert[0].generation;

    fs::write(at.path().join("a.yaml"), webhook("orders", "") + &secret("two")).unwrap();
    folder.reload().unwrap();
    let day = Duration::from_hours(24);
    for (now, previous) in [
        (NOW, Some(("one".to_owned(), NOW + day))),
        (NOW + day / 2, Some(("one".to_owned(), NOW + day))),
        (NOW + day, None),
    ] {
        let plan = table.plan(&folder.manifests().0, now);
        assert_eq!(keys(&plan.upsert[0].target), ("two".to_owned(), previous));
        assert_eq!(plan.upsert[0].generation, generation, "a Secret is no part of the spec");
    }
}

#[test]
fn a_webhook_keeps_its_identity_whatever_its_spec_and_wherever_it_is() {
    let at = folder(&[("a.yaml", &(webhook("orders", "") + &secret("one")))]);
    let plan = Table::default().plan(&Folder::open(at.path()).unwrap().manifests().0, NOW);
    let moved = folder(&[("b.json.yaml", &(secret("one") + &webhook("orders", ", description: changed")))]);
    let after = Table::default().plan(&Folder::open(moved.path()).unwrap().manifests().0, NOW);
    assert_eq!(plan.upsert[0].id, after.upsert[0].id);
    assert_eq!(plan.upsert[0].id.to_string(), "webhook_d16890ee6d675040b2072a7b7ce86998");
    assert_ne!(plan.upsert[0].generation, after.upsert[0].generation);
}

#[test]
fn a_webhook_that_cannot_be_delivered_to_is_held_and_says_why() {
    let invalid = webhook("invalid", ", retry: {maxAttempts: 0}").replace("http://a", "ftp://a");
    let keyless = webhook("keyless", "").replace(", signing: {secretRef: {name: key}}", "");
    let text = invalid + &webhook("missing", "") + &keyless;
    let at = folder(&[("a.yaml", &text)]);
    let folder = Folder::open(at.path()).unwrap();
    let plan = Table::default().plan(&folder.manifests().0, NOW);
    let holds: Vec<_> = plan
        .upsert
        .iter()
        .map(|endpoint| match endpoint.target {
            Target::Held(hold) => hold,
            Target::Receiver(_) => panic!("{} is not held", endpoint.name),
        })
        .collect();
    assert_eq!(holds, [Hold::Invalid, Hold::Unresolved, Hold::Unresolved]);
    for (problem, says) in plan.problems.iter().zip([
        &["a.yaml, document 1: Webhook default/invalid: ", "spec.url: ", "spec.retry.maxAttempts: "]
            as &[_],
        &["Webhook default/keyless: ", "without a cluster no signing key is generated"],
        &["Webhook default/missing: Secret 'key' does not exist"],
    ]) {
        assert!(says.iter().all(|says| problem.contains(says)), "{problem}");
    }
}

#[test]
fn a_webhook_that_is_gone_from_the_folder_is_removed() {
    let at = folder(&[("a.yaml", &webhook("orders", "")), ("key.yaml", &secret("one"))]);
    let mut folder = Folder::open(at.path()).unwrap();
    let mut table = Table::default();
    let id = table.plan(&folder.manifests().0, NOW).upsert[0].id;
    assert_eq!(table.ids(), HashSet::from([id]));
    fs::remove_file(at.path().join("a.yaml")).unwrap();
    folder.reload().unwrap();
    let plan = table.plan(&folder.manifests().0, NOW);
    assert!(plan.upsert.is_empty() && plan.remove == [id] && table.ids().is_empty());
}

/// Tells of each request and answers 200.
struct Told(mpsc::UnboundedSender<Request>);

impl Transport for Told {
    async fn send(&self, request: Request) -> Attempt {
        self.0.send(request).unwrap();
        let outcome = Outcome::Responded { status: 200, retry_after: None };
        Attempt { started: clock::wall(), elapsed: Duration::ZERO, outcome, response: Vec::new() }
    }
}

/// A process in standalone mode, as far as it sends.
struct Bench {
    sends: Sends,
    requests: mpsc::UnboundedReceiver<Request>,
    shutdown: CancellationToken,
    driver: JoinHandle<Result<(), store::Error>>,
    log: sqlite::Service,
}

impl Bench {
    fn start(data: &TempDir) -> Self {
        let clock = Clock::system();
        let (store, notices, log) = store::open(store::Options {
            path: data.path().join("hookwright.db"),
            retention: Retention { age: Duration::from_hours(24), max_bytes: 1 << 30 },
            clock: clock.clone(),
        })
        .unwrap();
        let (sender, requests) = mpsc::unbounded_channel();
        let metrics = Arc::new(Metrics::new());
        let options = delivery::Options::default();
        let (delivery, driver) = Driver::new(
            options,
            store.clone(),
            notices,
            Arc::new(Told(sender)),
            clock,
            metrics,
            Traces::default(),
        );
        let shutdown = CancellationToken::new();
        let driver = tokio::spawn(driver.run(shutdown.clone()));
        let webhook = webhook("orders", "").replace("'*'", "user.login");
        let at = folder(&[("a.yaml", &(webhook + &secret("one")))]);
        let plan = Table::default().plan(&Folder::open(at.path()).unwrap().manifests().0, NOW);
        plan.upsert.into_iter().for_each(|endpoint| delivery.upsert(endpoint));
        delivery.synced(HashSet::from([webhook_id(&orders())]));
        Self { sends: Sends::new(delivery, store, 1024), requests, shutdown, driver, log }
    }

    /// Does what these delivery manifests ask for; answers what is wrong with them.
    async fn settle(&mut self, manifests: &str) -> Vec<String> {
        let at = folder(&[("a.yaml", &(webhook("orders", "") + &secret("one") + manifests))]);
        self.sends.settle(&Folder::open(at.path()).unwrap().manifests().0).await.problems
    }

    /// The id of the event that is sent next.
    async fn sent(&mut self) -> String {
        match timeout(DEADLINE, self.requests.recv()).await.unwrap().unwrap().contents {
            Contents::Event { id, .. } => id.to_string(),
            Contents::Batch(id) => panic!("sent the batch {id}"),
        }
    }

    async fn stop(mut self) {
        self.shutdown.cancel();
        self.driver.await.unwrap().unwrap();
        assert!(self.requests.try_recv().is_err(), "something else was sent");
        drop(self.sends);
        self.log.shutdown().await.unwrap();
    }
}

fn event(id: &str, n: u32) -> String {
    format!("event: {{id: {id}, type: user.login, data: {{n: {n}}}}}")
}

#[tokio::test]
async fn a_delivery_manifest_is_sent_once_for_as_long_as_the_database_is_kept() {
    let data = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(&data);
    let first = delivery("ping", &event("evt_1", 1));
    for _ in 0..2 {
        assert_eq!(bench.settle(&first).await, [""; 0]);
    }
    assert_eq!(bench.sent().await, "evt_1");
    bench.stop().await;

    let mut bench = Bench::start(&data);
    assert_eq!(bench.settle(&first).await, [""; 0]);
    assert_eq!(bench.settle(&delivery("ping", &event("evt_2", 1))).await, [""; 0]);
    assert_eq!(bench.sent().await, "evt_2");
    bench.stop().await;
}

#[tokio::test]
async fn a_delivery_manifest_can_send_the_event_of_another_again_and_one_that_is_not_subscribed_to() {
    let data = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(&data);
    // Before what it repeats, in the order of names.
    let replay = delivery("again", "replayOf: {name: ping}");
    let unsubscribed = delivery("deaf", "event: {type: user.logout, id: evt_2}, ignoreFilters: true");
    let text = replay + &delivery("ping", &event("evt_1", 1)) + &unsubscribed;
    assert_eq!(bench.settle(&text).await, [""; 0]);
    let mut sent = [bench.sent().await, bench.sent().await, bench.sent().await];
    sent.sort();
    assert_eq!(sent, ["evt_1", "evt_1", "evt_2"]);
    bench.stop().await;
}

#[tokio::test]
async fn a_delivery_manifest_that_cannot_be_sent_says_why() {
    let data = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(&data);
    assert_eq!(bench.settle(&delivery("ping", &event("evt_1", 1))).await, [""; 0]);
    assert_eq!(bench.sent().await, "evt_1");
    let large = format!("event: {{type: a.b, data: {{x: {}}}}}", "x".repeat(1024));
    for (manifest, says) in [
        (delivery("other", &event("evt_1", 2)), "another event was accepted under the id 'evt_1'"),
        (
            delivery("none", "replayOf: {name: nobody}"),
            "spec.replayOf.name: there is no delivery default/nobody",
        ),
        (
            delivery("deaf", "event: {type: user.logout}"),
            "the Webhook orders does not subscribe to user.logout; spec.ignoreFilters: true",
        ),
        (delivery("empty", "canceled: false"), "spec: exactly one of event and replayOf is required"),
        (delivery("type", "event: {type: 'a b'}"), "spec.event: /type: segment 'a b'"),
        (delivery("large", &large), "spec.event: may have at most 1024 bytes"),
        (
            delivery("stray", &event("evt_3", 1)).replace("orders", "nowhere"),
            "spec.webhookRef.name: there is no Webhook default/nowhere",
        ),
    ] {
        let problems = bench.settle(&manifest).await;
        assert!(problems.len() == 1 && problems[0].contains(says), "{problems:?}");
        assert!(problems[0].starts_with("a.yaml, document 3: WebhookDelivery default/"), "{problems:?}");
    }
    let canceled = delivery("never", &format!("{}, canceled: true", event("evt_4", 1)));
    assert_eq!(bench.settle(&canceled).await, [""; 0]);
    bench.stop().await;
}
