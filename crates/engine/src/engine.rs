//! The state machine: takes what happened, says what to do. See [`Engine::step`].

mod landing;
mod names;
mod queue;
mod schedule;
mod waiting;
mod window;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use self::landing::{Landing, together};
use self::names::Names;
use self::queue::Queue;
use self::schedule::Schedule;
use crate::attempt::{Attempt, Verdict};
use crate::breaker::Circuit;
use crate::command::{Command, Page};
use crate::delivery::{Pending, Record, State};
use crate::endpoint::{Endpoint, Hold, Receiver};
use crate::id::{BatchId, DeliveryId, WebhookId};
use crate::ordering::Line;
use crate::restraint::Restraint;
use crate::time::Time;

/// How long a delivery waits after a failure of our own, which is not charged.
pub const FAULT_DELAY: Duration = Duration::from_secs(5);

/// The bounds of what is held in memory and in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most requests in flight, of all webhooks together.
    pub max_in_flight: usize,
    /// Most waiting deliveries per webhook held in memory, or four batches where that is more; the
    /// rest waits in the log.
    pub window: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_in_flight: 4096, window: 512 }
    }
}

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// A webhook is new, or has changed.
    Upsert(Arc<Endpoint>),
    /// A webhook was deleted.
    Remove(WebhookId),
    /// These are all webhooks that exist, known for the first time or anew.
    Synced(HashSet<WebhookId>),
    /// New deliveries are in the log.
    Accepted(Vec<Pending>),
    /// A delivery was retried by hand: the log has made it due, with a fresh budget.
    Retried(Pending),
    /// The log has canceled these deliveries.
    Canceled(Vec<Pending>),
    /// The answer to [`Command::Load`].
    Loaded {
        /// Whose deliveries.
        webhook: WebhookId,
        /// The deliveries.
        page: Page,
    },
    /// A request has ended.
    Attempted {
        /// Whose request: the deliveries of [`Send`], in their order.
        deliveries: Vec<DeliveryId>,
        /// How it ended.
        attempt: Attempt,
        /// Those of them that were not in it, as their events could not be read.
        unread: Vec<DeliveryId>,
        /// Any number; jitter is made of it.
        entropy: u64,
    },
    /// Time has passed.
    Tick,
}

/// Something to do.
#[derive(Debug)]
pub enum Effect {
    /// Make a request, and answer with [`Input::Attempted`], whatever happens.
    Send(Send),
    /// Hand this to the log, in order.
    Command(Command),
    /// The circuit to a receiver has opened or closed: show it.
    Circuit {
        /// Whose receiver.
        webhook: WebhookId,
        /// What it is now.
        circuit: Circuit,
    },
    /// What holds a webhook's deliveries back has changed: show it.
    Restraint {
        /// The webhook.
        webhook: WebhookId,
        /// What it is now; `None` where deliveries flow.
        restraint: Option<Restraint>,
    },
    /// By what its receiver did, a webhook is held from now on: show it.
    Held {
        /// The webhook.
        webhook: WebhookId,
        /// Why.
        hold: Hold,
    },
}

/// A request to be made.
#[derive(Clone, Debug)]
pub struct Send {
    /// What it delivers: one delivery, or a batch in the order of ids. Never empty.
    pub deliveries: Vec<Pending>,
    /// The batch, if it is one, be it of one delivery.
    pub batch: Option<BatchId>,
    /// The webhook as it is now.
    pub endpoint: Arc<Endpoint>,
    /// Its receiver.
    pub receiver: Arc<Receiver>,
}

/// A delivery under way.
#[derive(Debug)]
struct InFlight {
    pending: Pending,
    /// The first delivery of its request, by which that is known.
    lead: DeliveryId,
    batch: Option<BatchId>,
    endpoint: Arc<Endpoint>,
    /// The delivery was canceled meanwhile; only a success still counts.
    canceled: bool,
}

