//! `/v1/events`: publishing, one by one or in batches.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use futures::future;
use hookwright_engine::event::Draft;
use hookwright_engine::id::EventId;
use hookwright_engine::trace::Trace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::auth::Object;
use super::error::{Kind, Problem};
use super::query::{Call, Namespace};
use super::{Api, body, trace};
use crate::store::Receipt;

/// Most events of a batch.
pub(super) const MAX_BATCH: usize = 1000;
/// Largest body of a batch, in bytes: room for any one event, and for 1,000 of 16 KiB.
pub(super) const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// An accepted event, durable with its deliveries.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Accepted {
    #[schemars(with = "String")]
    id: EventId,
    /// The ids of its deliveries: one for each webhook that gets it.
    deliveries: Vec<String>,
    /// Only there, and true, when the same event had been accepted before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

impl From<Receipt> for Accepted {
    fn from(Receipt { event_id, deliveries, duplicate }: Receipt) -> Self {
        let deliveries = deliveries.iter().map(ToString::to_string).collect();
        Self { id: event_id, deliveries, duplicate }
    }
}

/// `POST /v1/events`
pub(super) async fn publish(
    State(api): State<Api>,
    Call { namespace, .. }: Call,
    request: Request,
) -> Result<(StatusCode, Extension<Object>, Json<Accepted>), Problem> {
    let trace = trace::of(request.headers());
    let accepted = match body::read(request, api.max_event_bytes).await {
        Ok(event) => accept(&api, &namespace, &event, trace).await,
        Err(problem) => Err(problem),
    };
    count(&api, &accepted);
    let accepted = accepted?;
    let made = Object(accepted.id.to_string());
    Ok((StatusCode::ACCEPTED, Extension(made), Json(accepted)))
}

/// The body of a batch. Each event is judged by itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// What became of the events of a batch, in their order: each accepted or a problem.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Results {
    #[schemars(with = "Vec<Judged>")]
    results: Vec<serde_json::Value>,
}

/// What became of one event of a batch.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code)] // It is a schema only.
pub(super) enum Judged {
    Accepted(Accepted),
    Problem(Problem),
}

/// `POST /v1/events/batch`
///
/// 202 when every event was judged: accepted, or refused for good. When one was not, for want of a
/// disk for example, 503 with the same results: the producer repeats the batch, and the events
/// accepted already are recognised by their ids.
pub(super) async fn publish_batch(
    State(api): State<Api>,
    Call { namespace, .. }: Call,
    request: Request,
) -> Result<(StatusCode, Json<Results>), Problem> {
    let trace = trace::of(request.headers());
    let body = body::read(request, MAX_BATCH_BYTES).await?;
    let Batch { events } = body::object(&body)?;
    if !(1..=MAX_BATCH).contains(&events.len()) {
        let detail = format!("must hold 1 to {MAX_BATCH} events, not {}", events.len());
        return Err(Problem::field("/events", detail));
    }
    // All at once: they become durable together, with few writes to the disk.
    let accepting = events.iter().map(|event| accept(&api, &namespace, event.get().as_bytes(), trace));
    let accepted = future::join_all(accepting).await;
    let mut results = Vec::with_capacity(accepted.len());
    let mut unjudged = 0;
    for accepted in accepted {
        count(&api, &accepted);
        results.push(match accepted {
            Ok(accepted) => serde_json::to_value(accepted)?,
            Err(problem) => {
                unjudged += usize::from(problem.kind() == Kind::Unavailable);
                serde_json::to_value(problem)?
            }
        });
    }
    if unjudged > 0 {
        let detail = format!("{unjudged} of {} events could not be made durable", results.len());
        return Err(Problem::unavailable(detail).with_results(results));
    }
    Ok((StatusCode::ACCEPTED, Json(Results { results })))
}

/// Checks one event and makes it durable.
async fn accept(
    api: &Api,
    namespace: &Namespace,
    event: &[u8],
    trace: Option<Trace>,
) -> Result<Accepted, Problem> {
    if event.len() > api.max_event_bytes {
        let detail = format!("an event may have at most {} bytes, not {}", api.max_event_bytes, event.len());
        return Err(Problem::new(Kind::TooLarge, detail));
    }
    let draft = Draft::parse(event)?.within(trace);
    api.ready()?;
    Ok(api.delivery.publish(namespace.as_str(), draft).await?.into())
}

fn count(api: &Api, accepted: &Result<Accepted, Problem>) {
    match accepted {
        Ok(accepted) if accepted.duplicate => api.metrics.event_repeated(),
        Ok(accepted) => api.metrics.event_accepted(accepted.deliveries.len()),
        Err(problem) => api.metrics.event_refused(problem.refusal()),
    }
}
