//! What a receiver of webhooks does: verify, take each event once, answer at once, work later.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hookwright_signature::{Rejection, SecretString, Window, pcf};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Larger than any event or batch that Hookwright sends.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// What a request brings: an event, or, where the webhook asks for batches, several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Body {
    Batch { events: Vec<Event> },
    One(Event),
}

/// An event as it arrives. `data` and `metadata` are there too: take from them what you need.
#[derive(Debug, Deserialize)]
pub struct Event {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub webhook: Webhook,
}

/// Which webhook sent it, and at which try.
#[derive(Debug, Deserialize)]
pub struct Webhook {
    pub id: String,
    pub attempt: u32,
}

/// Takes events and queues them for whoever does the work.
#[derive(Debug)]
pub struct Receiver {
    secret: SecretString,
    /// Answer 503 to so many attempts of every event, to see how they are retried.
    fail_first: u32,
    queue: mpsc::Sender<Event>,
    /// The events taken so far. Yours belong into your database, beside what they changed.
    taken: Mutex<HashSet<String>>,
}

impl Receiver {
    pub fn new(secret: SecretString, fail_first: u32, queue: mpsc::Sender<Event>) -> Self {
        Self { secret, fail_first, queue, taken: Mutex::default() }
    }

    pub fn router(self) -> Router {
        Router::new()
            .route("/webhooks/pcf", post(receive))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(Arc::new(self))
    }

    /// Only who knows the secret can sign, and only for the time of the timestamp.
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Rejection> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let signed = pcf::Headers {
            timestamp: header("x-pcf-timestamp").unwrap_or_default(),
            signature: header("x-pcf-signature").unwrap_or_default(),
            previous: header("x-pcf-signature-previous"),
        };
        pcf::verify(std::slice::from_ref(&self.secret), signed, body, Window::at(now()))
    }

    /// Whether this event is new. A delivery whose answer got lost on the way comes again.
    fn is_new(&self, event: &Event) -> bool {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(event.id.clone())
    }

    fn forget(&self, event: &str) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(event);
    }
}

async fn receive(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    // First the signature, over the bytes as they came: until then the body is a stranger's.
    if let Err(rejection) = receiver.verify(&headers, &body) {
        return (StatusCode::UNAUTHORIZED, rejection.to_string());
    }
    let events = match serde_json::from_slice(&body) {
        Ok(Body::Batch { events }) => events,
        Ok(Body::One(event)) => vec![event],
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()),
    };
    if events.iter().any(|event| event.webhook.attempt <= receiver.fail_first) {
        return (StatusCode::SERVICE_UNAVAILABLE, "not feeling well, try again".to_owned());
    }
    // The work itself is done behind the queue: Hookwright waits 30 seconds at most for an answer. What
    // is known already has been queued before.
    for event in events.into_iter().filter(|event| receiver.is_new(event)) {
        let queued = receiver.queue.try_send(event);
        if let Err(TrySendError::Full(event) | TrySendError::Closed(event)) = queued {
            receiver.forget(&event.id);
            return (StatusCode::SERVICE_UNAVAILABLE, "the queue is full".to_owned());
        }
    }
    (StatusCode::OK, "received".to_owned())
}

#[allow(clippy::disallowed_methods)] // A receiver stands alone: it has no clock but the system's.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
