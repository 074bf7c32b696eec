//! Sends one request of one delivery and says what came of it.
//!
//! Architecture Invariant: only this module opens sockets to receivers, and the egress guard sits
//! in the connector, where the address actually connected to is known.

pub mod guard;
pub mod http;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use hookwright_engine::attempt::Attempt;
use hookwright_engine::endpoint::Receiver;
use hookwright_engine::id::{DeliveryId, EventId};
use hookwright_engine::pattern::EventType;

/// One request to be made.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where to and how.
    pub receiver: Arc<Receiver>,
    /// Which delivery this is, for `X-PCF-Delivery`.
    pub delivery: DeliveryId,
    /// The event's id.
    pub event_id: EventId,
    /// The event's type, for `X-PCF-Event`.
    pub event_type: EventType,
    /// The JSON that is sent and signed.
    pub body: Bytes,
}

/// Sends requests: over HTTP, or, in tests of the driver, into a script.
pub trait Transport: Send + Sync + 'static {
    /// Signs and sends one request, within the receiver's timeouts. Never fails: whatever happens
    /// is the outcome of the attempt.
    fn send(&self, request: Request) -> impl Future<Output = Attempt> + Send;
}
