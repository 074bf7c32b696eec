//! The controller of `Webhook` objects, in this process, against the real API server.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use hookwright::{
    clock::Clock,
    controller::{self, Replaced, SecretChanges},
    crd::{Webhook, WebhookStatus},
    delivery,
    metrics::Metrics,
    store, telemetry,
    transport::{Request, Transport},
};
use hookwright_engine::{
    attempt::{Attempt, Outcome},
    endpoint::{Endpoint, Hold, Receiver, Target},
    id::WebhookId,
    time::Time,
};
use hookwright_testbed::Folder;
use k8s_openapi::{
    ByteString,
    api::{core::v1::Secret, events::v1::Event, rbac::v1::PolicyRule},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::support::{Cluster, Namespace, cluster, eventually};

/// A receiver that takes everything, for a driver that sends nothing.
struct Nowhere;

impl Transport for Nowhere {
    async fn send(&self, _: Request) -> Attempt {
        Attempt {
            started: Time::MIN,
            elapsed: Duration::ZERO,
            outcome: Outcome::Responded { status: 204, retry_after: None },
            response: Vec::new(),
        }
    }
}

/// The controller and the driver that it tells, until it is stopped.
struct Controller {
    engine: delivery::Handle,
    shutdown: CancellationToken,
    running: Vec<JoinHandle<()>>,
    _folder: Arc<Folder>,
}

impl Controller {
    async fn start(cluster: &Cluster, namespaces: &[&Namespace<'_>]) -> Self {
        Self::start_with(cluster.client().await, namespaces, SecretChanges::Watch)
    }

    fn start_with(client: Client, namespaces: &[&Namespace<'_>], secret_changes: SecretChanges) -> Self {
        let folder = Folder::temporary().unwrap();
        let (clock, metrics) = (Clock::system(), Arc::new(Metrics::new()));
        let retention = store::Retention { age: Duration::from_hours(1), max_bytes: 1 << 30 };
        let options = store::Options { path: folder.path().join("log.db"), retention, clock: clock.clone() };
        let (store, notices, _) = store::open(options).unwrap();
        let (engine, driver) = delivery::Driver::new(
            delivery::Options::default(),
            store,
            notices,
            Arc::new(Nowhere),
            clock.clone(),
            Arc::clone(&metrics),
            telemetry::traces::Traces::default(),
        );
        let options = controller::Options {
            namespaces: namespaces.iter().map(|it| it.name().to_owned()).collect::<BTreeSet<_>>(),
            instance: Some("test".to_owned()),
            secret_changes,
            replaced: Replaced::default(),
        };
        let service = controller::Service::new(client, engine.clone(), clock, metrics, options);
        let shutdown = CancellationToken::new();
        let driver = driver.run(shutdown.clone());
        let running = vec![
            tokio::spawn(async move { driver.await.unwrap() }),
            tokio::spawn(service.run(shutdown.clone())),
        ];
        Self { engine, shutdown, running, _folder: folder }
    }

    /// Waits until it knows all webhooks.
    async fn ready(&self) {
        eventually("the controller to know all webhooks", async || {
            self.engine.is_ready().then_some(()).ok_or("not ready")
        })
        .await;
    }

    /// What the engine knows of a webhook, once `probe` agrees.
    async fn endpoint<T>(&self, what: &str, id: WebhookId, probe: impl Fn(&Endpoint) -> Option<T>) -> T {
        eventually(what, async || {
            let endpoint = self.engine.webhook(id);
            endpoint.as_deref().and_then(&probe).ok_or(endpoint)
        })
        .await
    }

    async fn forgets(&self, id: WebhookId) {
        eventually("the engine to forget the webhook", async || self.engine.webhook(id).map_or(Ok(()), Err))
            .await;
    }

    async fn stop(self) {
        self.shutdown.cancel();
        for task in self.running {
            task.await.unwrap();
        }
    }
}

/// A good webhook with `fields` on top; those that are null are left out.
fn manifest(name: &str, fields: &Value) -> String {
    let mut spec = json!({ "url": "https://a.example/hook", "events": ["resource.*"] });
    let spec = spec.as_object_mut().unwrap();
    spec.extend(fields.as_object().unwrap().clone());
    spec.retain(|_, value| !value.is_null());
    json!({ "apiVersion": "hookwright.dev/v1alpha1", "kind": "Webhook", "metadata": { "name": name }, "spec": spec })
        .to_string()
}

fn secret(name: &str, values: &Value) -> String {
    json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": values })
        .to_string()
}

fn id(webhook: &Webhook) -> WebhookId {
    WebhookId::from_uid(Uuid::try_parse(&webhook.uid().unwrap()).unwrap())
}

fn receiver(endpoint: &Endpoint) -> Option<Arc<Receiver>> {
    match &endpoint.target {
        Target::Receiver(receiver) => Some(Arc::clone(receiver)),
        Target::Held(_) => None,
    }
}

fn held(endpoint: &Endpoint) -> Option<Hold> {
    match &endpoint.target {
        Target::Receiver(_) => None,
        Target::Held(hold) => Some(*hold),
    }
}

fn condition<'a>(status: &'a WebhookStatus, about: &str) -> Option<&'a Condition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == about)
}

/// Waits until the current spec has been looked at and a condition is `status` for `reason`.
async fn says(webhooks: &Api<Webhook>, name: &str, about: &str, status: &str, reason: &str) -> Webhook {
    eventually(&format!("{name} to be {about}={status} for {reason}"), async || {
        let webhook = webhooks.get(name).await.unwrap();
        let current = webhook.status.clone().unwrap_or_default();
        let found = condition(&current, about).is_some_and(|it| it.status == status && it.reason == reason);
        let fresh = current.observed_generation == webhook.metadata.generation;
        if found && fresh { Ok(webhook) } else { Err(current) }
    })
    .await
}

async fn value(secrets: &Api<Secret>, name: &str) -> String {
    let ByteString(bytes) = secrets.get(name).await.unwrap().data.unwrap().remove("secret").unwrap();
    String::from_utf8(bytes).unwrap()
}

async fn absent(secrets: &Api<Secret>, name: &str) {
    eventually(&format!("Secret {name} to be gone"), async || {
        secrets.get_opt(name).await.unwrap().map_or(Ok(()), |it| Err(it.metadata.finalizers))
    })
    .await;
}

#[tokio::test]
async fn a_webhook_becomes_ready_with_a_signing_key_that_goes_when_it_goes() {
    let cluster = cluster().await;
    let ns = cluster.namespace("ready").await;
    let (webhooks, secrets) = (ns.api::<Webhook>().await, ns.api::<Secret>().await);
    let controller = Controller::start(cluster, &[&ns]).await;
    controller.ready().await;

    ns.apply(&manifest("orders", &json!({}))).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();

    let webhook = says(&webhooks, "orders", "Ready", "True", "Active").await;
    let status = webhook.status.clone().unwrap();
    assert_eq!(status.id, Some(id(&webhook).to_string()));
    assert_eq!(status.url_host.as_deref(), Some("a.example"));
    assert_eq!(status.signing.as_ref().unwrap().secret_name, "orders-signing");
    let all: Vec<_> = status.conditions.iter().flatten().map(|it| it.type_.as_str()).collect();
    assert_eq!(all, ["Ready", "Accepted", "ResolvedRefs"]);
    assert!(status.conditions.iter().flatten().all(|it| it.observed_generation == Some(1)));

    let key = value(&secrets, "orders-signing").await;
    assert!(key.starts_with("whsec_") && key.len() > 40, "{key}");
    let receiver = controller.endpoint("a receiver", id(&webhook), receiver).await;
    assert_eq!(receiver.signing.current.expose_secret(), key);
    assert!(!serde_json::to_string(&webhook).unwrap().contains(&key[6..]));

    webhooks.delete("orders", &DeleteParams::default()).await.unwrap();
    controller.forgets(id(&webhook)).await;
    absent(&secrets, "orders-signing").await;
    controller.stop().await;
}

#[tokio::test]
async fn a_missing_or_unusable_secret_holds_a_webhook_until_it_is_there() {
    let cluster = cluster().await;
    let ns = cluster.namespace("unresolved").await;
    let webhooks = ns.api::<Webhook>().await;
    let controller = Controller::start(cluster, &[&ns]).await;
    let from = json!({ "url": null, "urlFrom": { "secretKeyRef": { "name": "target", "key": "url" } } });

    ns.apply(&manifest("orders", &from)).await;
    let webhook = says(&webhooks, "orders", "ResolvedRefs", "False", "SecretNotFound").await;
    let status = webhook.status.clone().unwrap();
    assert_eq!(condition(&status, "Ready").unwrap().message, "Secret 'target' does not exist");
    assert_eq!(condition(&status, "Accepted").unwrap().status, "True");
    assert_eq!(condition(&status, "Reconciling").unwrap().status, "True");
    assert_eq!(condition(&status, "Stalled"), None);
    assert_eq!(controller.endpoint("a hold", id(&webhook), held).await, Hold::Unresolved, "its events queue");

    ns.apply(&secret("target", &json!({ "other": "x" }))).await;
    says(&webhooks, "orders", "ResolvedRefs", "False", "SecretKeyNotFound").await;
    ns.apply(&secret("target", &json!({ "url": "s3cr3t" }))).await;
    let webhook = says(&webhooks, "orders", "ResolvedRefs", "False", "InvalidSecret").await;
    assert!(!serde_json::to_string(&webhook).unwrap().contains("s3cr3t"));
    ns.apply(&secret("target", &json!({ "url": "https://hooks.example/s3cr3t" }))).await;
    let webhook = says(&webhooks, "orders", "Ready", "True", "Active").await;
    let status = webhook.status.clone().unwrap();
    assert_eq!(condition(&status, "Reconciling"), None);
    assert_eq!(status.url_host.as_deref(), Some("hooks.example"));
    controller.endpoint("a receiver", id(&webhook), receiver).await;
    controller.stop().await;
}

#[tokio::test]
async fn secrets_are_followed_without_the_right_to_list_them() {
    let cluster = cluster().await;
    let ns = cluster.namespace("polling").await;
    let rule = |group: &str, resource: &str, verbs: &[&str]| PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: verbs.iter().map(|&verb| verb.to_owned()).collect(),
        ..PolicyRule::default()
    };
    let rules = vec![
        rule("hookwright.dev", "webhooks", &["list", "watch"]),
        rule("hookwright.dev", "webhooks/status", &["patch"]),
        rule("events.k8s.io", "events", &["create", "patch"]),
        rule("", "secrets", &["get", "create", "patch", "delete"]),
    ];
    let client = cluster.client_with_token(&ns.service_account("operator", rules).await).await;
    let poll = SecretChanges::Poll(Duration::from_millis(100));
    let controller = Controller::start_with(client, &[&ns], poll);
    let webhooks = ns.api::<Webhook>().await;
    ns.apply(&manifest("orders", &json!({ "signing": { "secretRef": { "name": "key", "key": "secret" } } })))
        .await;
    let webhook = says(&webhooks, "orders", "ResolvedRefs", "False", "SecretNotFound").await;

    ns.apply(&secret("key", &json!({ "secret": "first" }))).await;
    says(&webhooks, "orders", "Ready", "True", "Active").await;
    ns.apply(&secret("key", &json!({ "secret": "second" }))).await;
    let signs = |endpoint: &Endpoint| {
        receiver(endpoint).filter(|receiver| receiver.signing.current.expose_secret() == "second")
    };
    controller.endpoint("the new key", id(&webhook), signs).await;
    ns.api::<Secret>().await.delete("key", &DeleteParams::default()).await.unwrap();
    says(&webhooks, "orders", "ResolvedRefs", "False", "SecretNotFound").await;
    controller.stop().await;
}

