//! A store under test, and what the tests put into it.

use std::path::Path;
use std::time::Duration;

use hookwright_engine::attempt::{Attempt, Failure, FailureReason, Outcome};
use hookwright_engine::delivery::{Kind, Pending, Record, State};
use hookwright_engine::event::Draft;
use hookwright_engine::id::{DeliveryId, EventId, WebhookId};
use hookwright_engine::ordering::Line;
use hookwright_engine::time::Time;
use tempfile::TempDir;
use uuid::Uuid;

use crate::clock::Clock;
use crate::store::{
    Command, Handle, Notice, Notices, Page, Publish, PublishError, Receipt, Retention, Service, Target,
};

/// What the driver was told of deliveries.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Told {
    pub accepted: Vec<Pending>,
    pub parked: Vec<Pending>,
    pub canceled: Vec<Pending>,
}

/// Opens the store that is in a directory, or makes it.
pub(in crate::store) type Open = fn(&Path, Retention, Clock) -> (Handle, Notices, Service);

/// Keeps everything that a test writes.
pub(in crate::store) const AMPLE: Retention =
    Retention { age: Duration::from_hours(7 * 24), max_bytes: 256 * 1024 * 1024 };

/// A store under test.
pub(in crate::store) struct Log {
    pub handle: Handle,
    pub clock: Clock,
    notices: Notices,
    service: Service,
    directory: TempDir,
    retention: Retention,
    open: Open,
}

impl Log {
    pub(in crate::store) fn new(open: Open) -> Self {
        Self::with(open, AMPLE)
    }

