//! What happens to deliveries, told to those who show it.

use std::sync::Arc;

use hookwright_engine::delivery::Record;
use hookwright_engine::endpoint::Endpoint;
use hookwright_engine::id::{DeliveryId, EventId, WebhookId};
use hookwright_engine::pattern::EventType;

/// Something that happened to a delivery, for those who show it. Only a hint: the store is the
/// truth, and whoever lags behind reads it there.
#[derive(Clone, Debug)]
pub struct Change {
    /// The webhook.
    pub webhook: WebhookId,
    /// The delivery.
    pub delivery: DeliveryId,
    /// What happened.
    pub what: What,
}

/// What happened to a delivery.
#[derive(Clone, Debug)]
pub enum What {
    /// It is durable and waits.
    Accepted,
    /// A request is under way.
    Sending,
    /// A request has ended, and the outcome is on its way to the store.
    Attempted(Arc<Attempted>),
    /// It will not be sent any more.
    Canceled,
}

/// A request that has ended.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// What is written down.
    pub record: Record,
    /// The event's id.
    pub event_id: EventId,
    /// The event's type.
    pub event_type: EventType,
    /// The webhook as it was when the request was sent.
    pub endpoint: Arc<Endpoint>,
}