#[tokio::test]
async fn a_replaced_key_signs_beside_its_successor_even_after_a_restart() {
    let cluster = cluster().await;
    let ns = cluster.namespace("rotation").await;
    let (webhooks, secrets) = (ns.api::<Webhook>().await, ns.api::<Secret>().await);
    let controller = Controller::start(cluster, &[&ns]).await;
    let keys = |endpoint: &Endpoint| {
        let signing = receiver(endpoint)?.signing.clone();
        let previous = signing.previous?;
        Some((signing.current.expose_secret().to_owned(), previous.secret.expose_secret().to_owned()))
    };
    let both = ("two".to_owned(), "one".to_owned());

    ns.apply(&secret("key", &json!({ "secret": "one" }))).await;
    ns.apply(&manifest("orders", &json!({ "signing": { "secretRef": { "name": "key" } } }))).await;
    let before = says(&webhooks, "orders", "Ready", "True", "Active").await;
    ns.apply(&secret("key", &json!({ "secret": "two" }))).await;
    assert_eq!(controller.endpoint("two keys", id(&before), keys).await, both);
    let key_id = |webhook: &Webhook| webhook.status.clone().unwrap().signing.unwrap().key_id;
    eventually("another key id", async || {
        let webhook = webhooks.get("orders").await.unwrap();
        if key_id(&webhook) == key_id(&before) { Err(webhook.status) } else { Ok(()) }
    })
    .await;
    eventually("the previous key to be kept", async || {
        secrets.get_opt("orders-signing-previous").await.unwrap().ok_or("no Secret")
    })
    .await;
    controller.stop().await;

    let controller = Controller::start(cluster, &[&ns]).await;
    assert_eq!(controller.endpoint("two keys", id(&before), keys).await, both);

    let signing = json!({ "secretRef": { "name": "key" }, "rotation": { "overlapSeconds": 0 } });
    ns.apply(&manifest("orders", &json!({ "signing": signing }))).await;
    absent(&secrets, "orders-signing-previous").await;
    controller
        .endpoint("one key", id(&before), |endpoint| {
            receiver(endpoint)?.signing.previous.is_none().then_some(())
        })
        .await;
    controller.stop().await;
}

