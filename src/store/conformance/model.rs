//! Random work on a store and on a model of it, which must agree.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use hookwright_engine::delivery::{Pending, Record, State};
use hookwright_engine::id::{BatchId, DeliveryId};
use hookwright_engine::time::Time;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::log::{Log, Open, Told, answered, event, lined, origin, webhook};
use crate::store::{Command, Group, Publish, Query, Target};

const WEBHOOKS: u128 = 3;

/// Something done to a store. Deliveries are named by their place among those made so far.
#[derive(Clone, Debug)]
enum Step {
    Publish { id: u8, targets: Vec<u128>, line: Option<u64> },
    Send { id: u8, target: u128, line: Option<u64>, origin: u128 },
    Record { delivery: usize, status: u16, end: End, stale: bool },
    Retry(usize),
    Cancel(usize),
    Replay { of: usize, target: u128, line: Option<u64>, origin: u128 },
    CancelWebhook(u128),
    CancelOthers(Vec<u128>),
    Reopen,
}

/// Where a record says that its delivery stands.
#[derive(Clone, Copy, Debug)]
enum End {
    Later,
    Delivered,
    Failed,
    DeadLettered,
    Uncharged,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let target = 0..WEBHOOKS;
    let targets = prop::sample::subsequence((0..WEBHOOKS).collect::<Vec<_>>(), 0..=3);
    let end = prop_oneof![
        Just(End::Later),
        Just(End::Delivered),
        Just(End::Failed),
        Just(End::DeadLettered),
        Just(End::Uncharged)
    ];
    let step = prop_oneof![
        8 => (0..24_u8, targets.clone(), line())
            .prop_map(|(id, targets, line)| Step::Publish { id, targets, line }),
        2 => (0..24_u8, target.clone(), line(), 0..6_u128)
            .prop_map(|(id, target, line, origin)| Step::Send { id, target, line, origin }),
        8 => (0..40_usize, prop_oneof![Just(200_u16), Just(500)], end, any::<bool>())
            .prop_map(|(delivery, status, end, stale)| Step::Record { delivery, status, end, stale }),
        2 => (0..40_usize).prop_map(Step::Retry),
        2 => (0..40_usize).prop_map(Step::Cancel),
        1 => (0..40_usize, target.clone(), line(), 0..6_u128)
            .prop_map(|(of, target, line, origin)| Step::Replay { of, target, line, origin }),
        1 => target.prop_map(Step::CancelWebhook),
        1 => targets.prop_map(Step::CancelOthers),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

/// Few, so that they are long.
fn line() -> impl Strategy<Value = Option<u64>> {
    prop::option::of(1..3_u64)
}

/// A delivery as the model knows it.
#[derive(Clone, Copy, Debug)]
struct Known {
    event: u8,
    pending: Pending,
    state: State,
    parked: bool,
    /// The budget before the last retry by hand: what an attempt under way then knows of.
    stale_budget: u32,
}

impl Known {
    const fn group(&self) -> Group {
        match self.state {
            State::Pending { .. } if self.pending.attempts == 0 => Group::Pending,
            State::Pending { .. } => Group::Retrying,
            State::Delivered => Group::Delivered,
            State::Failed | State::DeadLettered => Group::Failed,
            State::Canceled => Group::Canceled,
        }
    }
}

#[derive(Debug, Default)]
struct Model {
    deliveries: BTreeMap<DeliveryId, Known>,
    /// The deliveries made with an event.
    events: BTreeMap<u8, Vec<DeliveryId>>,
    origins: BTreeMap<u128, DeliveryId>,
    /// Grows with each attempt, so that no two are the same.
    now: i64,
}

pub(in crate::store) fn check(open: Open) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&steps(), |steps| {
            runtime.block_on(run(open, steps));
            Ok(())
        })
        .unwrap();
}

async fn run(open: Open, steps: Vec<Step>) {
    let mut log = Log::new(open);
    let mut model = Model { now: log.clock.now().as_millis(), ..Model::default() };
    for step in steps {
        if matches!(step, Step::Reopen) {
            log = log.reopen().await;
        } else {
            model.step(&mut log, step).await;
        }
        log.settled().await;
    }
    model.compare(&mut log).await;
    model.compare(&mut log.reopen().await).await;
}

