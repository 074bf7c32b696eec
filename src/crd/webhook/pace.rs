//! How fast a webhook sends.

use hookwright_engine::batch;
use hookwright_engine::breaker::Policy;
use hookwright_engine::endpoint::{KeepAlive, MAX_MAX_IN_FLIGHT};
use hookwright_engine::rate::Limit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many requests may be under way at a time, in which order deliveries go, and which connections
/// are kept.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Concurrency {
    /// Most requests under way at a time. Default: 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_MAX_IN_FLIGHT))]
    pub max_in_flight: Option<u32>,

    /// Most connections to the receiver that are kept while no request is under way on them; with 0,
    /// each request makes its own. Webhooks with the same receiver and the same settings share theirs.
    /// Default: 1024.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = KeepAlive::MAX_IDLE))]
    pub max_idle_connections: Option<u32>,

    /// How long a connection is kept while no request is under way on it, in seconds. Default: 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = KeepAlive::MAX_IDLE_TIMEOUT_SECONDS))]
    pub idle_timeout_seconds: Option<u32>,

    /// Which deliveries go one after the other, in the order their events were accepted: the next when
    /// the one before has ended, delivered or given up. Default: None. A change is for events accepted
    /// after it; what waits in line already keeps its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordering: Option<Ordering>,
}

/// An order of deliveries.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordering {
    /// Each delivery goes as soon as it can.
    None,
    /// Deliveries of events about the same object, by `data.object.id`, go one after the other; one that
    /// is retried for long holds up no others. Events without such an id are not ordered.
    PerKey,
    /// All deliveries go one after the other: one that is retried holds up all behind it. Not together
    /// with `batch`, whose requests would have one event each.
    Strict,
}

/// How events are sent together: `{"events":[…]}` in one request, which counts as one attempt of each.
/// A batch that failed comes back as it was. At most 1 MiB of events, or a single event, go in one. What is
/// sent to this webhook alone, a test or a `WebhookDelivery`, goes at once in a batch of its own.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// Whether they are. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Most events of one request; once so many wait they are sent. Default: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = batch::Policy::MAX_SIZE))]
    pub max_size: Option<u32>,
    /// How long an event waits for others, in milliseconds. Default: 5000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = batch::Policy::MAX_WAIT_MILLISECONDS))]
    pub max_wait_milliseconds: Option<u32>,
}

/// How many requests the receiver gets in a time: so many at once, and as many again, evenly, in each
/// period after that. What waits is not lost.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Requests per period.
    #[schemars(range(min = 1, max = Limit::MAX_REQUESTS))]
    pub requests: u32,
    /// The period, in seconds. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = Limit::MAX_PERIOD_SECONDS))]
    pub period_seconds: Option<u32>,
}

/// When a receiver that fails nearly always is left alone. Deliveries wait meanwhile and cost no
/// attempts; now and then one is sent, and when the receiver takes it all go on. A change of the
/// webhook ends the rest, too.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CircuitBreaker {
    /// Whether there is one. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// How many of the attempts must have failed, in percent. Default: 70.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub failure_percent: Option<u32>,
    /// How many attempts there must have been. Default: 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = Policy::MAX_MINIMUM_ATTEMPTS))]
    pub minimum_attempts: Option<u32>,
    /// How far back attempts count, in seconds. Default: 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = Policy::MAX_SECONDS))]
    pub window_seconds: Option<u32>,
    /// How long nothing is sent before it is tried again, in seconds. Default: 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = Policy::MAX_SECONDS))]
    pub open_seconds: Option<u32>,
}