#[tokio::test]
async fn a_generated_key_is_replaced_when_it_is_deleted_and_never_rewritten() {
    let cluster = cluster().await;
    let ns = cluster.namespace("generated").await;
    let (webhooks, secrets) = (ns.api::<Webhook>().await, ns.api::<Secret>().await);
    let controller = Controller::start(cluster, &[&ns]).await;
    ns.apply(&secret("mine-signing", &json!({ "secret": "brought along" }))).await;
    ns.apply(&manifest("mine", &json!({}))).await;
    ns.apply(&manifest("orders", &json!({}))).await;
    let webhook = says(&webhooks, "orders", "Ready", "True", "Active").await;
    says(&webhooks, "mine", "Ready", "True", "Active").await;
    assert_eq!(value(&secrets, "mine-signing").await, "brought along");

    let first = value(&secrets, "orders-signing").await;
    secrets.delete("orders-signing", &DeleteParams::default()).await.unwrap();
    let signing = controller
        .endpoint("a new key", id(&webhook), |endpoint| {
            let signing = receiver(endpoint)?.signing.clone();
            (signing.current.expose_secret() != first).then_some(signing)
        })
        .await;
    assert_eq!(value(&secrets, "orders-signing").await, signing.current.expose_secret());
    assert_eq!(signing.previous.unwrap().secret.expose_secret(), first);
    controller.stop().await;
}

