//! `WebhookDelivery`: one event on its way to one webhook.

// Columns share their types.
#![allow(clippy::duplicated_attributes)]

use hookwright_engine::id::EventId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::annotation::MAX_REQUEST;
use super::webhook::MAX_TTL_SECONDS;
use super::{rule, schema};

/// Attempts that a delivery's status lists, the latest ones.
pub const MAX_ATTEMPTS_SHOWN: usize = 5;
/// How much of a response a status shows, in bytes.
pub const MAX_RESPONSE_EXCERPT: usize = 256;

/// One event for one webhook.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "hookwright.dev",
    version = "v1alpha1",
    kind = "WebhookDelivery",
    plural = "webhookdeliveries",
    namespaced,
    shortname = "whd",
    category = "hookwright",
    status = "WebhookDeliveryStatus",
    derive = "PartialEq",
    doc = "A WebhookDelivery is one event on its way to one Webhook. The operator writes one for the deliveries that a webhook's `history` shows; create one to send an event by hand.",
    selectable = ".spec.webhookRef.name",
    selectable = ".spec.event.type",
    selectable = ".status.outcome",
    selectable = ".status.eventID",
    printcolumn(
        name = "Webhook",
        type_ = "string",
        json_path = ".spec.webhookRef.name",
        description = "Where the event goes"
    ),
    printcolumn(
        name = "Event",
        type_ = "string",
        json_path = ".spec.event.type",
        description = "The type of the event"
    ),
    printcolumn(
        name = "Outcome",
        type_ = "string",
        json_path = ".status.outcome",
        description = "Where the delivery stands"
    ),
    printcolumn(
        name = "Code",
        type_ = "integer",
        json_path = ".status.lastAttempt.responseCode",
        description = "The last answer of the receiver"
    ),
    printcolumn(
        name = "Attempts",
        type_ = "integer",
        json_path = ".status.attempts",
        description = "Requests made so far"
    ),
    printcolumn(
        name = "Next",
        type_ = "string",
        json_path = ".status.nextAttemptTime",
        description = "The time of the next attempt"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rule::exactly_one("event", "replayOf"),
    validation = rule::never_added("event"), validation = rule::never_added("replayOf")
)]
pub struct WebhookDeliverySpec {
    /// The webhook, in the same namespace. Cannot be changed.
    #[x_kube(validation = rule::immutable())]
    pub webhook_ref: WebhookRef,

    /// The event. Cannot be changed. Exactly one of `event` and `replayOf` is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rule::immutable())]
    pub event: Option<EventSpec>,

    /// Sends the event of another delivery once more. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rule::immutable())]
    pub replay_of: Option<DeliveryRef>,

    /// Sends the event even where the webhook does not subscribe to it. Cannot be changed.
    #[serde(default)]
    #[x_kube(validation = rule::immutable())]
    pub ignore_filters: bool,

    /// Ends the delivery if it has not ended yet.
    #[serde(default)]
    pub canceled: bool,

    /// Seconds after its end when this object is removed, unless Argo CD, Flux, Helm or the like keeps it: they would make
    /// it anew, and it would be sent again. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = MAX_TTL_SECONDS))]
    pub ttl_seconds_after_finished: Option<u32>,
}

/// A webhook in the same namespace.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct WebhookRef {
    /// Its name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}

/// A `WebhookDelivery` in the same namespace.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryRef {
    /// Its name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}

/// An event.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EventSpec {
    /// Its id: the same event is sent to a webhook once, as long as the log keeps the delivery. Default: generated, and the
    /// same again where Argo CD, Flux, Helm or the like makes the object anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = EventId::MAX_LEN))]
    #[x_kube(validation = rule::event_id())]
    pub id: Option<String>,
    /// Its type, such as resource.created.
    #[serde(rename = "type")]
    #[schemars(schema_with = "schema::event_type")]
    pub event_type: String,
    /// When it happened. Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub time: Option<Time>,
    /// What happened: any JSON object. Default: empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::json_object")]
    pub data: Option<Map<String, Value>>,
    /// How it came about: any JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::json_object")]
    pub metadata: Option<Map<String, Value>>,
}

/// What the operator knows of a delivery.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDeliveryStatus {
    /// The generation of the spec that this status speaks of; -1 before the first look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The id of the delivery in requests, the API and logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub id: Option<String>,
    /// The id of the event.
    #[serde(rename = "eventID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = EventId::MAX_LEN))]
    pub event_id: Option<String>,
    /// Where the delivery stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Requests made so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub attempts: Option<u32>,
    /// Requests after which the delivery is given up, those before a retry by hand included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_attempts: Option<u32>,
    /// The earliest time of the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub next_attempt_time: Option<Time>,
    /// When the event was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub start_time: Option<Time>,
    /// When the receiver took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub delivered_time: Option<Time>,
    /// The latest attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_attempt: Option<AttemptStatus>,
    /// The latest attempts, oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_ATTEMPTS_SHOWN))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub history: Option<Vec<AttemptStatus>>,
    /// The delivery that failed, where this one is its dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub dead_letter_of: Option<String>,
    /// The value of the annotation hookwright.dev/retry-requested-at that was handled last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_REQUEST))]
    pub retry_requested_at: Option<String>,
    /// `Succeeded`, `Ready`; `Reconciling` or `Stalled` only while true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
}

/// Where a delivery stands.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Not yet attempted.
    Pending,
    /// A request is under way.
    Sending,
    /// Attempted, and to be attempted again.
    Retrying,
    /// The receiver took it.
    Delivered,
    /// The attempts are used up.
    Failed,
    /// Handed to the webhook's dead-letter webhook.
    DeadLettered,
    /// Ended by the user, or with the webhook.
    Canceled,
}

/// One request.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AttemptStatus {
    /// When it was begun.
    #[schemars(schema_with = "schema::time")]
    pub time: Time,
    /// The status code of the answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 999))]
    pub response_code: Option<u16>,
    /// How long it took, in milliseconds.
    #[schemars(schema_with = "schema::count")]
    pub response_milliseconds: u64,
    /// What came of it, in one word.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Why it failed, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub error: Option<String>,
    /// The begin of the answer's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_RESPONSE_EXCERPT))]
    pub response_excerpt: Option<String>,
}
