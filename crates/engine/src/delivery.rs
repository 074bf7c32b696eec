//! A delivery: one event on its way to one webhook.

use crate::attempt::Attempt;
use crate::id::{BatchId, DeliveryId, EventKey, WebhookId};
use crate::ordering::Line;
use crate::time::Time;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for its next attempt, not before `due`.
    Pending {
        /// The earliest time of the next attempt.
        due: Time,
    },
    /// Ended: the receiver took it.
    Delivered,
    /// Ended: the retry budget is spent, or the receiver wants no more. Can be retried by hand.
    Failed,
    /// Ended in the same way, and handed to the webhook's dead-letter webhook.
    DeadLettered,
    /// Ended: by the user, or because the webhook is gone.
    Canceled,
}

/// Why a delivery is made, and with it what becomes of one that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The webhook subscribes to the event, or somebody sends it: retried, and in the end handed to
    /// the webhook's dead-letter webhook.
    #[default]
    Event,
    /// Another webhook's delivery failed: retried, but handed no further, so that no event goes
    /// round in circles.
    DeadLetter,
    /// Somebody wants to know whether it works: tried once.
    Test,
}

impl State {
    /// Whether nothing more will happen by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending { .. })
    }
}

/// What the engine must know of a delivery that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The delivery.
    pub id: DeliveryId,
    /// Its event.
    pub event: EventKey,
    /// Its webhook.
    pub webhook: WebhookId,
    /// Attempts charged so far.
    pub attempts: u32,
    /// Attempts already made when the present retry budget began: 0, or the count at the last
    /// retry by hand.
    pub budget_from: u32,
    /// Why it was made.
    pub kind: Kind,
    /// Earliest time of the next attempt.
    pub due: Time,
    /// The line it stands in, if it stands in one. It is the first of it: the log holds back the others.
    pub line: Option<Line>,
    /// The batch that it belongs to: those due with it in the same batch go with it, and wait for no
    /// others. `None`: it is loose, and free to be gathered with others that are. Only webhooks that
    /// send batches care.
    pub batch: Option<BatchId>,
    /// What its event takes in the log, in bytes: all of the body but the envelope.
    pub size: u32,
}

/// A change of a delivery, for the store: the attempt that caused it and where the delivery stands
/// after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The delivery.
    pub id: DeliveryId,
    /// Its event.
    pub event: EventKey,
    /// Its webhook.
    pub webhook: WebhookId,
    /// Attempts charged so far, this one included.
    pub attempts: u32,
    /// The retry budget that this was decided under, see [`Pending::budget_from`]. A retry by hand
    /// that the decision did not know of stands; so does a cancellation, unless the receiver took it.
    pub budget_from: u32,
    /// Where it stands now.
    pub state: State,
    /// Where the event goes instead, where the delivery is dead-lettered now.
    pub dead_letter: Option<WebhookId>,
    /// The batch that it belongs to from now on, see [`Pending::batch`].
    pub batch: Option<BatchId>,
    /// When this was decided.
    pub at: Time,
    /// The attempt, unless it was not charged.
    pub attempt: Option<Attempt>,
}

impl Record {
    /// Where a delivery stands that was part of no request: it leaves its batch.
    pub(crate) const fn unsent(pending: &Pending, state: State, at: Time) -> Self {
        let Pending {
            id,
            event,
            webhook,
            attempts,
            budget_from,
            kind: _,
            due: _,
            line: _,
            batch: _,
            size: _,
        } = *pending;
        let (dead_letter, batch, attempt) = (None, None, None);
        Self { id, event, webhook, attempts, budget_from, state, dead_letter, batch, at, attempt }
    }
}

/// A place in the order in which a webhook's deliveries fall due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When the delivery falls due.
    pub due: Time,
    /// Its batch: those of one stand together.
    pub batch: Option<BatchId>,
    /// The delivery, which orders those of one batch, and those of none.
    pub id: DeliveryId,
}

impl Position {
    /// Whether they belong to the same batch.
    #[must_use]
    pub fn is_with(&self, other: Self) -> bool {
        (self.due, self.batch) == (other.due, other.batch)
    }
}

impl Pending {
    /// Its place in the order of its webhook.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position { due: self.due, batch: self.batch, id: self.id }
    }
}
