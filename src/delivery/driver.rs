//! The loop: the only place where time, the store and the transport meet the engine.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Fuse, FusedFuture};
use hookwright_engine::attempt::Fault;
use hookwright_engine::command::Command;
use hookwright_engine::delivery::{Kind, Pending, Record, State};
use hookwright_engine::endpoint::Endpoint;
use hookwright_engine::engine::{Effect, Engine, Input, Limits, Send};
use hookwright_engine::event::Event;
use hookwright_engine::id::EventKey;
use moka::sync::Cache;
use tokio::sync::{broadcast, mpsc};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::change::{Attempted, What};
use super::flight::{Landed, fly};
use super::handle::{Handle, Shared};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::store::{self, Notice, Notices};
use crate::telemetry::traces::Traces;
use crate::transport::Transport;

/// The bounds of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What the engine holds in memory and in flight.
    pub limits: Limits,
    /// Payloads kept in memory, in bytes; others are read from the store when they are sent.
    pub payload_cache_bytes: u64,
    /// How long requests under way may go on at shutdown.
    pub grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            payload_cache_bytes: 64 * 1024 * 1024,
            grace: Duration::from_secs(25),
        }
    }
}

/// Inputs taken at a time.
const BATCH: usize = 256;
/// Commands that wait for the store before outcomes are left waiting, too.
const MAX_OUTBOX: usize = 4096;
/// Changes kept for readers that are slow.
const CHANGES: usize = 4096;
/// The longest sleep, so that steps of the system's clock are noticed.
const MAX_SLEEP: Duration = Duration::from_secs(10);

type Flush = Fuse<BoxFuture<'static, Result<(), store::Error>>>;

/// Runs the engine. Made together with its [`Handle`].
#[derive(Debug)]
pub struct Driver<T> {
    engine: Engine,
    store: store::Handle,
    transport: Arc<T>,
    clock: Clock,
    metrics: Arc<Metrics>,
    traces: Traces,
    shared: Arc<Shared>,
    grace: Duration,
    control: mpsc::UnboundedReceiver<Input>,
    notices: Notices,
    flights: JoinSet<Landed>,
    /// Which request each task makes, for those that panic.
    tasks: HashMap<Id, Arc<Send>>,
    events: Cache<EventKey, Arc<Event>>,
    outbox: Vec<Command>,
    effects: Vec<Effect>,
}

impl<T: Transport> Driver<T> {
    /// A driver that knows no webhooks yet, and the handle to tell it.
    #[must_use]
    pub fn new(
        options: Options,
        store: store::Handle,
        notices: Notices,
        transport: Arc<T>,
        clock: Clock,
        metrics: Arc<Metrics>,
        traces: Traces,
    ) -> (Handle, Self) {
        let (control_sender, control) = mpsc::unbounded_channel();
        let (changes, _) = broadcast::channel(CHANGES);
        let shared = Shared::new(
            store.clone(),
            control_sender,
            changes,
            clock.clone(),
            Arc::clone(&metrics),
            traces.clone(),
        );
        let shared = Arc::new(shared);
        let weigh = |_: &EventKey, event: &Arc<Event>| {
            u32::try_from(event.payload.len().saturating_add(256)).unwrap_or(u32::MAX)
        };
        let driver = Self {
            engine: Engine::new(options.limits),
            store,
            transport,
            clock,
            metrics,
            traces,
            shared: Arc::clone(&shared),
            grace: options.grace,
            control,
            notices,
            flights: JoinSet::new(),
            tasks: HashMap::new(),
            events: Cache::builder().weigher(weigh).max_capacity(options.payload_cache_bytes).build(),
            outbox: Vec::new(),
            effects: Vec::new(),
        };
        (Handle::new(shared), driver)
    }

