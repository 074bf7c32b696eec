//! `/v1/webhooks/{id}/test`: one attempt, now, and what came of it.
//!
//! It is a delivery like any other, on the way that all take, and in the log afterwards; but one
//! that fails has failed, rather than being tried again or handed to another webhook.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use hookwright_engine::attempt::{Outcome, Verdict};
use hookwright_engine::endpoint::{Endpoint, Target};
use hookwright_engine::event::Draft;
use hookwright_engine::id::DeliveryId;
use hookwright_engine::pattern::EventType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::timeout;
use uuid::Uuid;

use crate::api::error::{Kind, Problem};
use crate::api::query::Call;
use crate::api::{Api, REQUEST_TIMEOUT, body, trace};
use crate::delivery::{Attempted, Change, What};
use crate::metrics::By;

/// How long a test may wait for its turn, beside what the attempt itself may take.
const QUEUE: Duration = Duration::from_secs(10);

/// What to send.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Ping {
    #[serde(default = "ping")]
    event_type: String,
    #[serde(default)]
    #[schemars(with = "Option<Map<String, Value>>")]
    data: Option<Box<RawValue>>,
}

fn ping() -> String {
    "test.ping".to_owned()
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TestResult")]
pub(in crate::api) struct Tried {
    delivered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_code: Option<u16>,
    response_time_ms: u64,
    /// The head of what the receiver answered; what is not UTF-8 in it is replaced.
    response_body: String,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    delivery_id: String,
}

/// `POST /v1/webhooks/{id}/test`
pub(in crate::api) async fn send(
    State(api): State<Api>,
    Path(id): Path<String>,
    Call { namespace, .. }: Call,
    request: Request,
) -> Result<Json<Tried>, Problem> {
    let webhook = api.webhook(&namespace, &id)?;
    let trace = trace::of(request.headers());
    let body = timeout(REQUEST_TIMEOUT, body::read(request, api.max_event_bytes)).await;
    let body = body.map_err(|_| Problem::new(Kind::Timeout, "the body did not arrive in time"))??;
    let draft = draft(&body)?.within(trace);
    api.ready()?;
    let Target::Receiver(receiver) = &webhook.target else {
        let detail = "nothing is sent to this webhook now: it is suspended, not valid, or lacks a Secret";
        return Err(Problem::new(Kind::Conflict, detail));
    };
    if let Some(held) = api.store.summary(webhook.id).await?.held(webhook.generation) {
        return Err(Problem::new(Kind::Conflict, held.to_string()));
    }
    let patience = receiver.timeouts.request + QUEUE;
    let mut changes = api.delivery.changes();
    let delivery = start(&api, &webhook, draft).await?;
    api.metrics.test_sent(By::Api);
    let attempted = timeout(patience, ended(&mut changes, delivery)).await.ok().flatten();
    if let Some(tried) = attempted.as_deref().and_then(|attempted| tried(delivery, attempted)) {
        return Ok(Json(tried));
    }
    api.store.cancel(delivery).await?;
    let gave_up = format!("no attempt of {delivery} could be made in time, and none will be");
    Err(Problem::unavailable(gave_up))
}

fn draft(body: &[u8]) -> Result<Draft, Problem> {
    let Ping { event_type, data } = body::object(body)?;
    if event_type.parse::<EventType>().is_err() {
        return Err(Problem::field("/event_type", "must be an event type such as test.ping"));
    }
    // A type needs no escapes, and data goes as it came.
    let data = data.as_deref().map_or("{}", RawValue::get);
    Ok(Draft::parse(format!(r#"{{"type":"{event_type}","data":{data}}}"#).as_bytes())?)
}

async fn start(api: &Api, webhook: &Endpoint, draft: Draft) -> Result<DeliveryId, Problem> {
    let origin = Uuid::from_u128(fastrand::u128(..));
    let receipt = api.delivery.test(&webhook.namespace, webhook.id, draft, origin).await?;
    let made = receipt.deliveries.first().copied();
    made.ok_or_else(|| Problem::new(Kind::Internal, "an event was accepted without its delivery"))
}

/// The first attempt of a delivery.
async fn ended(changes: &mut Receiver<Change>, delivery: DeliveryId) -> Option<Arc<Attempted>> {
    loop {
        match changes.recv().await {
            Ok(Change { delivery: of, what: What::Attempted(attempted), .. }) if of == delivery => {
                return Some(attempted);
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

/// `None`: it was not the receiver's fault, and not charged.
fn tried(delivery: DeliveryId, attempted: &Attempted) -> Option<Tried> {
    let attempt = attempted.record.attempt.as_ref()?;
    let outcome = &attempt.outcome;
    Some(Tried {
        delivered: outcome.verdict() == Verdict::Success,
        response_code: outcome.status(),
        response_time_ms: u64::try_from(attempt.elapsed.as_millis()).unwrap_or(u64::MAX),
        response_body: String::from_utf8_lossy(&attempt.response).into_owned(),
        error: match outcome {
            Outcome::Responded { .. } => None,
            Outcome::Failed(_) | Outcome::Fault(_) => Some(outcome.to_string()),
        },
        delivery_id: delivery.to_string(),
    })
}
