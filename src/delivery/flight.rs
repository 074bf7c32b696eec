//! One request of one delivery, on its way.

use std::sync::Arc;
use std::time::Duration;

use hookwright_engine::attempt::{Attempt, Fault, Outcome};
use hookwright_engine::engine::Send;
use hookwright_engine::event::Event;
use hookwright_engine::time::Time;

use crate::clock::Clock;
use crate::store;
use crate::transport::{Request, Transport};

/// A request that has ended.
#[derive(Debug)]
pub(super) struct Landed {
    /// The event, unless it could not be read.
    pub(super) event: Option<Arc<Event>>,
    pub(super) attempt: Attempt,
}

impl Landed {
    /// Nothing was sent, for a reason of our own.
    pub(super) const fn fault(fault: Fault, now: Time) -> Self {
        let outcome = Outcome::Fault(fault);
        let attempt = Attempt { started: now, elapsed: Duration::ZERO, outcome, response: Vec::new() };
        Self { event: None, attempt }
    }
}

/// Makes one request, whatever it takes. `event` is read from the store where it is not at hand.
pub(super) async fn fly<T: Transport>(
    send: Send,
    event: Option<Arc<Event>>,
    store: store::Handle,
    transport: Arc<T>,
    clock: Clock,
) -> Landed {
    let read = match event {
        Some(event) => Ok(Some(event)),
        None => store.event(send.pending.event).await,
    };
    let event = match read {
        Ok(Some(event)) => event,
        Ok(None) => return Landed::fault(Fault::Store("it is not in the log".to_owned()), clock.now()),
        Err(error) => return Landed::fault(Fault::Store(error.to_string()), clock.now()),
    };
    let request = Request {
        receiver: send.receiver,
        delivery: send.pending.id,
        event_id: event.id.clone(),
        event_type: event.event_type.clone(),
        body: event.body(send.pending.webhook, send.attempt).into(),
    };
    let attempt = transport.send(request).await;
    Landed { event: Some(event), attempt }
}
