//! What is done about events: each once, its handlers side by side, again where they fail.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use crate::event::Event;
use crate::memory::{Claim, Memory};
use crate::refusal::Refusal;
use crate::router::{Failure, Router};

/// How events are worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long each handler may take for an event.
    pub timeout: Duration,
    /// Events that were acknowledged and not finished, at most. Beyond it the sender is told to come again. A batch
    /// of more is never taken.
    pub capacity: usize,
    /// Events that handlers work on at a time.
    pub concurrency: usize,
    /// How often handlers that fail are run, the first time included.
    pub attempts: u32,
    /// The pause before the second attempt; each further one is twice as long.
    pub backoff: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            capacity: 1024,
            concurrency: 64,
            attempts: 3,
            backoff: Duration::from_secs(2),
        }
    }
}

/// When the sender gets its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledge {
    /// Before the work.
    First,
    /// After it, so that the sender tries again what failed.
    Last,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Events that nobody had handled before.
    pub(crate) new: usize,
}

type Exhausted = dyn Fn(&Event, &[Failure]) + Send + Sync;

/// The work on events. It goes on when whoever asked for it is gone.
pub(crate) struct Work<M> {
    pub(crate) router: Router,
    pub(crate) memory: M,
    pub(crate) options: Options,
    pub(crate) acknowledge: Acknowledge,
    pub(crate) exhausted: Option<Box<Exhausted>>,
    /// A permit for each event that is not finished.
    pub(crate) places: Arc<Semaphore>,
    /// A permit for each event that handlers work on.
    pub(crate) hands: Semaphore,
    pub(crate) tasks: TaskTracker,
}

impl<M: Memory> Work<M> {
    /// Takes events on: all of them, or none.
    pub(crate) async fn take(self: &Arc<Self>, events: Vec<Event>) -> Result<Receipt, Refusal> {
        let mut places = self.places_for(events.len())?;
        let (new, in_progress) = self.claim(events).await?;
        let receipt = Receipt { new: new.len() };
        let work = new.into_iter().filter_map(|event| {
            let place = places.split(1)?;
            Some(self.tasks.spawn(Arc::clone(self).handle(event, place)))
        });
        let work: Vec<_> = work.collect();
        let handled = match self.acknowledge {
            Acknowledge::First => true,
            Acknowledge::Last => join_all(work).await.into_iter().all(|handled| handled.unwrap_or(false)),
        };
        match (handled, in_progress) {
            (true, false) => Ok(receipt),
            // Whoever works on it may crash: only what is done needs not come again.
            (true, true) => Err(Refusal::InProgress),
            (false, _) => Err(Refusal::Failed),
        }
    }

    fn places_for(&self, events: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let capacity = self.options.capacity;
        let too_many = Refusal::TooManyEvents { events, capacity };
        let most = u32::try_from(events).ok().filter(|_| events <= capacity).ok_or(too_many)?;
        Arc::clone(&self.places).try_acquire_many_owned(most).map_err(|_| Refusal::Busy)
    }

    /// Ends when all that was taken on is finished; nothing more is taken on.
    pub(crate) async fn drain(&self) {
        self.places.close();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The events that nobody has claimed, each of them once, and whether others are being worked on.
    async fn claim(&self, events: Vec<Event>) -> Result<(Vec<Arc<Event>>, bool), Refusal> {
        let (mut new, mut in_progress) = (Vec::<Arc<Event>>::with_capacity(events.len()), false);
        for event in events {
            match self.memory.claim(&event.id).await {
                Ok(Claim::New) => new.push(Arc::new(event)),
                // A batch may hold an event twice, where it was sent again by hand.
                Ok(Claim::InProgress) => in_progress |= new.iter().all(|claimed| claimed.id != event.id),
                Ok(Claim::Done) => {}
                Err(error) => {
                    tracing::error!(%error, "failed to ask the memory of events");
                    self.release(&new).await;
                    return Err(Refusal::NoMemory);
                }
            }
        }
        Ok((new, in_progress))
    }

    /// Handles an event, and says whether all of its handlers were content in the end.
    async fn handle(self: Arc<Self>, event: Arc<Event>, place: OwnedSemaphorePermit) -> bool {
        let failures = self.attempts(&event).await;
        let remembered = if failures.is_empty() {
            self.memory.keep(&event.id).await
        } else {
            self.memory.release(&event.id).await
        };
        if let Err(error) = remembered {
            tracing::error!(event = %event.id, %error, "failed to tell the memory what became of an event");
        }
        drop(place);
        if !failures.is_empty()
            && let Some(exhausted) = &self.exhausted
        {
            exhausted(&event, &failures);
        }
        failures.is_empty()
    }

    /// Runs the handlers of an event, those that fail again, and says which failed to the end.
    async fn attempts(&self, event: &Arc<Event>) -> Vec<Failure> {
        let Options { timeout, attempts, backoff, capacity: _, concurrency: _ } = self.options;
        let attempts = if self.acknowledge == Acknowledge::First { attempts } else { 1 };
        let (mut handlers, mut pause, mut attempt) = (self.router.matching(event), backoff, 1);
        loop {
            let hand = self.hands.acquire().await;
            let failures = self.router.run(event, &handlers, timeout).await;
            drop(hand);
            for Failure { pattern, error, .. } in &failures {
                tracing::warn!(event = %event.id, pattern, attempt, %error, "a handler failed");
            }
            if failures.is_empty() || attempt >= attempts {
                return failures;
            }
            handlers = failures.iter().map(|failure| failure.handler).collect();
            attempt += 1;
            sleep(pause).await;
            pause = pause.saturating_mul(2);
        }
    }

    async fn release(&self, events: &[Arc<Event>]) {
        for event in events {
            if let Err(error) = self.memory.release(&event.id).await {
                tracing::warn!(event = %event.id, %error, "failed to release an event; it is given up in time");
            }
        }
    }
}

impl<M: fmt::Debug> fmt::Debug for Work<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { router, memory, options, acknowledge, .. } = self;
        let mut shown = f.debug_struct("Work");
        shown.field("router", router).field("memory", memory).field("options", options);
        shown.field("acknowledge", acknowledge).finish_non_exhaustive()
    }
}
