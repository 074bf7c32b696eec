//! Where deliveries go that failed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::crd::webhook_delivery::WebhookRef;

/// Where deliveries go that failed: whose attempts are used up, or whose receiver answered 410 Gone.
/// Each ends as `DeadLettered`, and its event is delivered, unchanged, to another webhook, whatever
/// that one's `events` and `filters` say, once however often the delivery is retried by hand. What
/// fails there ends as `Failed`: it is handed no further. While that webhook does not exist,
/// `ResolvedRefs` is false, events are sent all the same, and those that fail end as `Failed`.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The webhook that gets them, another one in the same namespace.
    pub webhook_ref: WebhookRef,
}