    /// Delivers until `shutdown`, then lets the requests under way end within the grace period and
    /// hands what became of them to the store. Requests that take longer are made anew at the next
    /// start.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), store::Error> {
        let mut flush: Flush = Fuse::terminated();
        let mut deadline = None;
        let (mut controls, mut notices) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
        loop {
            if flush.is_terminated() && !self.outbox.is_empty() {
                flush = self.flush();
            }
            if deadline.is_some() && self.flights.is_empty() && flush.is_terminated() {
                return Ok(());
            }
            let wake = deadline.unwrap_or_else(|| self.wake());
            tokio::select! {
                () = shutdown.cancelled(), if deadline.is_none() => {
                    self.engine.drain();
                    deadline = Some(Instant::now() + self.grace);
                }
                flushed = &mut flush => flushed?,
                _ = self.control.recv_many(&mut controls, BATCH) => {
                    controls.drain(..).for_each(|input| self.step(input));
                }
                count = self.notices.recv_many(&mut notices, BATCH) => {
                    if count == 0 {
                        return Err(store::Error::Closed);
                    }
                    notices.drain(..).for_each(|notice| self.hear(notice));
                }
                Some(landed) = self.flights.join_next_with_id(), if self.outbox.len() < MAX_OUTBOX => {
                    self.land(landed);
                    while let Some(landed) = self.flights.try_join_next_with_id() {
                        self.land(landed);
                    }
                }
                () = tokio::time::sleep_until(wake) => {
                    if deadline.is_some() {
                        self.flights.shutdown().await;
                    } else {
                        self.step(Input::Tick);
                    }
                }
            }
        }
    }

    /// When to look again without being told of anything.
    fn wake(&self) -> Instant {
        let sleep = self.engine.next_wake().map_or(MAX_SLEEP, |due| self.clock.until(due).min(MAX_SLEEP));
        Instant::now() + sleep
    }

    /// Hands the outbox to the store.
    fn flush(&mut self) -> Flush {
        let commands = std::mem::take(&mut self.outbox);
        let store = self.store.clone();
        let flush: BoxFuture<'_, _> = Box::pin(async move { store.command(commands).await });
        flush.fuse()
    }

    /// Takes what the store says.
    fn hear(&mut self, notice: Notice) {
        // An event may be accepted for a webhook that the driver has been told of a moment ago.
        while let Ok(input) = self.control.try_recv() {
            self.step(input);
        }
        match notice {
            Notice::Accepted { event, pending } => {
                self.tell(&pending, &What::Accepted);
                if let Some((key, event)) = event {
                    self.events.insert(key, event);
                    self.step(Input::Accepted(pending));
                } else {
                    for pending in pending {
                        self.step(Input::Retried(pending));
                    }
                }
            }
            Notice::Parked(parked) => self.tell(&parked, &What::Accepted),
            Notice::Loaded { webhook, page } => self.step(Input::Loaded { webhook, page }),
            Notice::Canceled(canceled) => {
                self.tell(&canceled, &What::Canceled);
                self.step(Input::Canceled(canceled));
            }
        }
    }

    /// Takes the outcome of a request.
    fn land(&mut self, joined: Result<(Id, Landed), JoinError>) {
        let id = joined.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(send) = self.tasks.remove(&id) else { return };
        let landed = match joined {
            Ok((_, landed)) => landed,
            Err(error) => {
                let delivery = send.deliveries.first().map(|pending| pending.id.to_string());
                tracing::error!(delivery, %error, "a request panicked");
                Landed::fault(Fault::Request("it panicked, see the log".to_owned()), self.clock.now())
            }
        };
        self.metrics.attempt_ends(&landed.attempt.outcome, landed.attempt.elapsed);
        let unread = landed.unread(&send.deliveries);
        let deliveries = send.deliveries.iter().map(|pending| pending.id).collect();
        let Landed { events, attempt } = landed;
        let input = Input::Attempted { deliveries, attempt, unread, entropy: fastrand::u64(..) };
        self.engine.step(self.clock.now(), input, &mut self.effects);
        let records = self.effects.iter().filter_map(|effect| match effect {
            Effect::Command(Command::Record(record)) => Some(record),
            Effect::Command(_)
            | Effect::Send(_)
            | Effect::Circuit { .. }
            | Effect::Restraint { .. }
            | Effect::Held { .. } => None,
        });
        // In the order of the deliveries; a panic has left no events.
        let events = events.iter().map(Option::as_deref).chain(std::iter::repeat(None));
        let all = send.deliveries.iter().zip(records).zip(events);
        let news = all.filter_map(|((pending, record), event)| {
            self.note_end(record, pending.kind, &send.endpoint);
            self.news(record, &send.endpoint, event)
        });
        let news: Vec<_> = news.collect();
        // Whoever hears of the attempt may ask for the circuit.
        self.perform();
        for attempted in news {
            let (webhook, delivery) = (attempted.record.webhook, attempted.record.id);
            self.shared.tell(webhook, delivery, What::Attempted(Arc::new(attempted)));
        }
    }

    /// Where a delivery went that failed, for whoever looks for it later.
    fn note_end(&self, record: &Record, kind: Kind, endpoint: &Endpoint) {
        let Some(name) = &endpoint.dead_letter else { return };
        let (webhook, delivery) = (record.webhook, record.id);
        if let Some(target) = record.dead_letter {
            tracing::info!(%webhook, %delivery, to = %target, "a delivery that failed is handed to another webhook");
        } else if record.state == State::Failed && kind == Kind::Event {
            tracing::warn!(%webhook, %delivery, name = &**name, "there is no such webhook to hand a delivery to");
            self.metrics.dead_letter_missed();
        }
    }

    /// What is to be told of an attempt, if anybody listens.
    fn news(&self, record: &Record, endpoint: &Arc<Endpoint>, event: Option<&Event>) -> Option<Attempted> {
        self.metrics.delivery_moves(record.state);
        let event = event.filter(|_| self.shared.changes.receiver_count() > 0)?;
        Some(Attempted {
            record: record.clone(),
            event_id: event.id.clone(),
            event_type: event.event_type.clone(),
            endpoint: Arc::clone(endpoint),
        })
    }

    fn tell(&self, deliveries: &[Pending], what: &What) {
        for pending in deliveries {
            self.shared.tell(pending.webhook, pending.id, what.clone());
        }
    }

    fn step(&mut self, input: Input) {
        self.engine.step(self.clock.now(), input, &mut self.effects);
        self.perform();
    }

    /// Does what the engine has decided.
    fn perform(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Send(send) => self.launch(send),
                Effect::Command(command) => self.outbox.push(command),
                Effect::Circuit { webhook, circuit } => {
                    tracing::info!(%webhook, ?circuit, "the circuit to a receiver turned");
                    self.metrics.circuit_turns(circuit);
                    self.shared.circuits.turn(webhook, circuit);
                }
                Effect::Restraint { webhook, restraint } => {
                    let before = self.shared.restraints.set(webhook, restraint, self.clock.now());
                    self.metrics.restraint_changes(before, restraint);
                }
                Effect::Held { webhook, hold } => {
                    tracing::warn!(%webhook, ?hold, "a webhook is held until it changes, by what its receiver did");
                    self.metrics.webhook_held(hold);
                }
            }
        }
        self.effects = effects; // Keeps its memory.
    }

    fn launch(&mut self, send: Send) {
        self.metrics.attempt_begins();
        if send.batch.is_some() {
            self.metrics.batch_begins(send.deliveries.len());
        }
        self.tell(&send.deliveries, &What::Sending);
        let events = send.deliveries.iter().map(|pending| self.events.get(&pending.event)).collect();
        let (send, transport) = (Arc::new(send), Arc::clone(&self.transport));
        let (store, clock, traces) = (self.store.clone(), self.clock.clone(), self.traces.clone());
        let flight = fly(Arc::clone(&send), events, store, transport, clock, traces);
        let task = self.flights.spawn(flight);
        self.tasks.insert(task.id(), send);
    }
}
