//! How fast a webhook sends.

use hookwright_engine::rate::Limit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
