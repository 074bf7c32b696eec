//! What the engine asks of the log, and what the log answers.

use std::collections::HashSet;

use crate::delivery::{Pending, Position, Record};
use crate::id::WebhookId;
use crate::streak::Streak;

/// What the engine asks of the log. Carried out in order, and behind everything accepted before.
#[derive(Clone, Debug)]
pub enum Command {
    /// Write down what became of a delivery. Repeated until it succeeds.
    Record(Box<Record>),
    /// Read unfinished deliveries of a webhook behind `after`, answered by a [`Page`].
    Load {
        /// The webhook.
        webhook: WebhookId,
        /// Where to go on; `None` from the begin.
        after: Option<Position>,
        /// At most so many.
        limit: usize,
    },
    /// The webhook is gone: cancel all its unfinished deliveries.
    CancelWebhook(WebhookId),
    /// Cancel the unfinished deliveries of all webhooks but these.
    CancelOthers(HashSet<WebhookId>),
    /// The receiver answered 410 Gone at this generation of the webhook.
    Gone {
        /// The webhook.
        webhook: WebhookId,
        /// The generation of its object.
        generation: i64,
    },
    /// How long the receiver has done nothing but fail; `None`: it took the last delivery.
    Failing {
        /// The webhook.
        webhook: WebhookId,
        /// The failures.
        streak: Option<Streak>,
    },
}

/// A stretch of a webhook's unfinished deliveries in the order they fall due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The deliveries.
    pub pending: Vec<Pending>,
    /// Whether there are more behind the last one.
    pub more: bool,
    /// The generation of the webhook at which its receiver answered 410 Gone, if it did.
    pub gone_generation: Option<i64>,
    /// The failures of its receiver, while it does nothing else.
    pub streak: Option<Streak>,
}
