//! Sends one request, of a delivery or a batch of them, and says what came of it.
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
use hookwright_engine::id::{BatchId, DeliveryId, EventId};
use hookwright_engine::pattern::EventType;
use hookwright_engine::trace::Trace;

/// One request to be made.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where to and how.
    pub receiver: Arc<Receiver>,
    /// What the headers say of its body.
    pub contents: Contents,
    /// The JSON that is sent and signed.
    pub body: Bytes,
    /// What it belongs to, for the receiver, where that is traced.
    pub trace: Option<Trace>,
}

/// What a request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// One event.
    Event {
        /// Which delivery this is.
        delivery: DeliveryId,
        /// The event's id.
        id: EventId,
        /// The event's type.
        event_type: EventType,
    },
    /// A batch, be it of one event. Receivers that remember what they have seen go by its id, which is
    /// another where the events are.
    Batch(BatchId),
}

/// Sends requests: over HTTP, or, in tests of the driver, into a script.
pub trait Transport: Send + Sync + 'static {
    /// Signs and sends one request, within the receiver's timeouts. Never fails: whatever happens
    /// is the outcome of the attempt.
    fn send(&self, request: Request) -> impl Future<Output = Attempt> + Send;
}