impl Model {
    async fn step(&mut self, log: &mut Log, step: Step) {
        match step {
            Step::Publish { id, targets, line } => self.publish(log, id, &targets, line).await,
            Step::Send { id, target, line, origin: by } => self.send(log, id, lined(target, line), by).await,
            Step::Record { delivery, status, end, stale } => {
                let Some(id) = self.nth(delivery) else { return };
                let record = self.record(id, status, end, stale);
                log.record(record).await;
                let told = log.told();
                let Known { pending, state, .. } = self.deliveries[&id];
                self.released(state.is_final().then_some(pending), &told.accepted);
                assert!(told.parked.is_empty() && told.canceled.is_empty());
            }
            Step::Retry(delivery) => {
                let Some(id) = self.nth(delivery) else { return };
                log.handle.retry(id).await.unwrap().unwrap();
                self.retry(id, log.told());
            }
            Step::Cancel(delivery) => {
                let Some(id) = self.nth(delivery) else { return };
                log.handle.cancel(id).await.unwrap().unwrap();
                self.cancel(log, |known| known.pending.id == id);
            }
            Step::Replay { of, target, line, origin: by } => {
                let Some(of) = self.nth(of) else { return };
                let id = log.handle.replay(of, lined(target, line), origin(by)).await.unwrap().unwrap();
                let event = self.deliveries[&of].event;
                if !self.origins.contains_key(&by) {
                    assert_eq!(self.made(log, event), [id]);
                }
                assert_eq!(*self.origins.entry(by).or_insert(id), id);
            }
            Step::CancelWebhook(target) => {
                log.command(Command::CancelWebhook(webhook(target))).await;
                self.cancel(log, |known| known.pending.webhook == webhook(target));
            }
            Step::CancelOthers(targets) => {
                let others: HashSet<_> = targets.into_iter().map(webhook).collect();
                log.command(Command::CancelOthers(others.clone())).await;
                self.cancel(log, |known| !others.contains(&known.pending.webhook));
            }
            Step::Reopen => unreachable!("needs the log itself"),
        }
        assert!(log.notices().is_empty());
    }

    fn nth(&self, place: usize) -> Option<DeliveryId> {
        self.deliveries.keys().nth(place % self.deliveries.len().max(1)).copied()
    }

    async fn publish(&mut self, log: &mut Log, id: u8, targets: &[u128], line: Option<u64>) {
        let targets: Vec<_> = targets.iter().map(|&target| lined(target, line)).collect();
        let asked = Publish { targets: targets.clone(), ..event(&format!("evt_{id}"), &[]) };
        let receipt = log.try_publish(asked).await.unwrap();
        assert_eq!(receipt.duplicate, self.events.contains_key(&id));
        if !receipt.duplicate {
            let made = self.made(log, id);
            assert_eq!(made.len(), targets.len());
            self.events.insert(id, made);
        }
        assert_eq!(receipt.deliveries, self.events[&id]);
    }

    async fn send(&mut self, log: &mut Log, id: u8, target: Target, by: u128) {
        let event = event(&format!("evt_{id}"), &[]);
        let asked = Publish { origin: Some(origin(by)), targets: vec![target], ..event };
        let receipt = log.try_publish(asked).await.unwrap();
        let [delivery] = receipt.deliveries[..] else { panic!("expected one, got {receipt:?}") };
        let sent = |known: &Known| known.event == id && known.pending.webhook == target.webhook;
        if let Some(first) = self.origins.get(&by) {
            assert_eq!((receipt.duplicate, delivery), (true, *first));
        } else if self.deliveries.values().any(sent) {
            assert!(receipt.duplicate && sent(&self.deliveries[&delivery]));
        } else {
            assert_eq!(receipt.duplicate, self.events.contains_key(&id));
            let made = self.made(log, id);
            assert_eq!(made, [delivery]);
            self.events.entry(id).or_insert(made);
        }
        self.origins.entry(by).or_insert(delivery);
    }

    /// Takes over the deliveries that the driver was told of.
    fn made(&mut self, log: &mut Log, event: u8) -> Vec<DeliveryId> {
        let Told { accepted, parked, canceled } = log.told();
        assert!(canceled.is_empty());
        let mut made: Vec<_> = [accepted.clone(), parked].concat();
        made.sort_by_key(|pending| pending.id);
        for &pending in &made {
            let parked = self.is_taken(&pending);
            assert_eq!(parked, !accepted.contains(&pending), "whoever joins a line waits, and nobody else");
            let state = State::Pending { due: pending.due };
            self.deliveries.insert(pending.id, Known { event, pending, state, parked, stale_budget: 0 });
        }
        made.into_iter().map(|pending| pending.id).collect()
    }

    fn in_line(&self, with: &Pending) -> impl Iterator<Item = &Known> {
        let Pending { id, webhook, line, .. } = *with;
        let same = move |known: &&Known| {
            let Pending { id: other, webhook: of, line: there, .. } = known.pending;
            line.is_some() && (of, there) == (webhook, line) && other != id
        };
        self.deliveries.values().filter(same).filter(|known| !known.state.is_final())
    }

    fn is_taken(&self, by_others_than: &Pending) -> bool {
        self.in_line(by_others_than).next().is_some()
    }

    /// A delivery has ended, or none: the driver was told of the next in its line, if it is its turn.
    fn released(&mut self, ended: Option<Pending>, told: &[Pending]) {
        let next = ended.filter(|ended| self.in_line(ended).all(|known| known.parked));
        let next = next.and_then(|ended| self.in_line(&ended).map(|known| known.pending.id).min());
        let Some(known) = next.and_then(|id| self.deliveries.get_mut(&id)) else {
            assert!(told.is_empty(), "it is nobody's turn, but {told:?}");
            return;
        };
        known.pending.due = told[0].due;
        known.state = State::Pending { due: told[0].due };
        known.parked = false;
        assert_eq!(told, [known.pending]);
    }