#[tokio::test]
async fn an_invalid_webhook_is_stalled_and_stops_nobody() {
    let cluster = cluster().await;
    let ns = cluster.namespace("invalid").await;
    let (webhooks, secrets) = (ns.api::<Webhook>().await, ns.api::<Secret>().await);
    let controller = Controller::start(cluster, &[&ns]).await;
    // The API server has no opinion on the size of a port.
    ns.apply(&manifest("bad", &json!({ "url": "https://a.example:99999/" }))).await;
    ns.apply(&manifest("good", &json!({}))).await;
    says(&webhooks, "good", "Ready", "True", "Active").await;
    let bad = says(&webhooks, "bad", "Stalled", "True", "InvalidSpec").await;
    let status = bad.status.clone().unwrap();
    assert_eq!(
        condition(&status, "Accepted").unwrap().message,
        "spec.url: must be an absolute URL such as https://example.com/webhooks"
    );
    assert_eq!(condition(&status, "Ready").unwrap().status, "False");
    assert_eq!(condition(&status, "ResolvedRefs").unwrap().status, "Unknown");
    assert_eq!(controller.endpoint("a hold", id(&bad), held).await, Hold::Invalid);
    assert!(secrets.get_opt("bad-signing").await.unwrap().is_none(), "nothing is made for it");

    ns.apply(&manifest("bad", &json!({}))).await;
    let mended = says(&webhooks, "bad", "Ready", "True", "Active").await;
    assert_eq!(condition(mended.status.as_ref().unwrap(), "Stalled"), None);
    controller.stop().await;
}

#[tokio::test]
async fn a_suspended_webhook_is_ready_and_its_events_wait() {
    let cluster = cluster().await;
    let ns = cluster.namespace("suspend").await;
    let webhooks = ns.api::<Webhook>().await;
    let controller = Controller::start(cluster, &[&ns]).await;
    ns.apply(&manifest("orders", &json!({ "suspend": true }))).await;
    let webhook = says(&webhooks, "orders", "Ready", "True", "Suspended").await;
    assert_eq!(controller.endpoint("a hold", id(&webhook), held).await, Hold::Suspended);
    let since = condition(webhook.status.as_ref().unwrap(), "Ready").unwrap().last_transition_time.clone();

    let resume = Patch::Merge(json!({ "spec": { "suspend": false } }));
    webhooks.patch("orders", &PatchParams::default(), &resume).await.unwrap();
    let webhook = says(&webhooks, "orders", "Ready", "True", "Active").await;
    controller.endpoint("a receiver", id(&webhook), receiver).await;
    let ready = condition(webhook.status.as_ref().unwrap(), "Ready").unwrap().clone();
    assert_eq!(ready.last_transition_time, since, "Ready was true all the time");
    controller.stop().await;
}

