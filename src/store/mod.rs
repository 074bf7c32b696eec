//! The log of events, deliveries and attempts: the truth that everything else is derived from. Without
//! a cluster, also of the webhooks that the REST API made ([`Kept`]).
//!
//! ```text
//! Handle ── publish, retry, cancel, replay ──►┐
//!        ── commands of the driver ──────────►├─ queue ─► writer: one transaction, one fsync
//!                                             │                  ├─► answers
//! Notices ◄────────── in the order of commits ┴──────────────────┘
//! Handle ── delivery, summary, … ──► readers, beside the writer
//! ```
//!
//! Architecture Invariant: only this module touches the disk. What it has answered is durable.

use std::sync::Arc;
use std::time::Duration;

use hookwright_engine::attempt::Attempt;
pub use hookwright_engine::command::{Command, Page};
use hookwright_engine::delivery::{Kind, Pending, State};
use hookwright_engine::event::{Draft, Event};
use hookwright_engine::id::{DeliveryId, EventId, EventKey, WebhookId};
use hookwright_engine::ordering::Line;
use hookwright_engine::pattern::EventType;
use hookwright_engine::streak::Streak;
use hookwright_engine::time::Time;
use tokio::sync::mpsc;
use uuid::Uuid;

#[cfg(test)]
mod conformance;
mod handle;
mod kept;
mod queue;
mod redrive;
pub mod sqlite;
mod stats;

pub use handle::Handle;
pub use kept::Kept;
use redrive::Stretch;
pub use redrive::{Asked, Selection};
pub use sqlite::{Options, Service, backup, backup_to, open, restore};
pub use stats::Stats;

/// An event to be made durable together with its deliveries.
#[derive(Clone, Debug)]
pub struct Publish {
    /// Where it was published; ids are unique per namespace.
    pub namespace: Arc<str>,
    /// The event.
    pub draft: Draft,
    /// The webhooks that get it.
    pub targets: Vec<Target>,
    /// Why.
    pub kind: Kind,
    /// The UID of the `WebhookDelivery` object that asks for it; then there is one target, and
    /// the same origin never makes a second delivery.
    pub origin: Option<Uuid>,
}

/// A webhook that gets an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The webhook.
    pub webhook: WebhookId,
    /// The line that the delivery joins: it is sent when all before it have ended. `None`: at once.
    pub line: Option<Line>,
}

impl From<WebhookId> for Target {
    /// At once.
    fn from(webhook: WebhookId) -> Self {
        Self { webhook, line: None }
    }
}

/// An accepted event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its id, the producer's or a generated one.
    pub event_id: EventId,
    /// Its deliveries: those made now, or, for a repetition, those made the first time.
    pub deliveries: Vec<DeliveryId>,
    /// Whether the same event had been accepted before.
    pub duplicate: bool,
}

/// What the driver is told about, in the order of the commits.
#[derive(Debug)]
pub enum Notice {
    /// Deliveries are durable and may be sent: new ones, ones to be retried by hand, or ones whose turn it
    /// is in their line.
    Accepted {
        /// The event, where it is at hand.
        event: Option<(EventKey, Arc<Event>)>,
        /// The deliveries. One that is known already takes over `due` and its budget.
        pending: Vec<Pending>,
    },
    /// Deliveries are durable, and wait for others of their line: nothing is to be sent yet.
    Parked(Vec<Pending>),
    /// The answer to [`Command::Load`].
    Loaded {
        /// Whose deliveries.
        webhook: WebhookId,
        /// The deliveries.
        page: Page,
    },
    /// These deliveries were canceled and must not be sent any more.
    Canceled(Vec<Pending>),
}

/// A delivery as the log knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, which also says when it was made.
    pub id: DeliveryId,
    /// Its webhook.
    pub webhook: WebhookId,
    /// Its event.
    pub event: EventKey,
    /// The namespace of its event.
    pub namespace: Arc<str>,
    /// The id of its event.
    pub event_id: EventId,
    /// The type of its event.
    pub event_type: EventType,
    /// When it was made.
    pub created: Time,
    /// Where it stands.
    pub state: State,
    /// Whether it waits for others of its line to end; its state is then pending, and nothing is due.
    pub parked: bool,
    /// Attempts charged so far.
    pub attempts: u32,
    /// Attempts already made when the present retry budget began, see [`Pending::budget_from`].
    pub budget_from: u32,
    /// When it ended, if it has.
    pub finished: Option<Time>,
    /// The `WebhookDelivery` object that asked for it, if one did.
    pub origin: Option<Uuid>,
    /// Why it was made.
    pub kind: Kind,
    /// The delivery that failed, where this one is its dead letter.
    pub dead_letter_of: Option<DeliveryId>,
    /// Its own dead letter, where it was handed on.
    pub dead_letter: Option<DeliveryId>,
    /// The latest attempt, if there was one.
    pub last_attempt: Option<Attempt>,
}

