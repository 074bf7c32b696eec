//! The driver: runs the engine against the store, the transport and the clock.

use std::collections::HashSet;
use std::sync::Arc;

use hookwright_engine::delivery::Record;
use hookwright_engine::endpoint::Endpoint;
use hookwright_engine::event::Draft;
use hookwright_engine::id::{DeliveryId, EventId, WebhookId};
use hookwright_engine::pattern::EventType;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::store::{PublishError, Receipt};

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

/// Talks to the driver. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    _private: (),
}

#[allow(clippy::todo, clippy::unused_async, missing_docs)]
impl Handle {
    /// Adds or replaces a webhook. Events published after this are matched against it.
    pub fn upsert(&self, _endpoint: Endpoint) {
        todo!()
    }
    /// The webhook is deleted: its unfinished deliveries are canceled.
    pub fn remove(&self, _webhook: WebhookId) {
        todo!()
    }
    /// All webhooks are known for the first time: `known` are all that exist, valid or not.
    /// Unfinished deliveries of others are canceled, and events are taken from now on.
    pub fn synced(&self, _known: HashSet<WebhookId>) {
        todo!()
    }
    /// Whether events are taken.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        todo!()
    }
    /// Matches an event against the webhooks of its namespace and makes it durable.
    pub async fn publish(&self, _namespace: &str, _draft: Draft) -> Result<Receipt, PublishError> {
        todo!()
    }
    /// Sends an event to one webhook, whatever it subscribes to, at most once per origin (the
    /// UID of the object that asks for it) and per event id.
    pub async fn send(
        &self,
        _namespace: &str,
        _webhook: WebhookId,
        _draft: Draft,
        _origin: Uuid,
    ) -> Result<Receipt, PublishError> {
        todo!()
    }
    /// What happens from now on. Slow readers lose the oldest (`RecvError::Lagged`).
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        todo!()
    }
}
