//! What the projector knows of each webhook: what it shows, and when it is looked at next.

use std::collections::{HashMap, HashSet};

use hookwright_engine::attempt::Verdict;
use hookwright_engine::id::{DeliveryId, WebhookId};
use kube::Resource;
use kube::runtime::watcher::Event;
use tokio::time::Instant;

use super::pace::{Pace, Urgency};
use super::views::Limits;
use super::webhook_status;
use super::writer::Target;
use crate::crd::{Webhook, WebhookStatus};
use crate::delivery::{Change, What};
use crate::store::Summary;

/// How often a look is repeated that finds less in the log than was told of.
const MAX_RECHECKS: u32 = 10;

/// The webhooks that exist. Bounded by their number.
#[derive(Debug, Default)]
pub struct Board {
    /// When which is looked at.
    pub pace: Pace,
    webhooks: HashMap<WebhookId, Known>,
    /// What each watch's list has named so far, while it is incomplete.
    listings: HashMap<usize, HashSet<WebhookId>>,
    incomplete: HashSet<WebhookId>,
}

/// What is known of a webhook.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its object.
    pub target: Target,
    /// The generation of its object.
    pub generation: Option<i64>,
    /// What its `history` asks for.
    pub limits: Limits,
    /// The time that its views stay after their end, in seconds.
    pub ttl_seconds: Option<u32>,
    /// Our part of its status, as it is in the cluster.
    pub shown: WebhookStatus,
    /// When views gave way to newer deliveries.
    pub refreshed: Option<Instant>,
    watch: usize,
    expected: Option<Expected>,
}

/// The attempt that was told of last.
#[derive(Clone, Copy, Debug)]
struct Expected {
    delivery: DeliveryId,
    attempts: u32,
    rechecks: u32,
}

impl Board {
    /// Takes note of an event of a watch.
    pub fn observe(&mut self, watch: usize, event: &Event<Webhook>, now: Instant) {
        match event {
            Event::Init => drop(self.listings.insert(watch, HashSet::new())),
            Event::InitApply(object) => {
                if let Some(id) = self.applied(watch, object, now)
                    && let Some(listed) = self.listings.get_mut(&watch)
                {
                    listed.insert(id);
                }
            }
            Event::InitDone => {
                let Some(listed) = self.listings.remove(&watch) else { return };
                let gone = |(id, known): (&WebhookId, &Known)| {
                    (known.watch == watch && !listed.contains(id)).then_some(*id)
                };
                let gone: Vec<_> = self.webhooks.iter().filter_map(gone).collect();
                for id in gone {
                    self.forget(id);
                }
            }
            Event::Apply(object) => drop(self.applied(watch, object, now)),
            Event::Delete(object) => {
                if let Some(target) = Target::of(object) {
                    self.forget(WebhookId::from_uid(target.uid));
                }
            }
        }
    }

    /// Takes note of what happened to a delivery.
    pub fn heard(&mut self, change: &Change, now: Instant) {
        let Some(known) = self.webhooks.get_mut(&change.webhook) else { return };
        let urgency = match &change.what {
            What::Accepted | What::Canceled => Urgency::Usual,
            What::Sending => return,
            What::Attempted(attempted) => {
                let Some(attempt) = &attempted.record.attempt else { return };
                let attempts = attempted.record.attempts;
                known.expected = Some(Expected { delivery: change.delivery, attempts, rechecks: 0 });
                let healthy = attempt.outcome.verdict() == Verdict::Success;
                match webhook_status::is_healthy(&known.shown) {
                    Some(shown) if shown == healthy => Urgency::Usual,
                    Some(_) | None => Urgency::Urgent,
                }
            }
        };
        self.pace.mark(change.webhook, urgency, now);
    }

    /// Every webhook may have changed.
    pub fn mark_all(&mut self, now: Instant) {
        for &webhook in self.webhooks.keys() {
            self.pace.mark(webhook, Urgency::Usual, now);
        }
    }

    /// Webhooks that show less than they should may have room now.
    pub fn mark_incomplete(&mut self, now: Instant) {
        for &webhook in &self.incomplete {
            self.pace.mark(webhook, Urgency::Usual, now);
        }
    }

    /// A webhook, unless it is gone.
    #[must_use]
    pub fn known(&self, webhook: WebhookId) -> Option<Known> {
        self.webhooks.get(&webhook).cloned()
    }

    /// Whether the log has all that was told of, or is not waited for any longer.
    pub fn is_settled(&mut self, webhook: WebhookId, summary: &Summary) -> bool {
        let Some(known) = self.webhooks.get_mut(&webhook) else { return true };
        let Some(expected) = &mut known.expected else { return true };
        let last = summary.last.as_ref().map(|last| (last.id, last.attempts));
        expected.rechecks += 1;
        let settled =
            last == Some((expected.delivery, expected.attempts)) || expected.rechecks > MAX_RECHECKS;
        if settled {
            known.expected = None;
        }
        settled
    }

    /// This is what a webhook's status says now.
    pub fn showed(&mut self, webhook: WebhookId, status: WebhookStatus) {
        if let Some(known) = self.webhooks.get_mut(&webhook) {
            known.shown = status;
        }
    }

    /// Views of a webhook gave way to newer deliveries.
    pub fn refreshed(&mut self, webhook: WebhookId, now: Instant) {
        if let Some(known) = self.webhooks.get_mut(&webhook) {
            known.refreshed = Some(now);
        }
    }

    /// Whether a webhook shows all that it should.
    pub fn set_complete(&mut self, webhook: WebhookId, complete: bool) {
        if complete {
            self.incomplete.remove(&webhook);
        } else {
            self.incomplete.insert(webhook);
        }
    }

    /// The webhook is gone.
    pub fn forget(&mut self, webhook: WebhookId) {
        self.webhooks.remove(&webhook);
        self.incomplete.remove(&webhook);
        self.pace.forget(webhook);
    }

    fn applied(&mut self, watch: usize, object: &Webhook, now: Instant) -> Option<WebhookId> {
        let target = Target::of(object)?;
        let id = WebhookId::from_uid(target.uid);
        let generation = object.meta().generation;
        let history = object.spec.history.as_ref();
        let shown = object.status.as_ref().map(webhook_status::owned).unwrap_or_default();
        let former = self.webhooks.get(&id);
        let changed = former.is_none_or(|it| it.generation != generation || it.shown != shown);
        let known = Known {
            target,
            generation,
            limits: Limits::from(history),
            ttl_seconds: history.and_then(|history| history.ttl_seconds_after_finished),
            shown,
            refreshed: former.and_then(|it| it.refreshed),
            watch,
            expected: former.and_then(|it| it.expected),
        };
        self.webhooks.insert(id, known);
        if changed {
            self.pace.mark(id, Urgency::Usual, now);
        }
        Some(id)
    }
}