    pub(in crate::store) fn with(open: Open, retention: Retention) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let (handle, notices, service) = open(directory.path(), retention, clock.clone());
        Self { handle, clock, notices, service, directory, retention, open }
    }

    pub(in crate::store) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Ends it in order and opens it again.
    pub(in crate::store) async fn reopen(self) -> Self {
        let Self { handle: _, clock, notices, service, directory, retention, open } = self;
        drop(notices);
        service.shutdown().await.unwrap();
        let (handle, notices, service) = open(directory.path(), retention, clock.clone());
        Self { handle, clock, notices, service, directory, retention, open }
    }

    /// Ends it in order and leaves a handle behind.
    pub(in crate::store) async fn end(self) -> Handle {
        drop(self.notices);
        self.service.shutdown().await.unwrap();
        self.handle
    }

    /// Publishes an event to webhooks, which must succeed.
    pub(in crate::store) async fn publish(&self, id: &str, targets: &[u128]) -> Receipt {
        self.try_publish(event(id, targets)).await.unwrap()
    }

    pub(in crate::store) async fn try_publish(&self, publish: Publish) -> Result<Receipt, PublishError> {
        self.handle.publish(publish).await
    }

    /// Publishes an event to one webhook and gives its delivery.
    pub(in crate::store) async fn delivery(&mut self, id: &str, target: u128) -> Pending {
        self.publish(id, &[target]).await;
        self.accepted()[0]
    }

    /// Hands over a command and waits until it is carried out.
    pub(in crate::store) async fn command(&self, command: Command) {
        self.handle.command(vec![command]).await.unwrap();
        self.settled().await;
    }

    pub(in crate::store) async fn record(&self, record: Record) {
        self.command(Command::Record(Box::new(record))).await;
    }

    /// Waits until all commands are carried out: requests come behind them.
    pub(in crate::store) async fn settled(&self) {
        let unknown = DeliveryId::from_u64(1);
        while self.handle.cancel(unknown).await.unwrap().is_some() || self.handle.stats().backlog > 0 {}
    }

    /// What the driver was told since the last call.
    pub(in crate::store) fn notices(&mut self) -> Vec<Notice> {
        std::iter::from_fn(|| self.notices.try_recv().ok()).collect()
    }

    /// The deliveries the driver was told to send since the last call; it was told nothing else.
    pub(in crate::store) fn accepted(&mut self) -> Vec<Pending> {
        let pending = self.notices().into_iter().map(|notice| match notice {
            Notice::Accepted { event: _, pending } => pending,
            other => panic!("expected accepted deliveries, got {other:?}"),
        });
        pending.flatten().collect()
    }

    /// The deliveries the driver was told not to send since the last call; it was told nothing else.
    pub(in crate::store) fn canceled(&mut self) -> Vec<Pending> {
        let pending = self.notices().into_iter().map(|notice| match notice {
            Notice::Canceled(pending) => pending,
            other => panic!("expected canceled deliveries, got {other:?}"),
        });
        pending.flatten().collect()
    }

    /// What the driver was told of deliveries since the last call.
    pub(in crate::store) fn told(&mut self) -> Told {
        let mut told = Told::default();
        for notice in self.notices() {
            match notice {
                Notice::Accepted { event: _, pending } => told.accepted.extend(pending),
                Notice::Parked(parked) => told.parked.extend(parked),
                Notice::Canceled(canceled) => told.canceled.extend(canceled),
                Notice::Loaded { .. } => panic!("expected no page, got {notice:?}"),
            }
        }
        told
    }

    /// Reads a page of unfinished deliveries.
    pub(in crate::store) async fn load(
        &mut self,
        target: u128,
        after: Option<Pending>,
        limit: usize,
    ) -> Page {
        let after = after.map(|pending| pending.position());
        self.command(Command::Load { webhook: webhook(target), after, limit }).await;
        match self.notices().pop() {
            Some(Notice::Loaded { webhook: of, page }) if of == webhook(target) => page,
            other => panic!("expected a page, got {other:?}"),
        }
    }

    pub(in crate::store) async fn state(&self, id: DeliveryId) -> State {
        self.handle.delivery(id).await.unwrap().unwrap().state
    }

    /// Waits until something holds that the store brings about by itself.
    pub(in crate::store) async fn until(&self, what: &str, mut holds: impl AsyncFnMut(&Handle) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while !holds(&self.handle).await {
            assert!(tokio::time::Instant::now() < deadline, "waited too long until {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

pub(in crate::store) fn webhook(number: u128) -> WebhookId {
    WebhookId::from_uid(Uuid::from_u128(number))
}

pub(in crate::store) fn webhooks(numbers: &[u128]) -> Vec<WebhookId> {
    numbers.iter().copied().map(webhook).collect()
}

pub(in crate::store) fn origin(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// An event as its producer gives it; without an id where `id` is empty.
pub(in crate::store) fn event(id: &str, targets: &[u128]) -> Publish {
    let id = if id.is_empty() { "null".to_owned() } else { format!("{id:?}") };
    Publish {
        namespace: "default".into(),
        draft: draft(&format!(r#"{{"id":{id},"type":"user.created","data":{{"n":1}}}}"#)),
        targets: webhooks(targets).into_iter().map(Target::from).collect(),
        kind: Kind::Event,
        origin: None,
    }
}

/// An event whose delivery to a webhook joins a line there.
pub(in crate::store) fn in_line(id: &str, target: u128, line: u64) -> Publish {
    Publish { targets: vec![lined(target, Some(line))], ..event(id, &[]) }
}

pub(in crate::store) fn lined(target: u128, line: Option<u64>) -> Target {
    Target { webhook: webhook(target), line: line.map(Line::from_u64) }
}

pub(in crate::store) fn draft(json: &str) -> Draft {
    Draft::parse(json.as_bytes()).unwrap()
}

pub(in crate::store) fn event_id(id: &str) -> EventId {
    id.parse().unwrap()
}

/// An attempt that a receiver answered with `status`.
pub(in crate::store) fn answered(status: u16, started: Time) -> Attempt {
    Attempt {
        started,
        elapsed: Duration::from_millis(12),
        outcome: Outcome::Responded { status, retry_after: None },
        response: b"ok".to_vec(),
    }
}

/// An attempt that no receiver answered.
pub(in crate::store) fn unanswered(reason: FailureReason, started: Time) -> Attempt {
    let outcome = Outcome::Failed(Failure { reason, message: "nobody is there".to_owned() });
    Attempt { started, elapsed: Duration::from_micros(1_500), outcome, response: Vec::new() }
}

/// The record of an attempt at a delivery, after which it stands at `state`.
pub(in crate::store) fn record(pending: Pending, attempt: Attempt, state: State) -> Record {
    let Pending { id, event, webhook, attempts, budget_from, batch, .. } = pending;
    let at = attempt.started + attempt.elapsed;
    Record {
        id,
        event,
        webhook,
        attempts: attempts + 1,
        budget_from,
        state,
        dead_letter: None,
        batch,
        at,
        attempt: Some(attempt),
    }
}

/// The record of a first attempt that was answered well.
pub(in crate::store) fn success(pending: Pending, now: Time) -> Record {
    record(pending, answered(200, now), State::Delivered)
}

/// The record of an attempt that failed, with another one due at `due`.
pub(in crate::store) fn failure(pending: Pending, now: Time, due: Time) -> Record {
    record(pending, answered(500, now), State::Pending { due })
}

/// A delivery after so many attempts.
pub(in crate::store) fn after(pending: Pending, attempts: u32) -> Pending {
    Pending { attempts, ..pending }
}