    fn retry(&mut self, id: DeliveryId, told: Told) {
        let known = self.deliveries[&id];
        if !known.state.is_final() && known.pending.attempts == known.pending.budget_from {
            assert_eq!(told, Told::default(), "it is due already");
            return;
        }
        let parked = if known.state.is_final() { self.is_taken(&known.pending) } else { known.parked };
        let told = if parked { [told.parked, told.accepted] } else { [told.accepted, told.parked] };
        let due = told[0][0].due;
        let pending = Pending { budget_from: known.pending.attempts, due, batch: None, ..known.pending };
        let stale_budget = known.pending.budget_from;
        let retried = Known { pending, state: State::Pending { due }, parked, stale_budget, ..known };
        self.deliveries.insert(id, retried);
        assert_eq!(told, [vec![pending], Vec::new()]);
    }

    fn record(&mut self, id: DeliveryId, status: u16, end: End, stale: bool) -> Record {
        self.now += 1;
        let now = Time::from_millis(self.now);
        let due = now + Duration::from_mins(1);
        let known = self.deliveries.get_mut(&id).unwrap();
        let budget_from = if stale { known.stale_budget } else { known.pending.budget_from };
        let (to, attempt) = match end {
            End::Later => (State::Pending { due }, Some(answered(status, now))),
            End::Delivered => (State::Delivered, Some(answered(status, now))),
            End::Failed => (State::Failed, Some(answered(status, now))),
            End::DeadLettered => (State::DeadLettered, Some(answered(status, now))),
            End::Uncharged => (State::Pending { due }, None),
        };
        let attempts = known.pending.attempts + u32::from(attempt.is_some());
        let batch = (status == 500).then(|| BatchId::of([id]));
        let overtaken = known.state.is_final() || budget_from < known.pending.budget_from;
        if to == State::Delivered || !overtaken {
            known.state = to;
            known.pending.batch = batch;
        }
        match known.state {
            State::Pending { due } => known.pending.due = due,
            _ => known.parked = false,
        }
        known.pending.attempts = attempts;
        let Pending { event, webhook, .. } = known.pending;
        let (dead_letter, at) = (None, now);
        Record { id, event, webhook, attempts, budget_from, state: to, dead_letter, batch, at, attempt }
    }

    /// Deliveries are canceled, and the driver is told so.
    fn cancel(&mut self, log: &mut Log, which: impl Fn(&Known) -> bool) {
        let unfinished = self.deliveries.values_mut().filter(|known| !known.state.is_final() && which(known));
        let mut expected = Vec::new();
        for known in unfinished {
            known.state = State::Canceled;
            known.parked = false;
            expected.push(known.pending);
        }
        let Told { accepted, parked, mut canceled } = log.told();
        canceled.sort_by_key(|pending| pending.id);
        assert_eq!((canceled, parked), (expected.clone(), Vec::new()));
        // One: the first of its line, perhaps. More: all that their lines had.
        let first = expected.first().filter(|_| expected.len() == 1);
        self.released(first.copied(), &accepted);
    }

    async fn compare(&self, log: &mut Log) {
        for (id, known) in &self.deliveries {
            let found = log.handle.delivery(*id).await.unwrap().unwrap();
            let expected = (known.state, known.parked, known.pending.attempts);
            assert_eq!((found.state, found.parked, found.attempts), expected, "{id}");
            let numbers = log.handle.attempts(*id).await.unwrap().into_iter().map(|(number, _)| number);
            assert!(numbers.eq(1..=known.pending.attempts), "{id}");
        }
        for (by, id) in &self.origins {
            assert_eq!(log.handle.delivery_of(origin(*by)).await.unwrap().unwrap().id, *id);
        }
        for target in 0..WEBHOOKS {
            self.compare_webhook(log, target).await;
        }
    }

    async fn compare_webhook(&self, log: &mut Log, target: u128) {
        let of = || self.deliveries.values().filter(|known| known.pending.webhook == webhook(target));
        let due = of().filter(|known| !known.state.is_final() && !known.parked);
        let mut unfinished: Vec<_> = due.map(|known| known.pending).collect();
        unfinished.sort_by_key(Pending::position);
        assert_eq!(log.load(target, None, 1000).await.pending, unfinished);

        let count = |group| of().filter(|known| known.group() == group).count() as u64;
        let summary = log.handle.summary(webhook(target)).await.unwrap();
        let counted = [summary.pending, summary.retrying, summary.delivered, summary.failed];
        let groups = [Group::Pending, Group::Retrying, Group::Delivered, Group::Failed];
        assert_eq!(counted, groups.map(count), "the summary equals a recount");
        let retrying = unfinished.iter().filter(|pending| pending.attempts > 0);
        assert_eq!(summary.next_retry, retrying.map(|pending| pending.due).min());

        for group in [groups.as_slice(), &[Group::Canceled]].concat() {
            let query = Query { group: Some(group), limit: 1000, ..Query::default() };
            let found = log.handle.deliveries(webhook(target), query).await.unwrap();
            let expected = of().filter(|known| known.group() == group).map(|known| known.pending.id).rev();
            assert!(found.iter().map(|delivery| delivery.id).eq(expected), "{group:?}");
        }
    }
}
