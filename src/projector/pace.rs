//! When which webhook is looked at: the first change after quiet at once, then at most once per
//! period. Pure.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use hookwright_engine::id::WebhookId;
use tokio::time::Instant;

/// How often a webhook is looked at while it changes.
pub const PERIOD: Duration = Duration::from_secs(10);
/// How often where its health changes.
const URGENT_PERIOD: Duration = Duration::from_secs(1);
/// From a change to the look: outcomes are told before they are written down.
const SETTLE: Duration = Duration::from_millis(100);

/// The webhooks to look at. Knows as many as exist, and of each no more than two times.
#[derive(Debug, Default)]
pub struct Pace {
    webhooks: HashMap<WebhookId, Turn>,
    queue: BTreeSet<(Instant, WebhookId)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    looked: Option<Instant>,
    due: Option<Instant>,
}

/// How soon a change must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// With the next turn.
    Usual,
    /// Within a second.
    Urgent,
}

impl Pace {
    /// A webhook has changed.
    pub fn mark(&mut self, webhook: WebhookId, urgency: Urgency, now: Instant) {
        let period = match urgency {
            Urgency::Usual => PERIOD,
            Urgency::Urgent => URGENT_PERIOD,
        };
        let looked = self.webhooks.get(&webhook).and_then(|turn| turn.looked);
        let due = looked.map_or(now, |looked| looked + period).max(now + SETTLE);
        self.schedule(webhook, due);
    }

    /// Looks at a webhook again after `delay`, however lately it was looked at.
    pub fn again(&mut self, webhook: WebhookId, delay: Duration, now: Instant) {
        self.schedule(webhook, now + delay);
    }

    /// The webhook is gone.
    pub fn forget(&mut self, webhook: WebhookId) {
        if let Some(Turn { due: Some(due), .. }) = self.webhooks.remove(&webhook) {
            self.queue.remove(&(due, webhook));
        }
    }

    /// When there is something to look at.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.queue.first().map(|&(due, _)| due)
    }

    /// The webhook whose turn it is, if any.
    pub fn take(&mut self, now: Instant) -> Option<WebhookId> {
        let &(due, webhook) = self.queue.first().filter(|(due, _)| *due <= now)?;
        self.queue.remove(&(due, webhook));
        self.webhooks.insert(webhook, Turn { looked: Some(now), due: None });
        Some(webhook)
    }

    /// The earlier of two turns counts.
    fn schedule(&mut self, webhook: WebhookId, due: Instant) {
        let turn = self.webhooks.entry(webhook).or_default();
        if let Some(earlier) = turn.due {
            if earlier <= due {
                return;
            }
            self.queue.remove(&(earlier, webhook));
        }
        turn.due = Some(due);
        self.queue.insert((due, webhook));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn webhook(n: u128) -> WebhookId {
        WebhookId::from_uid(Uuid::from_u128(n))
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_changes_are_one_look_per_period() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        let mut looks = 0;
        for step in 0..1000 {
            let now = begin + Duration::from_millis(30 * step);
            pace.mark(webhook(1), Urgency::Usual, now);
            looks += u32::from(pace.take(now).is_some());
        }
        assert_eq!(looks, 3); // 0.1 s, 10.1 s, 20.1 s of 30 s.
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_change_after_quiet_and_an_urgent_one_show_at_once() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        pace.mark(webhook(1), Urgency::Usual, begin);
        assert_eq!(pace.next(), Some(begin + SETTLE));
        let looked = begin + SETTLE;
        assert_eq!(pace.take(looked), Some(webhook(1)));
        pace.mark(webhook(1), Urgency::Usual, looked);
        assert_eq!(pace.next(), Some(looked + PERIOD));
        pace.mark(webhook(1), Urgency::Urgent, looked);
        assert_eq!(pace.next(), Some(looked + URGENT_PERIOD));
        let quiet = looked + PERIOD * 5;
        assert_eq!(pace.take(quiet), Some(webhook(1)));
        assert_eq!(pace.next(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_forgotten_webhook_has_no_turn() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.mark(webhook(1), Urgency::Usual, now);
        pace.forget(webhook(1));
        assert_eq!((pace.next(), pace.take(now + PERIOD)), (None, None));
    }
}
