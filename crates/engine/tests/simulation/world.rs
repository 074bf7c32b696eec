//! The world around the engine: webhooks that come, go and change, receivers of every temper, a
//! log, a clock that jumps, and crashes. Every promise of the engine is asserted as it acts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use hookwright_engine::attempt::{Attempt, Outcome, Verdict};
use hookwright_engine::command::Command;
use hookwright_engine::delivery::{Kind, Pending, Record, State};
use hookwright_engine::endpoint::{Endpoint, Hold, Target};
use hookwright_engine::engine::{Effect, Engine, Input, Limits, Send};
use hookwright_engine::id::{DeliveryId, WebhookId};
use hookwright_engine::ordering::Line;
use hookwright_engine::retry;
use hookwright_engine::time::Time;
use uuid::Uuid;

use crate::batches::Batches;
use crate::circuit::Circuits;
use crate::letters;
use crate::line::Lines;
use crate::log::{Log, Row};
use crate::pace::Pace;
use crate::restraint::Restraints;
use crate::streak::Streaks;
use crate::temper::Temper;
use crate::webhook::{self, MAX_ATTEMPTS, name};

const LIMITS: Limits = Limits { max_in_flight: 6, window: 4 };

/// A request under way.
#[derive(Debug)]
struct Flight {
    webhook: WebhookId,
    generation: i64,
    deliveries: Vec<DeliveryId>,
    unread: Vec<DeliveryId>,
    ends: Time,
    outcome: Outcome,
}

