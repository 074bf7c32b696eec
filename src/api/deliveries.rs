//! `/v1/webhooks/…/deliveries`: what became of events, and retrying by hand.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use hookwright_engine::attempt::Attempt;
use hookwright_engine::delivery::State as Outcome;
use hookwright_engine::id::DeliveryId;
use hookwright_engine::time::Time;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Api;
use super::error::{Kind, Problem};
use super::openapi::time as time_schema;
use super::query::{Call, Limit, Namespace};
use super::time;
use crate::store::{Delivery, Query};

/// A delivery.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub(super) struct DeliveryView {
    id: String,
    webhook_id: String,
    event_id: String,
    event_type: String,
    /// Where it stands.
    #[schemars(schema_with = "outcomes")]
    outcome: &'static str,
    /// Whether the receiver took it.
    delivered: bool,
    /// How many requests were made, and charged.
    attempts: u32,
    /// The status of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_code: Option<u16>,
    /// How long the last request took.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_time_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_schema")]
    delivered_at: Option<String>,
    /// What was wrong the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_schema")]
    next_retry_at: Option<String>,
    /// The delivery that failed, where this one is its dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter_of: Option<String>,
    /// Its own dead letter, where it was handed to another webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter: Option<String>,
}

impl From<&Delivery> for DeliveryView {
    fn from(delivery: &Delivery) -> Self {
        let delivered = delivery.state == Outcome::Delivered;
        let last = delivery.last_attempt.as_ref();
        Self {
            id: delivery.id.to_string(),
            webhook_id: delivery.webhook.to_string(),
            event_id: delivery.event_id.to_string(),
            event_type: delivery.event_type.to_string(),
            outcome: outcome(delivery),
            delivered,
            attempts: delivery.attempts,
            response_code: last.and_then(|attempt| attempt.outcome.status()),
            response_time_ms: last.map(milliseconds),
            delivered_at: delivery.finished.filter(|_| delivered).map(|time| time.to_string()),
            last_error: last.filter(|_| !delivered).map(|attempt| attempt.outcome.to_string()),
            next_retry_at: match delivery.state {
                Outcome::Pending { due } if due > delivery.created && !delivery.parked => {
                    Some(due.to_string())
                }
                Outcome::Pending { .. }
                | Outcome::Delivered
                | Outcome::Failed
                | Outcome::DeadLettered
                | Outcome::Canceled => None,
            },
            dead_letter_of: delivery.dead_letter_of.map(|of| of.to_string()),
            dead_letter: delivery.dead_letter.map(|letter| letter.to_string()),
        }
    }
}

fn outcomes(_: &mut SchemaGenerator) -> Schema {
    let words = ["Pending", "Retrying", "Delivered", "Failed", "DeadLettered", "Canceled"];
    json_schema!({ "type": "string", "enum": words })
}

/// The words of a `WebhookDelivery`'s status.
const fn outcome(delivery: &Delivery) -> &'static str {
    match delivery.state {
        Outcome::Pending { .. } if delivery.attempts == 0 => "Pending",
        Outcome::Pending { .. } => "Retrying",
        Outcome::Delivered => "Delivered",
        Outcome::Failed => "Failed",
        Outcome::DeadLettered => "DeadLettered",
        Outcome::Canceled => "Canceled",
    }
}

