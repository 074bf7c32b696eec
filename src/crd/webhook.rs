//! `Webhook`: a subscription. Where to send which events, and how.

// Columns share their types.
#![allow(clippy::duplicated_attributes)]

use hookwright_engine::endpoint::ReceiverUrl;
use hookwright_engine::retry::{MAX_DELAY, Policy};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::annotation::MAX_REQUEST;
use super::{rule, schema};

mod dead_letter;
mod filters;
mod oauth2;
mod pace;
mod request;
mod tls;

pub use dead_letter::DeadLetter;
pub use filters::{FilterExpression, Filters, MAX_EXPRESSION_NAME};
pub use oauth2::{ClientAuthentication, OAuth2, Parameter};
pub use pace::{Batch, CircuitBreaker, Concurrency, Ordering, RateLimit};
pub use request::{Authorization, Basic, Bearer, ContentType, Header, MAX_USERNAME, Request};
pub use tls::{CaRef, CertificateRef, Tls};

/// Longest name of a webhook: room for the names of what it owns, and fit for a label.
pub const MAX_NAME: usize = 63;
/// Most patterns of events that a webhook may list.
pub const MAX_EVENTS: usize = 64;
/// Longest description, in characters.
pub const MAX_DESCRIPTION: usize = 1024;
/// Longest time that one attempt may take.
pub const MAX_TIMEOUT_SECONDS: u32 = 300;
/// How long the previous signing key signs beside the new one, unless the webhook says otherwise.
pub const DEFAULT_OVERLAP_SECONDS: u32 = 24 * 60 * 60;
/// Longest overlap of two signing keys.
pub const MAX_OVERLAP_SECONDS: u32 = 7 * 24 * 60 * 60;
/// Most deliveries of one kind that a webhook keeps as objects.
pub const MAX_HISTORY: u32 = 1000;
/// Longest life of the object of a finished delivery.
pub const MAX_TTL_SECONDS: u32 = 365 * 24 * 60 * 60;

/// Where to send which events, and how.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "hookwright.dev",
    version = "v1alpha1",
    kind = "Webhook",
    namespaced,
    shortname = "whk",
    category = "hookwright",
    status = "WebhookStatus",
    derive = "PartialEq",
    doc = "A Webhook sends the events of its namespace that match `spec.events` to one URL: signed, and retried until they arrive or the attempts are used up.",
    validation = rule::webhook_name(),
    validation = rule::dead_letter_elsewhere(),
    selectable = ".spec.suspend",
    selectable = ".status.urlHost",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the webhook is in force"
    ),
    printcolumn(
        name = "Healthy",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="EndpointHealthy")].status"#,
        description = "Whether the receiver takes deliveries"
    ),
    printcolumn(
        name = "Host",
        type_ = "string",
        json_path = ".status.urlHost",
        description = "Where deliveries go"
    ),
    printcolumn(
        name = "Suspended",
        type_ = "boolean",
        json_path = ".spec.suspend",
        description = "Whether events wait"
    ),
    printcolumn(
        name = "Pending",
        type_ = "integer",
        json_path = ".status.counts.pending",
        description = "Deliveries not yet attempted"
    ),
    printcolumn(
        name = "Failed",
        type_ = "integer",
        json_path = ".status.counts.failed",
        description = "Deliveries given up"
    ),
    printcolumn(
        name = "Last",
        type_ = "date",
        json_path = ".status.lastDelivery.deliveredTime",
        description = "Time since the last delivery, if it arrived"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Events",
        type_ = "string",
        json_path = ".spec.events",
        description = "The events subscribed to",
        priority = 1
    ),
    printcolumn(
        name = "Code",
        type_ = "integer",
        json_path = ".status.lastDelivery.responseCode",
        description = "The last answer of the receiver",
        priority = 1
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why the webhook is or is not ready",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rule::exactly_one("url", "urlFrom"), validation = rule::tls_needs_https("url", "tls"))]
#[x_kube(validation = rule::strict_is_one_at_a_time())]
pub struct WebhookSpec {
    /// The URL that events are posted to: http or https, without credentials and fragment.
    /// Exactly one of `url` and `urlFrom` is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = ReceiverUrl::MAX_LEN))]
    #[x_kube(
        validation = rule::url_syntax(), validation = rule::url_credentials("request.headers with a Secret"), validation = rule::url_fragment()
    )]
    pub url: Option<String>,

    /// Takes the URL from a Secret, for URLs that are secrets themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_from: Option<ValueSource>,

    /// The events to send: types (`resource.created`), prefixes (`resource.*`), or all (`*`).
    #[schemars(schema_with = "schema::events")]
    pub events: Vec<String>,

    /// Which of these events are sent. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Filters>,

    /// While true, events are queued and nothing is sent.
    #[serde(default)]
    pub suspend: bool,

    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_DESCRIPTION))]
    pub description: Option<String>,

    /// What the request looks like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,

    /// How requests are signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing: Option<Signing>,

    /// How TLS sessions with the receiver differ from the usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,

    /// When a failed attempt is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,

    /// How long an attempt may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,

    /// How events are sent together. Default: each by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,

    /// How many requests may be under way at a time, in which order deliveries go, and which
    /// connections are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,

    /// How many requests the receiver gets in a time. Default: as many as there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,

    /// When a receiver that fails nearly always is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreaker>,

    /// Where deliveries go that failed. Default: nowhere; they stay in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetter>,

    /// Which deliveries are shown as `WebhookDelivery` objects. The log in the operator keeps all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

/// A value that is kept elsewhere.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ValueSource {
    /// A key of a Secret in the same namespace.
    pub secret_key_ref: SecretKeyRef,
}

/// A key of a Secret in the same namespace.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The name of the Secret.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// The key in it.
    #[schemars(schema_with = "schema::secret_key")]
    pub key: String,
}