/// Which deliveries of a webhook to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only delivered (true) or not delivered (false) ones.
    pub delivered: Option<bool>,
    /// Only those in this group of states; narrows further than `delivered`.
    pub group: Option<Group>,
    /// Only of events of this type.
    pub event_type: Option<EventType>,
    /// Only made at or after this time.
    pub since: Option<Time>,
    /// Only made before this time.
    pub until: Option<Time>,
    /// Only those made before this one: where the last page ended.
    pub before: Option<DeliveryId>,
    /// At most so many.
    pub limit: usize,
}

/// States that are counted and listed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Not yet attempted.
    Pending,
    /// Attempted, and to be attempted again.
    Retrying,
    /// Ended well.
    Delivered,
    /// Ended failed or dead-lettered.
    Failed,
    /// Ended by the user, or with the webhook.
    Canceled,
}

/// What the log knows of a webhook, kept up to date with every commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Deliveries not yet attempted.
    pub pending: u64,
    /// Deliveries attempted, and to be attempted again.
    pub retrying: u64,
    /// Deliveries that ended well, ever.
    pub delivered: u64,
    /// Deliveries that ended failed and were not retried since, ever.
    pub failed: u64,
    /// The earliest next attempt of the retrying ones.
    pub next_retry: Option<Time>,
    /// The delivery attempted last, with its last attempt.
    pub last: Option<Delivery>,
    /// The delivery whose attempt failed last, with that attempt as its last.
    pub last_failure: Option<(DeliveryId, Attempt)>,
    /// The generation of the webhook at which its receiver answered 410 Gone, if it did.
    pub gone_generation: Option<i64>,
    /// The failures of its receiver, while it does nothing else.
    pub streak: Option<Streak>,
}

impl Summary {
    /// Why a webhook of this generation is held by what its receiver did, if it is.
    #[must_use]
    pub fn held(&self, generation: i64) -> Option<Held> {
        if self.gone_generation == Some(generation) {
            return Some(Held::Gone);
        }
        self.streak.filter(|streak| streak.holds(generation)).map(Held::Failing)
    }
}

/// What a receiver did, so that its webhook is held until it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Held {
    /// It answered 410 Gone.
    #[error("the receiver answered 410 Gone: deliveries are held until the Webhook's spec changes")]
    Gone,
    /// It did nothing but fail for days.
    #[error(
        "no delivery has succeeded since {since}, in {attempts} attempts: deliveries are held until the Webhook's \
         spec changes, such as spec.suspend to true and back to false",
        since = .0.since, attempts = .0.attempts
    )]
    Failing(Streak),
}

impl Held {
    /// Why, in one word.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Gone => "Gone",
            Self::Failing(_) => "Failing",
        }
    }
}

/// How long the log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Ended deliveries, and events without unfinished ones, older than this are removed.
    pub age: Duration,
    /// The database may grow to this size, in bytes; the oldest ended deliveries make room.
    /// Where there is nothing to remove, publishing is refused. Outcomes are written all the same,
    /// beyond it without what receivers answered.
    pub max_bytes: u64,
}

/// Why an event was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Another event was accepted under this id within the last 24 hours.
    #[error("another event was accepted under the id '{0}' within the last 24 hours")]
    Conflict(EventId),
    /// Not durable, so not accepted: try again later.
    #[error(transparent)]
    Unavailable(#[from] Error),
}

/// Why the store could not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The disk, or the quota of the database, is full.
    #[error("the disk or the database's quota is full: {0}")]
    Full(String),
    /// Another process has the database open.
    #[error("another process uses the database {0}")]
    InUse(String),
    /// Written by a newer version of Hookwright.
    #[error("the database {path} has schema version {found}; this version of Hookwright knows up to {known}")]
    Newer {
        /// The file.
        path: String,
        /// Its schema version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A backup would take the place of a database.
    #[error("the database {0} is there already: name another folder with --data, or say --replace")]
    Exists(String),
    /// Not a database, or damaged.
    #[error(
        "the database {path} is damaged ({detail}); restore it from a copy, or move it away to begin an empty one"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What was found.
        detail: String,
    },
    /// Anything else the disk or the database said.
    #[error("failed to {action}: {detail}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// What happened.
        detail: String,
    },
    /// The store has been shut down.
    #[error("the store is shut down")]
    Closed,
}

/// What the driver gets beside the handle.
pub type Notices = mpsc::Receiver<Notice>;
