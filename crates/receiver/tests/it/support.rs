//! Requests as Hookwright sends them, and handlers that tell what they were given.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router as App;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hookwright_receiver::{BoxError, Drain, Event, Memory, Receiver, Router, SecretString, Verifier};
use hookwright_signature::{pcf, standard};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub fn secret() -> SecretString {
    SECRET.into()
}

pub fn verifier() -> Verifier {
    Verifier::new([secret()])
}

/// Signatures are made now: those who verify ask the clock, too.
#[allow(clippy::disallowed_methods)]
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

pub fn event(id: &str, event_type: &str) -> Value {
    json!({
        "id": id, "type": event_type, "created_at": "2024-01-15T10:30:00Z",
        "data": { "object": { "id": "res_1", "type": "resource", "attributes": {} } },
        "webhook": { "id": "webhook_1", "attempt": 1, "version": "1.0" },
    })
}

/// A request signed by the PCF scheme.
pub fn signed(secret: &SecretString, timestamp: i64, body: &str) -> Request<Body> {
    Request::post("/webhooks/pcf")
        .header(header::CONTENT_TYPE, "application/json")
        .header("X-PCF-Timestamp", timestamp)
        .header("X-PCF-Signature", pcf::sign(secret, timestamp, body.as_bytes()))
        .body(Body::from(body.to_owned()))
        .unwrap()
}

/// A request signed by Standard Webhooks, with several secrets.
pub fn signed_standard(secrets: &[&SecretString], id: &str, body: &str) -> Request<Body> {
    let timestamp = now();
    Request::post("/webhooks/pcf")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", standard::sign(secrets, id, timestamp, body.as_bytes()).unwrap())
        .body(Body::from(body.to_owned()))
        .unwrap()
}

pub fn genuine(body: &Value) -> Request<Body> {
    signed(&secret(), now(), &body.to_string())
}

/// What handlers have been given, in order.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// A router that notes the ids of all events.
    pub fn router(&self) -> Router {
        let seen = self.clone();
        Router::new().on("*", move |event: Arc<Event>| {
            seen.add(event.id.clone());
            async { Ok::<_, BoxError>(()) }
        })
    }
}

pub fn app<M: Memory>(receiver: Receiver<M>) -> (App, Drain<M>) {
    let (route, work) = receiver.serve(verifier());
    (App::new().route("/webhooks/pcf", route), work)
}

pub async fn answer(app: &App, request: Request<Body>) -> (StatusCode, Value) {
    let answer = app.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

pub async fn status(app: &App, request: Request<Body>) -> u16 {
    answer(app, request).await.0.as_u16()
}
