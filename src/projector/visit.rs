//! One look at one webhook: what the log says against what the cluster shows.

use std::collections::BTreeMap;
use std::time::Duration;

use hookwright_engine::id::{DeliveryId, WebhookId};
use tokio::time::Instant;

use super::board::Known;
use super::objects::{Objects, View};
use super::pace::PERIOD;
use super::views::{self, Candidate, Plan};
use super::writer::{self, Writer, Written};
use super::{Shared, view, webhook_status};
use crate::clock::Clock;
use crate::crd::webhook::Record;
use crate::delivery;
use crate::store::{self, Delivery, Group, Query, Summary};

/// How often views give way to newer deliveries, at most.
const REFRESH: Duration = Duration::from_mins(1);
/// When to look again at a log that lags behind.
const RECHECK: Duration = Duration::from_millis(500);

/// Looks at webhooks.
pub(super) struct Visits {
    pub(super) board: Shared,
    pub(super) max_views: usize,
    pub(super) store: store::Handle,
    pub(super) delivery: delivery::Handle,
    pub(super) objects: Objects,
    pub(super) writer: Writer,
    pub(super) clock: Clock,
}

/// Why a look failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The log could not be read.
    #[error("failed to read the log: {0}")]
    Store(#[from] store::Error),
    /// The API server could not be written to.
    #[error(transparent)]
    Write(#[from] writer::Error),
}

impl Error {
    /// Whether other webhooks would fare no better.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Store(_) => true,
            Self::Write(error) => error.is_outage(),
        }
    }
}

impl Visits {
    /// Brings the views and the status of a webhook up to date.
    pub(super) async fn visit(&self, webhook: WebhookId) -> Result<(), Error> {
        let Some(known) = self.board.lock().known(webhook) else { return Ok(()) };
        if !self.objects.is_complete() {
            // Views that exist would be created again.
            self.board.change(|board, now| board.pace.again(webhook, RECHECK, now));
            return Ok(());
        }
        let summary = self.store.summary(webhook).await?;
        if !self.board.lock().is_settled(webhook, &summary) {
            self.board.change(|board, now| board.pace.again(webhook, RECHECK, now));
        }
        let complete = self.show_deliveries(webhook, &known, &summary).await?;
        self.board.lock().set_complete(webhook, complete);
        self.show_status(webhook, &known, &summary, complete).await
    }

    async fn show_status(
        &self,
        webhook: WebhookId,
        known: &Known,
        summary: &Summary,
        complete: bool,
    ) -> Result<(), Error> {
        let status = webhook_status::of(
            summary,
            self.delivery.circuit(webhook),
            self.delivery.restrained(webhook),
            complete,
            known.generation,
            &known.shown,
            self.clock.now(),
        );
        if status == known.shown {
            return Ok(());
        }
        match self.writer.webhook_status(&known.target, &status).await? {
            Written::Done => {
                if let Some(news) = webhook_status::announcement(&known.shown, &status) {
                    Box::pin(self.writer.announce(&known.target, &news)).await; // large, and rare
                }
                self.board.lock().showed(webhook, status);
            }
            Written::Gone => self.board.lock().forget(webhook),
        }
        Ok(())
    }

    /// Brings the views up to date; answers whether all that should be shown is.
    async fn show_deliveries(
        &self,
        webhook: WebhookId,
        known: &Known,
        summary: &Summary,
    ) -> Result<bool, Error> {
        let shown = self.objects.views(webhook);
        let deliveries = self.candidates(webhook, known, summary, &shown).await?;
        let plan = self.plan(webhook, known, &deliveries, &shown);
        for id in &plan.delete {
            if let Some(view) = shown.get(id) {
                self.remove(view).await?;
            }
        }
        for (other, view) in self.objects.oldest_successes(plan.evict, webhook) {
            self.remove(&view).await?;
            self.board.change(|board, now| board.pace.mark(other, super::pace::Urgency::Usual, now));
        }
        for id in &plan.create {
            if let Some(delivery) = deliveries.get(id) {
                let view = view::build(delivery, &known.target.name, known.ttl_seconds);
                if let Some(created) = self.writer.create(&view).await? {
                    self.objects.created(&created);
                }
            }
        }
        Ok(plan.complete)
    }

    async fn remove(&self, view: &View) -> Result<(), Error> {
        self.writer.delete(&view.target).await?;
        self.objects.deleted(&view.target);
        Ok(())
    }

    /// The deliveries that may be shown: the newest of each kind, and those that are shown.
    async fn candidates(
        &self,
        webhook: WebhookId,
        known: &Known,
        summary: &Summary,
        shown: &BTreeMap<DeliveryId, View>,
    ) -> Result<BTreeMap<DeliveryId, Delivery>, Error> {
        let limits = &known.limits;
        let mut found = BTreeMap::new();
        if limits.record == Record::None {
            return Ok(found);
        }
        for (group, count, limit) in [
            (Group::Retrying, summary.retrying, limits.failed),
            (Group::Failed, summary.failed, limits.failed),
            (Group::Delivered, summary.delivered, limits.successful),
        ] {
            if count > 0 && limit > 0 {
                let query = Query { group: Some(group), limit, ..Query::default() };
                let listed = self.store.deliveries(webhook, query).await?;
                found.extend(listed.into_iter().map(|delivery| (delivery.id, delivery)));
            }
        }
        for id in shown.keys() {
            if !found.contains_key(id)
                && let Some(delivery) = self.store.delivery(*id).await?
            {
                found.insert(*id, delivery);
            }
        }
        Ok(found)
    }

    /// What to do about the views. Where newer deliveries have to wait for their place, the webhook
    /// is looked at again when they need not.
    fn plan(
        &self,
        webhook: WebhookId,
        known: &Known,
        deliveries: &BTreeMap<DeliveryId, Delivery>,
        shown: &BTreeMap<DeliveryId, View>,
    ) -> Plan {
        let candidates: Vec<_> = deliveries.values().filter_map(Candidate::of).collect();
        let shown = shown.keys().copied().collect();
        let room = self.objects.room(webhook, self.max_views);
        let now = self.clock.now();
        let plan = |refresh| views::plan(&known.limits, &candidates, &shown, room, refresh, now);
        let (patient, fresh) = (plan(false), plan(true));
        if patient == fresh {
            return patient;
        }
        let due = known.refreshed.map_or_else(Instant::now, |refreshed| refreshed + REFRESH);
        let wait = due.saturating_duration_since(Instant::now());
        if wait > Duration::ZERO {
            self.board.change(|board, now| board.pace.again(webhook, wait.max(PERIOD), now));
            return patient;
        }
        self.board.change(|board, now| board.refreshed(webhook, now));
        fresh
    }
}
