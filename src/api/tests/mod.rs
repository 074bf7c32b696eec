//! The API on a real store and driver, with receivers that answer as they are told.

mod callers;
mod deliveries;
mod events;
mod problems;
mod server;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use hookwright_engine::attempt::{Attempt, Outcome};
use hookwright_engine::endpoint::{Endpoint, Receiver, ReceiverUrl, Target};
use hookwright_engine::id::WebhookId;
use hookwright_engine::ordering;
use hookwright_engine::retry;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

use super::Api;
use super::auth::Gate;
use crate::clock::{self, Clock};
use crate::delivery::{self, Driver, What};
use crate::metrics::Metrics;
use crate::standalone::shelf;
use crate::store::{self, Retention};
use crate::telemetry::traces::Traces;
use crate::transport::{self, Transport};

const WEBHOOK: WebhookId = WebhookId::from_uid(Uuid::from_u128(1));
/// Only ever waited for by a test that fails.
const DEADLINE: Duration = Duration::from_mins(1);
const EVENT: &str = r#"{"id":"evt_1","type":"resource.created","data":{"n":1}}"#;

/// Receivers that all answer with this status.
struct Answer(AtomicU16);

impl Transport for Answer {
    async fn send(&self, _: transport::Request) -> Attempt {
        Attempt {
            started: clock::wall(),
            elapsed: Duration::from_millis(7),
            outcome: Outcome::Responded { status: self.0.load(Ordering::Relaxed), retry_after: None },
            response: b"as told".to_vec(),
        }
    }
}

/// An answer of the API.
struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

/// The API and what is behind it.
struct Bench {
    api: Api,
    receivers: Arc<Answer>,
    _folder: TempDir,
}

impl Bench {
    /// With one webhook of the namespace `default`, tried once, whose receiver answers 200.
    fn new() -> Self {
        let bench = Self::unsynced();
        bench.api.delivery.upsert(endpoint());
        bench.api.delivery.synced(HashSet::from([WEBHOOK]));
        bench
    }

    /// That does not know its webhooks yet.
    fn unsynced() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let (store, notices, _) = store::open(store::Options {
            path: folder.path().join("hookwright.db"),
            retention: Retention { age: Duration::from_hours(24), max_bytes: 1 << 30 },
            clock: clock.clone(),
        })
        .unwrap();
        let receivers = Arc::new(Answer(AtomicU16::new(200)));
        let metrics = Arc::new(Metrics::new());
        let (delivery, driver) = Driver::new(
            delivery::Options::default(),
            store.clone(),
            notices,
            Arc::clone(&receivers),
            clock,
            Arc::clone(&metrics),
            Traces::default(),
        );
        let stopping = CancellationToken::new();
        tokio::spawn(driver.run(stopping.clone()));
        Self {
            api: Api {
                delivery,
                store,
                gate: Gate::Local,
                catalog: Arc::new(shelf().1),
                metrics,
                max_event_bytes: 1024,
                stopping,
            },
            receivers,
            _folder: folder,
        }
    }

    fn router(&self) -> Router {
        self.api.clone().router()
    }

    async fn get(&self, path: &str) -> Answered {
        ask(self.router(), Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Answered {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        ask(self.router(), request.body(body.into()).unwrap()).await
    }

    /// Publishes an event under this id and waits until its delivery was attempted. Answers the
    /// delivery's id.
    async fn attempted(&self, id: &str) -> String {
        let mut changes = self.api.delivery.changes();
        let answer = self.post("/v1/events", EVENT.replace("evt_1", id)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        while !matches!(changes.recv().await.unwrap().what, What::Attempted(_)) {}
        let delivery = answer.body["deliveries"][0].as_str().unwrap().to_owned();
        // The outcome is on its way to the store.
        self.shows(&delivery, |shown| shown["history"].as_array().is_some_and(|it| !it.is_empty())).await;
        delivery
    }

    /// Waits until a delivery is shown like this.
    async fn shows(&self, delivery: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/v1/webhooks/deliveries/{delivery}");
        let waiting = async {
            loop {
                let shown = self.get(&path).await.body;
                if holds(&shown) {
                    return shown;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, waiting).await.expect("the delivery in the state that was waited for")
    }
}

async fn ask(router: Router, request: Request<Body>) -> Answered {
    let response = router.oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
    Answered { status, headers, body }
}

fn endpoint() -> Endpoint {
    let receiver = Receiver::new(ReceiverUrl::parse("https://receiver.example/").unwrap(), "secret".into());
    Endpoint {
        id: WEBHOOK,
        namespace: "default".into(),
        name: "orders".into(),
        generation: 1,
        events: vec!["resource.*".parse().unwrap()],
        filter: None,
        retry: retry::Policy::never(),
        batch: None,
        max_in_flight: 50,
        ordering: ordering::Policy::None,
        rate_limit: None,
        breaker: None,
        dead_letter: None,
        target: Target::Receiver(Arc::new(receiver)),
    }
}