/// The delivery engine. Everything in it is derived from the log and the webhooks' objects.
///
/// Guarantees, each asserted by the simulation: no attempt before it is due; of one delivery one
/// request at a time; of those in one line one at a time; within the limits of the webhook, its rate included, and of
/// all; at most as many attempts as the policy allows; a receiver whose circuit is open gets one probe at a time; no
/// batch before or beyond what its policy says, and one that failed comes back whole; every accepted delivery ends,
/// unless its webhook is held for good; webhooks with work take turns.
///
/// Assumes: effects are carried out in order, the log's answers arrive in the order of its commits.
#[derive(Debug)]
pub struct Engine {
    limits: Limits,
    queues: HashMap<WebhookId, Queue>,
    names: Names,
    schedule: Schedule,
    in_flight: HashMap<DeliveryId, InFlight>,
    /// The lines of which a delivery is under way.
    busy: HashSet<(WebhookId, Line)>,
    /// Requests under way: fewer than deliveries, where those go in batches.
    requests: usize,
    /// Pages still to come that were asked for before their webhook was removed.
    stale_pages: HashMap<WebhookId, u32>,
    /// Whether all webhooks are known, so that an unknown one is one that was deleted.
    synced: bool,
}

impl Engine {
    /// An engine that knows no webhooks yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            queues: HashMap::new(),
            names: Names::default(),
            schedule: Schedule::default(),
            in_flight: HashMap::new(),
            busy: HashSet::new(),
            requests: 0,
            stale_pages: HashMap::new(),
            synced: false,
        }
    }

    /// Takes one input and adds what is to be done now to `effects`. `now` never decreases.
    pub fn step(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Upsert(endpoint) => self.upsert(endpoint, now, effects),
            Input::Remove(webhook) => self.remove(webhook, now, effects),
            Input::Synced(known) => self.sync(known, now, effects),
            Input::Accepted(pending) => self.accept(pending, now, effects),
            Input::Retried(pending) => self.retry(pending, now, effects),
            Input::Canceled(canceled) => self.cancel(&canceled, now, effects),
            Input::Loaded { webhook, page } => self.load(webhook, &page, now, effects),
            Input::Attempted { deliveries, attempt, unread, entropy } => {
                self.attempted(&deliveries, &attempt, &unread, entropy, now, effects);
            }
            Input::Tick => {}
        }
        self.dispatch(now, effects);
    }

    /// From now on nothing more is sent; what is under way may end.
    pub const fn drain(&mut self) {
        self.limits.max_in_flight = 0;
    }

    /// When something will be due; a [`Input::Tick`] then is in time. `None`: not by itself.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        self.schedule.next_wake()
    }

    /// Requests under way.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.requests
    }

    fn upsert(&mut self, endpoint: Arc<Endpoint>, now: Time, effects: &mut Vec<Effect>) {
        let webhook = endpoint.id;
        let early = endpoint.dead_letter.is_some() && !self.synced;
        self.names.insert(&endpoint);
        if let Some(queue) = self.queues.get_mut(&webhook) {
            let before = queue.circuit();
            queue.replace(endpoint);
            turn(webhook, before, queue.circuit(), effects);
        } else {
            // Requests of the time before it was removed and made again still count.
            let in_flight = self
                .in_flight
                .values()
                .filter(|flying| flying.pending.webhook == webhook && flying.pending.id == flying.lead);
            let queue = Queue::new(endpoint, self.limits.window, in_flight.count());
            self.queues.insert(webhook, queue);
        }
        if let Some(queue) = self.queues.get_mut(&webhook) {
            queue.early = early;
        }
        self.settle(webhook, now, effects);
    }

    fn remove(&mut self, webhook: WebhookId, now: Time, effects: &mut Vec<Effect>) {
        let Some(queue) = self.queues.remove(&webhook) else { return };
        self.names.remove(&queue.endpoint);
        if queue.window.is_loading() {
            *self.stale_pages.entry(webhook).or_default() += 1;
        }
        turn(webhook, queue.circuit(), Circuit::Closed, effects);
        if queue.told().is_some() {
            effects.push(Effect::Restraint { webhook, restraint: None });
        }
        self.schedule.set(webhook, None, now);
        for flying in self.in_flight.values_mut().filter(|flying| flying.pending.webhook == webhook) {
            flying.canceled = true;
        }
        effects.push(Effect::Command(Command::CancelWebhook(webhook)));
    }

    fn sync(&mut self, known: HashSet<WebhookId>, now: Time, effects: &mut Vec<Effect>) {
        self.synced = true;
        let gone: Vec<_> = self.queues.keys().filter(|webhook| !known.contains(webhook)).copied().collect();
        for webhook in gone {
            self.remove(webhook, now, effects);
        }
        effects.push(Effect::Command(Command::CancelOthers(known)));
        let early = |(&webhook, queue): (_, &mut Queue)| std::mem::take(&mut queue.early).then_some(webhook);
        let early: Vec<_> = self.queues.iter_mut().filter_map(early).collect();
        for webhook in early {
            self.settle(webhook, now, effects);
        }
    }

    fn accept(&mut self, accepted: Vec<Pending>, now: Time, effects: &mut Vec<Effect>) {
        for pending in accepted {
            match self.queues.get_mut(&pending.webhook) {
                Some(queue) => {
                    queue.window.insert(pending);
                    self.settle(pending.webhook, now, effects);
                }
                // Published while the webhook was being deleted.
                None if self.synced => {
                    effects.push(Effect::Command(Command::CancelWebhook(pending.webhook)));
                }
                None => {}
            }
        }
    }

    fn retry(&mut self, mut pending: Pending, now: Time, effects: &mut Vec<Effect>) {
        if let Some(flying) = self.in_flight.get_mut(&pending.id) {
            flying.pending.budget_from = pending.budget_from;
            flying.canceled = false;
            return;
        }
        if let Some(queue) = self.queues.get_mut(&pending.webhook)
            && let Some(known) = queue.window.remove(pending.id)
        {
            pending.attempts = pending.attempts.max(known.attempts);
        }
        self.accept(vec![pending], now, effects);
    }

    fn cancel(&mut self, canceled: &[Pending], now: Time, effects: &mut Vec<Effect>) {
        for pending in canceled {
            if let Some(flying) = self.in_flight.get_mut(&pending.id) {
                flying.canceled = true;
            } else if let Some(queue) = self.queues.get_mut(&pending.webhook) {
                queue.window.remove(pending.id);
                self.settle(pending.webhook, now, effects);
            }
        }
    }

    fn load(&mut self, webhook: WebhookId, page: &Page, now: Time, effects: &mut Vec<Effect>) {
        if let Some(stale) = self.stale_pages.get_mut(&webhook) {
            *stale -= 1;
            if *stale == 0 {
                self.stale_pages.remove(&webhook);
            }
            return;
        }
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        queue.recall(page);
        queue.window.load(page, |delivery| self.in_flight.contains_key(&delivery));
        self.settle(webhook, now, effects);
    }

    /// A request has ended: decides what that means, and has it written down.
    fn attempted(
        &mut self,
        deliveries: &[DeliveryId],
        attempt: &Attempt,
        unread: &[DeliveryId],
        entropy: u64,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        self.requests = self.requests.saturating_sub(1);
        let landed: Vec<_> = deliveries.iter().filter_map(|id| self.in_flight.remove(id)).collect();
        let Some(InFlight { lead, endpoint, pending, .. }) = landed.first() else { return };
        let webhook = pending.webhook;
        for line in landed.iter().filter_map(|flying| flying.pending.line) {
            self.busy.remove(&(webhook, line));
        }
        let current = self.queues.get(&webhook).map_or(endpoint, |queue| &queue.endpoint);
        let (policy, dead_letter) = (&current.retry, self.names.dead_letter(current));
        let landing = Landing { attempt, deliveries: landed.len(), policy, dead_letter, entropy, now };
        let record = |flying: &InFlight| {
            if unread.contains(&flying.pending.id) { landing.unsent(flying) } else { landing.record(flying) }
        };
        let mut records: Vec<_> = landed.iter().map(record).collect();
        together(&mut records);
        if let Some(queue) = self.queues.get_mut(&webhook) {
            let before = queue.circuit();
            queue.landed(*lead, &attempt.outcome, now);
            turn(webhook, before, queue.circuit(), effects);
            remember(queue, endpoint.generation, attempt.outcome.verdict(), now, effects);
            for (flying, record) in landed.iter().zip(&records) {
                match record.state {
                    State::Pending { due } => {
                        let Record { attempts, batch, .. } = *record;
                        queue.window.insert(Pending { attempts, due, batch, ..flying.pending });
                    }
                    State::Delivered | State::Failed | State::DeadLettered | State::Canceled => {
                        queue.window.settle(record.id);
                    }
                }
            }
        }
        effects.extend(records.into_iter().map(|record| Effect::Command(Command::Record(Box::new(record)))));
        self.settle(webhook, now, effects);
    }

    /// After every change of a queue: reads on where it runs low, and gives it its turn.
    fn settle(&mut self, webhook: WebhookId, now: Time, effects: &mut Vec<Effect>) {
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        // A held webhook may have millions waiting: they cost no memory until it is resumed.
        if queue.receiver().is_ok()
            && let Some((after, limit)) = queue.window.request()
        {
            effects.push(Effect::Command(Command::Load { webhook, after, limit }));
        }
        self.schedule.set(webhook, queue.next_send(), now);
        if queue.has_news(now) {
            effects.push(Effect::Restraint { webhook, restraint: queue.told() });
        }
    }

    /// Sends what is due, one webhook after the other, as far as the limits allow.
    fn dispatch(&mut self, now: Time, effects: &mut Vec<Effect>) {
        while self.requests < self.limits.max_in_flight
            && let Some(webhook) = self.schedule.pop(now)
        {
            let Some(queue) = self.queues.get_mut(&webhook) else { continue };
            let is_busy = |line: Line| self.busy.contains(&(webhook, line));
            let (deliveries, postponed) = queue.due(now, is_busy);
            let postponed = postponed.into_iter().map(|record| Command::Record(Box::new(record)));
            effects.extend(postponed.map(Effect::Command));
            if let Some((deliveries, receiver)) = queue.take(deliveries, now) {
                let endpoint = Arc::clone(&queue.endpoint);
                effects.push(Effect::Send(self.launch(deliveries, endpoint, receiver)));
            }
            self.settle(webhook, now, effects);
        }
    }

    /// Puts a request under way.
    fn launch(&mut self, deliveries: Vec<Pending>, endpoint: Arc<Endpoint>, receiver: Arc<Receiver>) -> Send {
        let batch = endpoint.batch.map(|_| BatchId::of(deliveries.iter().map(|pending| pending.id)));
        for pending in &deliveries {
            let lead = deliveries[0].id;
            let flying =
                InFlight { pending: *pending, lead, batch, endpoint: Arc::clone(&endpoint), canceled: false };
            self.in_flight.insert(pending.id, flying);
        }
        let lines = deliveries.iter().filter_map(|pending| Some((pending.webhook, pending.line?)));
        self.busy.extend(lines);
        self.requests += 1;
        Send { deliveries, batch, endpoint, receiver }
    }
}

/// Has the log remember what an attempt says of the receiver, and tells when the webhook is held for it.
fn remember(queue: &mut Queue, generation: i64, verdict: Verdict, now: Time, effects: &mut Vec<Effect>) {
    let webhook = queue.endpoint.id;
    let before = queue.receiver().err();
    if verdict == Verdict::Gone {
        queue.gone_generation = Some(generation);
        effects.push(Effect::Command(Command::Gone { webhook, generation }));
    }
    if queue.judge(generation, verdict, now) {
        let streak = queue.streak;
        effects.push(Effect::Command(Command::Failing { webhook, streak }));
    }
    if let Some(hold) = queue.receiver().err().filter(|hold| before != Some(*hold)) {
        effects.push(Effect::Held { webhook, hold });
    }
}

/// Tells when a circuit has opened or closed.
fn turn(webhook: WebhookId, before: Circuit, circuit: Circuit, effects: &mut Vec<Effect>) {
    if before != circuit {
        effects.push(Effect::Circuit { webhook, circuit });
    }
}

#[cfg(test)]
mod tests;