pub struct World {
    rng: Rng,
    now: Time,
    engine: Engine,
    log: Log,
    endpoints: BTreeMap<WebhookId, Arc<Endpoint>>,
    tempers: HashMap<WebhookId, Temper>,
    /// Gone at this generation, as the engine has been told by an outcome.
    gone: HashMap<WebhookId, i64>,
    /// By their first delivery.
    flights: BTreeMap<DeliveryId, Flight>,
    /// When each delivery may be sent at the earliest, by all that the engine has said or heard.
    due: HashMap<DeliveryId, Time>,
    /// Deliveries that must not be sent any more.
    ended: HashSet<DeliveryId>,
    /// Until when a receiver has asked for quiet.
    quiet: HashMap<WebhookId, Time>,
    /// When each webhook was sent to since its rate limit is in force.
    pace: Pace,
    circuits: Circuits,
    streaks: Streaks,
    lines: Lines,
    restraints: Restraints,
    batches: Batches,
    /// Webhooks that were removed; events may still be accepted for them for a moment.
    removed: Vec<WebhookId>,
    /// Deliveries that a receiver has taken.
    received: HashSet<DeliveryId>,
    accepted: Vec<DeliveryId>,
    next_id: u64,
    generation: i64,
    /// Receivers fail and nobody does anything about it, for days.
    neglected: bool,
    pub sent: u64,
    /// Webhooks that were held for failing.
    pub held: u64,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut world = Self {
            rng: Rng::with_seed(seed),
            now: Time::from_secs(1_700_000_000),
            engine: Engine::new(LIMITS),
            log: Log::default(),
            endpoints: BTreeMap::new(),
            tempers: HashMap::new(),
            gone: HashMap::new(),
            flights: BTreeMap::new(),
            due: HashMap::new(),
            ended: HashSet::new(),
            quiet: HashMap::new(),
            pace: Pace::default(),
            circuits: Circuits::default(),
            streaks: Streaks::default(),
            lines: Lines::default(),
            restraints: Restraints::default(),
            batches: Batches::default(),
            removed: Vec::new(),
            received: HashSet::new(),
            accepted: Vec::new(),
            next_id: 1,
            generation: 0,
            neglected: seed.is_multiple_of(4),
            sent: 0,
            held: 0,
        };
        world.feed(Input::Synced(HashSet::new()));
        for _ in 0..world.rng.usize(1..5) {
            world.create_webhook();
        }
        world
    }

    /// One thing happens.
    pub fn act(&mut self) {
        match self.rng.u32(0..100) {
            85..91 if self.neglected => self.pass_time(),
            0..20 => self.publish(),
            20..40 => drop(self.log.apply_next(self.now)),
            40..55 => self.hear(),
            55..75 => self.land_one(),
            75..85 => self.pass_time(),
            85..89 => self.change_webhook(),
            89..91 => self.change_temper(),
            91..93 => self.retry_by_hand(),
            93..95 => self.cancel_by_hand(),
            95..96 => self.create_webhook(),
            96..97 => self.remove_webhook(),
            97..98 => self.log.flush(),
            _ => self.crash(),
        }
    }

    /// Peace: receivers heal, nothing is held, nothing crashes. Everything must come to an end.
    pub fn settle(&mut self) {
        let webhooks: Vec<_> = self.endpoints.keys().copied().collect();
        for webhook in webhooks {
            self.tempers.insert(webhook, Temper::Healthy);
            self.put_webhook(webhook, false);
        }
        for _ in 0..100_000 {
            let mut busy = self.log.apply_next(self.now);
            while let Some(notice) = self.log.next_notice() {
                self.take(notice);
                busy = true;
            }
            if let Some(end) = self.flights.values().map(|flight| flight.ends).min() {
                self.now = self.now.max(end);
                self.land_one();
            } else if !busy {
                let Some(wake) = self.engine.next_wake() else { break };
                self.now = self.now.max(wake);
                self.feed(Input::Tick);
            }
        }
        self.assert_all_ended();
    }

    fn assert_all_ended(&self) {
        assert_eq!(self.engine.in_flight(), 0);
        letters::assert_whole(self.log.rows());
        let accepted = self.log.rows().values().filter(|row| row.dead_letter_of.is_none());
        assert_eq!(accepted.count(), self.accepted.len(), "an accepted delivery was lost");
        for (id, row) in self.log.rows() {
            assert!(row.state.is_final(), "{id} never ended: {row:?}");
            if row.state == State::Delivered {
                assert!(self.received.contains(id), "{id} is said to be delivered, but was not");
            }
            // A test is tried once, and once more where a retry by hand crossed its record.
            let most = if row.kind == Kind::Test { 2 } else { MAX_ATTEMPTS };
            assert!(row.recorded <= most, "{id} was tried too often: {row:?}");
        }
    }

    fn feed(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.engine.step(self.now, input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Send(send) => self.send(&send),
                Effect::Command(command) => self.ask(command),
                Effect::Circuit { webhook, circuit } => self.circuits.turned(webhook, circuit, self.now),
                Effect::Restraint { webhook, restraint } => self.restraints.told(webhook, restraint),
                Effect::Held { webhook, hold: Hold::Failing } => {
                    self.streaks.held(webhook);
                    self.held += 1;
                }
                Effect::Held { webhook, hold } => {
                    assert_eq!(hold, Hold::Gone, "held by what no receiver does");
                    assert!(self.gone.contains_key(&webhook));
                }
            }
        }
        assert!(self.engine.next_wake().is_none_or(|wake| wake > self.now) || self.is_full());
    }

    fn is_full(&self) -> bool {
        self.flights.len() == LIMITS.max_in_flight
    }

    fn ask(&mut self, command: Command) {
        if let Command::Record(record) = &command {
            if let Some(row) = self.log.rows().get(&record.id) {
                letters::assert_handed(record, row.kind, &self.endpoints);
            }
            if let State::Pending { due } = record.state {
                self.due.insert(record.id, due);
                let Record { id, event, webhook, attempts, budget_from, batch, .. } = **record;
                let Row { kind, line, size, .. } = self.log.rows()[&id];
                let pending =
                    Pending { id, event, webhook, attempts, budget_from, kind, due, line, batch, size };
                self.batches.waits(pending);
            } else {
                self.ended.insert(record.id);
                self.batches.forget(record.id);
            }
        }
        if let Command::Gone { webhook, generation } = command {
            self.gone.insert(webhook, generation);
        }
        self.log.ask(command);
    }

    /// The engine sends: was it allowed to?
    fn send(&mut self, send: &Send) {
        let Send { deliveries, batch, endpoint, receiver: _ } = send;
        let (webhook, lead) = (endpoint.id, deliveries[0].id);
        let current = self.endpoints.get(&webhook).expect("sent to a webhook that was removed");
        assert_eq!(current.generation, endpoint.generation, "sent by an outdated webhook");
        assert!(matches!(current.target, Target::Receiver(_)), "sent to a webhook that is held");
        assert_ne!(self.gone.get(&webhook), Some(&endpoint.generation), "sent to a receiver that is gone");
        assert!(self.quiet.get(&webhook).is_none_or(|&end| self.now >= end), "sent though asked for quiet");
        assert!(self.flights.len() < LIMITS.max_in_flight);
        let beside = self.flights.values().filter(|flight| flight.webhook == webhook).count();
        assert!(beside < endpoint.max_in_flight as usize, "too many requests of one webhook");

        self.restraints.sends(webhook, self.now);
        self.pace.sends(webhook, self.now);
        self.circuits.sends(webhook, lead, self.now);
        self.streaks.sends(webhook);
        self.batches.sends(deliveries, *batch, endpoint.batch, self.now);
        for pending in deliveries {
            self.send_one(pending, webhook);
        }
        let ended = |id| self.ended.contains(&id) || self.log.rows()[&id].state.is_final();
        for pending in deliveries {
            self.lines.sends(pending, ended);
        }

        let (outcome, latency) = self.tempers[&webhook].answer(&mut self.rng, self.now);
        let (mut unread, deliveries): (Vec<_>, Vec<_>) =
            (Vec::new(), deliveries.iter().map(|pending| pending.id).collect());
        if deliveries.len() > 1 && self.rng.u32(0..20) == 0 {
            unread.extend(self.rng.choice(&deliveries).copied());
        }
        if outcome.verdict() == Verdict::Success {
            self.received.extend(deliveries.iter().filter(|id| !unread.contains(id)));
        }
        let (generation, ends) = (endpoint.generation, self.now + latency);
        self.flights.insert(lead, Flight { webhook, generation, deliveries, unread, ends, outcome });
        self.sent += 1;
    }

    fn send_one(&self, pending: &Pending, webhook: WebhookId) {
        let Pending { id, attempts, budget_from, .. } = *pending;
        assert_eq!(pending.webhook, webhook, "{id} was sent to another webhook");
        assert!(self.now >= self.due[&id], "{id} was sent before it was due");
        assert!(!self.ended.contains(&id), "{id} was sent though it has ended");
        assert!(attempts - budget_from < MAX_ATTEMPTS, "{id} was sent too often");
        let under_way = self.flights.values().any(|flight| flight.deliveries.contains(&id));
        assert!(!under_way, "{id} is in flight already");
    }

    fn land_one(&mut self) {
        let ended: Vec<_> =
            self.flights.iter().filter(|(_, flight)| flight.ends <= self.now).map(|(&id, _)| id).collect();
        let Some(&lead) = self.rng.choice(&ended) else { return };
        let Some(flight) = self.flights.remove(&lead) else { return };
        let Flight { webhook, generation, deliveries, unread, ends: _, outcome } = flight;
        if let Some(hint) = outcome.retry_after()
            && self.endpoints.contains_key(&webhook)
        {
            let end = hint.min(self.now + retry::MAX_DELAY);
            let quiet = self.quiet.entry(webhook).or_insert(end);
            *quiet = end.max(*quiet);
        }
        self.circuits.landed(webhook, lead, outcome.verdict(), self.now);
        if let Some(endpoint) = self.endpoints.get(&webhook) {
            self.streaks.landed(webhook, endpoint.generation, generation, outcome.verdict(), self.now);
        }
        for &delivery in &deliveries {
            self.lines.landed(delivery);
        }
        let attempt = Attempt { started: self.now, elapsed: Duration::ZERO, outcome, response: Vec::new() };
        let entropy = self.rng.u64(..);
        self.feed(Input::Attempted { deliveries, attempt, unread, entropy });
        self.circuits.assert_open_where_due(webhook, self.now);
        if self.endpoints.get(&webhook).is_some_and(|it| matches!(it.target, Target::Receiver(_))) {
            self.streaks.assert_held_where_due(webhook);
        }
    }

    fn hear(&mut self) {
        if let Some(notice) = self.log.next_notice() {
            self.take(notice);
        }
    }

    fn take(&mut self, notice: Input) {
        match &notice {
            Input::Retried(pending) => {
                self.due.insert(pending.id, pending.due);
                self.ended.remove(&pending.id);
                self.batches.waits(*pending);
            }
            Input::Canceled(canceled) => {
                self.ended.extend(canceled.iter().map(|pending| pending.id));
                for pending in canceled {
                    self.batches.forget(pending.id);
                }
            }
            Input::Accepted(accepted) => accepted.iter().for_each(|pending| self.batches.waits(*pending)),
            _ => {}
        }
        self.feed(notice);
    }

    fn pass_time(&mut self) {
        self.now = match self.rng.u32(0..10) {
            0..6 => self.now + Duration::from_millis(self.rng.u64(0..500)),
            6..9 => self.engine.next_wake().unwrap_or(self.now).max(self.now),
            _ => self.now + Duration::from_secs(self.rng.u64(0..300_000)),
        };
        self.feed(Input::Tick);
    }

    fn publish(&mut self) {
        let mut webhooks: Vec<_> = self.endpoints.keys().copied().collect();
        self.rng.shuffle(&mut webhooks);
        webhooks.truncate(self.rng.usize(0..4));
        if self.rng.u32(0..20) == 0 {
            webhooks.extend(self.rng.choice(&self.removed).copied());
        }
        // Few of them, so that they are long; and whatever its webhook says, a delivery may stand in none.
        let mut line = || self.rng.bool().then(|| Line::from_u64(self.rng.u64(1..3)));
        let targets: Vec<_> = webhooks.into_iter().map(|webhook| (webhook, line())).collect();
        let kind = if self.rng.u32(0..10) == 0 { Kind::Test } else { Kind::Event };
        let ids: Vec<_> = targets.iter().map(|_| self.fresh_id()).collect();
        for (&id, &(webhook, line)) in ids.iter().zip(&targets) {
            self.lines.accepted(webhook, line, id);
        }
        let size = if self.rng.bool() { 100 } else { self.rng.u32(0..600_000) };
        self.log.publish(&ids, &targets, kind, size, self.now);
        self.due.extend(ids.iter().map(|&id| (id, self.now)));
        self.accepted.extend(ids);
    }

    fn fresh_id(&mut self) -> DeliveryId {
        self.next_id += 1;
        DeliveryId::from_u64(self.next_id)
    }

    fn any_delivery(&mut self) -> Option<DeliveryId> {
        let ids: Vec<_> = self.log.rows().keys().copied().collect();
        self.rng.choice(ids)
    }

    fn retry_by_hand(&mut self) {
        if let Some(id) = self.any_delivery() {
            let webhook = self.log.rows()[&id].webhook;
            if self.endpoints.contains_key(&webhook) {
                self.lines.retried(id);
                self.log.retry(id, self.now);
            }
        }
    }

    fn cancel_by_hand(&mut self) {
        let id = self.any_delivery();
        self.log.cancel(id, self.now);
    }

    fn any_webhook(&mut self) -> Option<WebhookId> {
        let webhooks: Vec<_> = self.endpoints.keys().copied().collect();
        self.rng.choice(webhooks)
    }

    fn create_webhook(&mut self) {
        let made_again = self.removed.pop().filter(|_| self.rng.bool());
        let webhook = made_again.unwrap_or_else(|| WebhookId::from_uid(Uuid::from_u128(self.rng.u128(..))));
        self.tempers.insert(webhook, if self.neglected { Temper::Failing } else { Temper::Healthy });
        self.put_webhook(webhook, false);
        if !self.neglected {
            self.change_temper();
        }
    }

    fn change_webhook(&mut self) {
        if let Some(webhook) = self.any_webhook() {
            let held = self.rng.bool();
            self.put_webhook(webhook, held);
        }
    }

    fn put_webhook(&mut self, webhook: WebhookId, held: bool) {
        self.generation += 1;
        let dead_letter = self.any_webhook().filter(|_| self.rng.bool()).map(name);
        let mut endpoint = webhook::any(&mut self.rng, webhook, self.generation, held);
        endpoint.dead_letter = dead_letter;
        // Requests that were allowed when they were sent may be under way still.
        let under_way = self.flights.values().filter(|flight| flight.webhook == webhook).count();
        endpoint.max_in_flight = endpoint.max_in_flight.max(u32::try_from(under_way).unwrap());
        let endpoint = Arc::new(endpoint);
        self.pace.heed(&endpoint);
        self.circuits.heed(&endpoint);
        self.streaks.heed(webhook, endpoint.generation);
        self.endpoints.insert(webhook, Arc::clone(&endpoint));
        self.feed(Input::Upsert(endpoint));
    }

    fn remove_webhook(&mut self) {
        if let Some(webhook) = self.any_webhook() {
            self.endpoints.remove(&webhook);
            self.quiet.remove(&webhook);
            self.pace.forget(webhook);
            self.circuits.forget(webhook);
            self.removed.push(webhook);
            self.feed(Input::Remove(webhook));
        }
    }

    fn change_temper(&mut self) {
        let temper = Temper::any(&mut self.rng);
        if let Some(webhook) = self.any_webhook() {
            self.tempers.insert(webhook, temper);
        }
    }

    fn crash(&mut self) {
        self.log.crash();
        self.flights.clear();
        self.lines.crash();
        self.restraints = Restraints::default();
        self.quiet.clear();
        self.pace = Pace::default();
        self.circuits = Circuits::default();
        self.streaks = Streaks::remembered(self.log.streaks());
        self.batches = Batches::default();
        self.ended.clear();
        self.due.clear();
        self.gone.clone_from(self.log.gone());
        for (&id, row) in self.log.rows() {
            if let Some(pending) = row.pending(id) {
                self.due.insert(id, pending.due);
                self.batches.waits(pending);
            } else {
                self.ended.insert(id);
            }
        }
        self.engine = Engine::new(LIMITS);
        let endpoints: Vec<_> = self.endpoints.values().cloned().collect();
        for endpoint in endpoints {
            self.pace.heed(&endpoint);
            self.circuits.heed(&endpoint);
            self.streaks.heed(endpoint.id, endpoint.generation);
            self.feed(Input::Upsert(endpoint));
        }
        self.feed(Input::Synced(self.endpoints.keys().copied().collect()));
    }
}