/// How requests are signed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Signing {
    /// The schemes that requests are signed by, each with its own headers. `StandardWebhooks` needs a
    /// signing key of the form `whsec_<base64>`. Default: PCF.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub schemes: Option<Vec<Scheme>>,
    /// The Secret with the signing key. Default: a Secret `<name of the webhook>-signing`, which is
    /// generated where it does not exist, and never rewritten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SigningSecretRef>,
    /// What happens when the key changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// How a signature is made and where it is found.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `X-PCF-Signature` and `X-PCF-Timestamp`.
    #[serde(rename = "PCF")]
    Pcf,
    /// `webhook-id`, `webhook-timestamp` and `webhook-signature`, as Standard Webhooks has them.
    StandardWebhooks,
}

/// The key of a Secret that holds a signing key.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SigningSecretRef {
    /// The name of the Secret, in the namespace of the webhook.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// The key in it. Default: secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::secret_key")]
    pub key: Option<String>,
}

/// What happens when the signing key changes.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// How long the previous key signs beside the new one, in seconds. Default: 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = MAX_OVERLAP_SECONDS))]
    pub overlap_seconds: Option<u32>,
}

/// When a failed attempt is repeated.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// Whether there is more than one attempt. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Attempts in all, the first included. Default: 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = Policy::MAX_ATTEMPTS))]
    pub max_attempts: Option<u32>,
    /// Delays before the second attempt, the third and so on, in seconds.
    /// Default: 60, 300, 900, 3600, 7200.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = Policy::MAX_INTERVALS), inner(range(min = 1, max = MAX_DELAY.as_secs())))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub intervals_seconds: Option<Vec<u32>>,
    /// Past the listed delays, each is this many percent of the one before. Default: 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 1000))]
    pub backoff_rate_percent: Option<u32>,
    /// No delay is longer, in seconds. Default: 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_DELAY.as_secs()))]
    pub max_interval_seconds: Option<u32>,
}

/// How long an attempt may take.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rule::connect_within_request())]
pub struct Timeouts {
    /// From the begin of an attempt to the end of the answer, in seconds. Default: 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_TIMEOUT_SECONDS))]
    pub request_seconds: Option<u32>,
    /// Of that, until there is a connection, in seconds. Default: 5, or `requestSeconds` where
    /// that is less.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_TIMEOUT_SECONDS))]
    pub connect_seconds: Option<u32>,
}

/// Which deliveries are shown as `WebhookDelivery` objects.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// Which deliveries are shown. Default: All.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// How many delivered ones are kept. Default: 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = MAX_HISTORY))]
    pub successful_limit: Option<u32>,
    /// How many failed ones are kept. Default: 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = MAX_HISTORY))]
    pub failed_limit: Option<u32>,
    /// Seconds after its end when the object of a delivery is removed, within the limits above.
    /// Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = MAX_TTL_SECONDS))]
    pub ttl_seconds_after_finished: Option<u32>,
}

/// Which deliveries are shown.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Record {
    /// Every delivery.
    #[default]
    All,
    /// Those that failed at least once.
    Failures,
    /// None.
    None,
}

/// What the operator knows of a webhook.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct WebhookStatus {
    /// The generation of the spec that this status speaks of; -1 before the first look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The id of the webhook in requests, the API and logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub id: Option<String>,
    /// Host and port that deliveries go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = ReceiverUrl::MAX_LEN))]
    pub url_host: Option<String>,
    /// The signing key in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing: Option<SigningStatus>,
    /// The delivery attempted last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delivery: Option<LastDelivery>,
    /// The attempt that failed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<LastFailure>,
    /// Deliveries by where they stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// The earliest next attempt of the deliveries that are retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub next_retry_time: Option<Time>,
    /// The value of the annotation hookwright.dev/redrive-requested-at that was handled last: every
    /// failed delivery was retried.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_REQUEST))]
    pub redrive_requested_at: Option<String>,
    /// The value of the annotation hookwright.dev/test-requested-at that was handled last: a
    /// test.ping was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_REQUEST))]
    pub test_requested_at: Option<String>,
    /// `Ready`, `Accepted`, `ResolvedRefs`, `EndpointHealthy`; `Reconciling` or `Stalled` only while true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
}

/// The signing key in use.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SigningStatus {
    /// The Secret that holds it.
    #[schemars(length(max = 253))]
    pub secret_name: String,
    /// Changes with the key, and says nothing about it.
    #[serde(rename = "keyID")]
    #[schemars(length(max = 64))]
    pub key_id: String,
}

/// The delivery attempted last.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LastDelivery {
    /// Its id.
    #[serde(rename = "deliveryID")]
    #[schemars(length(max = 64))]
    pub delivery_id: String,
    /// Whether the receiver took it.
    pub delivered: bool,
    /// When the receiver took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub delivered_time: Option<Time>,
    /// The status code of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 999))]
    pub response_code: Option<u16>,
    /// How long the attempt took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::count")]
    pub response_milliseconds: Option<u64>,
}

/// The attempt that failed last.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LastFailure {
    /// When the attempt was begun.
    #[schemars(schema_with = "schema::time")]
    pub time: Time,
    /// Why, in one word.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Why, for people.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// The status code of the answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 999))]
    pub response_code: Option<u16>,
}

/// Deliveries by where they stand.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Not yet attempted.
    #[schemars(schema_with = "schema::count")]
    pub pending: u64,
    /// Attempted, and to be attempted again.
    #[schemars(schema_with = "schema::count")]
    pub retrying: u64,
    /// Delivered, ever.
    #[schemars(schema_with = "schema::count")]
    pub delivered: u64,
    /// Failed and not retried since, ever.
    #[schemars(schema_with = "schema::count")]
    pub failed: u64,
}