#[tokio::test]
async fn deletions_and_replacements_are_seen_with_and_without_an_operator() {
    let cluster = cluster().await;
    let ns = cluster.namespace("deletion").await;
    let webhooks = ns.api::<Webhook>().await;
    let controller = Controller::start(cluster, &[&ns]).await;
    for name in ["kept", "deleted", "replaced"] {
        ns.apply(&manifest(name, &json!({}))).await;
        says(&webhooks, name, "Ready", "True", "Active").await;
    }
    let former = webhooks.get("replaced").await.unwrap();
    webhooks.delete("replaced", &DeleteParams::default()).await.unwrap();
    ns.apply(&manifest("replaced", &json!({}))).await;
    let anew = says(&webhooks, "replaced", "Ready", "True", "Active").await;
    assert_ne!(id(&anew), id(&former));
    controller.endpoint("a receiver", id(&anew), receiver).await;
    controller.forgets(id(&former)).await;
    controller.stop().await;

    let deleted = webhooks.get("deleted").await.unwrap();
    webhooks.delete("deleted", &DeleteParams::default()).await.unwrap();
    let controller = Controller::start(cluster, &[&ns]).await;
    controller.ready().await;
    assert!(controller.engine.webhook(id(&deleted)).is_none());
    assert_eq!(controller.engine.webhooks().len(), 2);
    controller.stop().await;
}

#[tokio::test]
async fn events_tell_transitions_only_and_a_restart_writes_nothing() {
    let cluster = cluster().await;
    let ns = cluster.namespace("events").await;
    let (webhooks, events) = (ns.api::<Webhook>().await, ns.api::<Event>().await);
    let from = json!({ "url": null, "urlFrom": { "secretKeyRef": { "name": "target", "key": "url" } } });
    let reasons = async || -> Vec<_> {
        let of = ListParams::default().fields("regarding.name=orders");
        let mut found = events.list(&of).await.unwrap().items;
        found.sort_by_key(|event| event.event_time.clone().map(|time| time.0));
        found.iter().map(|it| (it.type_.clone().unwrap(), it.reason.clone().unwrap())).collect()
    };
    let expected =
        [("Warning", "SecretNotFound"), ("Normal", "Active")].map(|(a, b)| (a.to_owned(), b.to_owned()));

    let controller = Controller::start(cluster, &[&ns]).await;
    ns.apply(&manifest("orders", &from)).await;
    says(&webhooks, "orders", "Ready", "False", "SecretNotFound").await;
    ns.apply(&secret("target", &json!({ "url": "https://a.example" }))).await;
    says(&webhooks, "orders", "Ready", "True", "Active").await;
    eventually("two events", async || {
        let seen = reasons().await;
        if seen == expected { Ok(()) } else { Err(seen) }
    })
    .await;
    controller.stop().await;

    let before = webhooks.get("orders").await.unwrap().resource_version();
    let controller = Controller::start(cluster, &[&ns]).await;
    controller.ready().await;
    controller.stop().await;
    assert_eq!(webhooks.get("orders").await.unwrap().resource_version(), before);
    assert_eq!(reasons().await, expected);
}

#[tokio::test]
async fn only_the_listed_namespaces_are_looked_after() {
    let cluster = cluster().await;
    let (one, two) = (cluster.namespace("listed").await, cluster.namespace("listed").await);
    let other = cluster.namespace("unlisted").await;
    for ns in [&one, &two, &other] {
        ns.apply(&manifest("orders", &json!({}))).await;
    }
    let controller = Controller::start(cluster, &[&one, &two]).await;
    controller.ready().await;
    for ns in [&one, &two] {
        says(&ns.api().await, "orders", "Ready", "True", "Active").await;
    }
    let known: BTreeSet<_> = controller.engine.webhooks().iter().map(|it| it.namespace.to_string()).collect();
    assert_eq!(known, [&one, &two].map(|ns| ns.name().to_owned()).into());
    let untouched = other.api::<Webhook>().await.get("orders").await.unwrap().status.unwrap();
    assert_eq!((untouched.observed_generation, untouched.conditions), (Some(-1), None));
    controller.stop().await;
}
