//! One request, on its way.

use std::sync::Arc;
use std::time::Duration;

use hookwright_engine::attempt::{Attempt, Fault, Outcome};
use hookwright_engine::batch;
use hookwright_engine::delivery::Pending;
use hookwright_engine::engine::Send;
use hookwright_engine::event::Event;
use hookwright_engine::id::{BatchId, DeliveryId};
use hookwright_engine::time::Time;
use hookwright_engine::trace::Trace;

use crate::clock::Clock;
use crate::store;
use crate::telemetry::traces::Traces;
use crate::transport::{Contents, Request, Transport};

/// A request that has ended.
#[derive(Debug)]
pub(super) struct Landed {
    /// The event of each delivery, in their order, unless it could not be read.
    pub(super) events: Vec<Option<Arc<Event>>>,
    pub(super) attempt: Attempt,
}

impl Landed {
    /// Nothing was sent, for a reason of our own.
    pub(super) const fn fault(fault: Fault, now: Time) -> Self {
        let outcome = Outcome::Fault(fault);
        let attempt = Attempt { started: now, elapsed: Duration::ZERO, outcome, response: Vec::new() };
        Self { events: Vec::new(), attempt }
    }

    /// The deliveries that were not in the request, though it was made.
    pub(super) fn unread(&self, deliveries: &[Pending]) -> Vec<DeliveryId> {
        let events = deliveries.iter().zip(&self.events);
        events.filter(|(_, event)| event.is_none()).map(|(pending, _)| pending.id).collect()
    }
}

/// Makes one request, whatever it takes. `events` are those of its deliveries; they are read from the
/// store where they are not at hand. One that cannot be read holds up no others.
pub(super) async fn fly<T: Transport>(
    send: Arc<Send>,
    mut events: Vec<Option<Arc<Event>>>,
    store: store::Handle,
    transport: Arc<T>,
    clock: Clock,
    traces: Traces,
) -> Landed {
    let mut missing = "there is none".to_owned();
    for (event, pending) in events.iter_mut().zip(&send.deliveries).filter(|(event, _)| event.is_none()) {
        match store.event(pending.event).await {
            Ok(Some(read)) => *event = Some(read),
            Ok(None) => "it is not in the log".clone_into(&mut missing),
            Err(error) => missing = error.to_string(),
        }
    }
    let span = traces.attempt(&send, &events);
    let Some(request) = request(&send, &events, span.trace()) else {
        let landed = Landed::fault(Fault::Store(missing), clock.now());
        span.attempted(&landed.attempt.outcome);
        return landed;
    };
    let attempt = transport.send(request).await;
    span.attempted(&attempt.outcome);
    Landed { events, attempt }
}

/// The request, unless there is nothing to be sent.
fn request(send: &Send, events: &[Option<Arc<Event>>], trace: Option<Trace>) -> Option<Request> {
    let webhook = send.endpoint.id;
    let pairs = send.deliveries.iter().zip(events);
    let read: Vec<_> = pairs.filter_map(|(pending, event)| Some((pending, event.as_deref()?))).collect();
    let &(pending, event) = read.first()?;
    let (contents, body) = if send.batch.is_some() {
        // Without those that could not be read it is another batch.
        let id = BatchId::of(read.iter().map(|(pending, _)| pending.id));
        let events = read.iter().map(|&(pending, event)| (event, pending.attempts + 1));
        (Contents::Batch(id), batch::body(webhook, events))
    } else {
        let (id, event_type) = (event.id.clone(), event.event_type.clone());
        let contents = Contents::Event { delivery: pending.id, id, event_type };
        (contents, event.body(webhook, pending.attempts + 1))
    };
    Some(Request { receiver: Arc::clone(&send.receiver), contents, body: body.into(), trace })
}