fn milliseconds(attempt: &Attempt) -> u64 {
    u64::try_from(attempt.elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// One request of a delivery.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Attempt")]
struct AttemptView {
    /// Counted from 1.
    attempt: u32,
    #[schemars(schema_with = "time_schema")]
    started_at: String,
    /// What it ended with, in one word.
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_code: Option<u16>,
    response_time_ms: u64,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The head of what the receiver answered; what is not UTF-8 in it is replaced.
    response_body: String,
}

impl From<(u32, Attempt)> for AttemptView {
    fn from((number, attempt): (u32, Attempt)) -> Self {
        let response_code = attempt.outcome.status();
        Self {
            attempt: number,
            started_at: attempt.started.to_string(),
            reason: attempt.outcome.reason(),
            response_code,
            response_time_ms: milliseconds(&attempt),
            error: response_code.is_none().then(|| attempt.outcome.to_string()),
            response_body: String::from_utf8_lossy(&attempt.response).into_owned(),
        }
    }
}

/// A page of a webhook's deliveries, newest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Deliveries")]
pub(super) struct Page {
    deliveries: Vec<DeliveryView>,
    /// Where to go on, while there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Which deliveries to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    #[serde(default)]
    limit: Limit,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those that were, or were not, delivered.
    delivered: Option<bool>,
    /// Only those of this type of event.
    event_type: Option<String>,
    /// Only those made at this time or later.
    #[schemars(schema_with = "time_schema")]
    since: Option<String>,
    /// Only those made before this time.
    #[schemars(schema_with = "time_schema")]
    until: Option<String>,
}

impl Filter {
    fn query(&self) -> Result<Query, Problem> {
        let parsed = |text: &String| text.parse().map_err(|error| wrong("event_type", error));
        let cursor = |text: &String| text.parse().map_err(|_| wrong("cursor", "is not one that a list gave"));
        Ok(Query {
            delivered: self.delivered,
            group: None,
            event_type: self.event_type.as_ref().map(parsed).transpose()?,
            since: time("since", self.since.as_deref())?,
            until: time("until", self.until.as_deref())?,
            before: self.cursor.as_ref().map(cursor).transpose()?,
            limit: self.limit.get() as usize + 1, // One more, to know whether there is more.
        })
    }
}

fn time(name: &str, text: Option<&str>) -> Result<Option<Time>, Problem> {
    text.map(time::parse).transpose().map_err(|detail| wrong(name, detail))
}

fn wrong(parameter: &str, detail: impl std::fmt::Display) -> Problem {
    Problem::new(Kind::InvalidField, format!("query parameter {parameter}: {detail}"))
}

/// `GET /v1/webhooks/{id}/deliveries`
pub(super) async fn list(
    State(api): State<Api>,
    Path(webhook): Path<String>,
    Call { namespace, parameters }: Call<Filter>,
) -> Result<Json<Page>, Problem> {
    let query = parameters.query()?;
    let webhook = api.webhook(&namespace, &webhook)?.id;
    let wanted = query.limit - 1;
    let mut found = api.store.deliveries(webhook, query).await?;
    let more = found.len() > wanted;
    found.truncate(wanted);
    let next_cursor = found.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Json(Page { deliveries: found.iter().map(DeliveryView::from).collect(), next_cursor }))
}

/// A delivery with all its attempts, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeliveryWithAttempts")]
pub(super) struct Detailed {
    #[serde(flatten)]
    delivery: DeliveryView,
    history: Vec<AttemptView>,
}

/// `GET /v1/webhooks/deliveries/{id}`
pub(super) async fn show(
    State(api): State<Api>,
    Path(id): Path<String>,
    Call { namespace, .. }: Call,
) -> Result<Json<Detailed>, Problem> {
    let delivery = find(&api, &namespace, &id).await?;
    let attempts = api.store.attempts(delivery.id).await?;
    let history = attempts.into_iter().map(AttemptView::from).collect();
    Ok(Json(Detailed { delivery: DeliveryView::from(&delivery), history }))
}

/// `POST /v1/webhooks/deliveries/{id}/retry`
pub(super) async fn retry(
    State(api): State<Api>,
    Path(id): Path<String>,
    Call { namespace, .. }: Call,
) -> Result<(StatusCode, Json<DeliveryView>), Problem> {
    let delivery = find(&api, &namespace, &id).await?;
    let retried = api.store.retry(delivery.id).await?.ok_or_else(|| unknown(delivery.id))?;
    Ok((StatusCode::ACCEPTED, Json(DeliveryView::from(&retried))))
}

/// The delivery, if the namespace has it.
async fn find(api: &Api, namespace: &Namespace, id: &str) -> Result<Delivery, Problem> {
    let id: DeliveryId = id.parse().map_err(|error| not_found(&error))?;
    let found = api.store.delivery(id).await?;
    found.filter(|found| *found.namespace == *namespace.as_str()).ok_or_else(|| unknown(id))
}

fn unknown(id: DeliveryId) -> Problem {
    not_found(&format!("there is no delivery {id} in this namespace"))
}

fn not_found(detail: &impl ToString) -> Problem {
    Problem::new(Kind::NotFound, detail.to_string())
}
