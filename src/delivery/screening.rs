//! Asks the filters of webhooks about events, without keeping anybody waiting for long.
//!
//! Filters that only compare texts are asked at once. Expressions are evaluated on threads that may
//! be busy, a few webhooks at a time and in turns between publishes: what one of them may do about
//! an event is bounded ([`Filter::MAX_WORK`]), and whoever waits behind it waits no longer.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hookwright_engine::filter::{Failure, Filter, Subject, Verdict};
use hookwright_engine::id::WebhookId;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::metrics::Metrics;
use crate::store::Error;

/// Evaluations at a time. Publishes beyond them wait in the order they came, as they do for the disk.
const MAX_AT_A_TIME: usize = 4;
/// Webhooks asked in one turn.
const TURN: usize = 16;

/// Asks filters.
#[derive(Debug)]
pub(super) struct Screening {
    metrics: Arc<Metrics>,
    places: Arc<Semaphore>,
}

impl Screening {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, places: Arc::new(Semaphore::new(MAX_AT_A_TIME)) }
    }

    /// Those of the webhooks whose filter does not let the event through.
    pub(super) async fn rejecting(
        &self,
        subject: &Arc<Subject>,
        filters: Vec<(WebhookId, Arc<Filter>)>,
    ) -> Result<HashSet<WebhookId>, Error> {
        let mut rejecting = HashSet::new();
        let (evaluating, comparing): (Vec<_>, Vec<_>) =
            filters.into_iter().partition(|(_, filter)| filter.evaluates());
        for (webhook, filter) in comparing {
            if filter.judge(subject) != Verdict::Accepted {
                rejecting.insert(webhook);
            }
        }
        for turn in evaluating.chunks(TURN) {
            for (webhook, verdict) in self.evaluate(Arc::clone(subject), turn.to_vec()).await? {
                if verdict != Verdict::Accepted {
                    rejecting.insert(webhook);
                }
            }
        }
        Ok(rejecting)
    }

    /// What one filter says.
    pub(super) async fn judge(
        &self,
        subject: Subject,
        webhook: WebhookId,
        filter: Arc<Filter>,
    ) -> Result<Verdict, Error> {
        let verdicts = self.evaluate(Arc::new(subject), vec![(webhook, filter)]).await?;
        Ok(verdicts.first().map_or(Verdict::Failed(Failure::Defect), |(_, verdict)| *verdict))
    }

    async fn evaluate(
        &self,
        subject: Arc<Subject>,
        filters: Vec<(WebhookId, Arc<Filter>)>,
    ) -> Result<Vec<(WebhookId, Verdict)>, Error> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Closed)?;
        let evaluate = move || {
            let _place = place; // Until it is done, even where nobody waits for it any more.
            let judge = |(webhook, filter): (WebhookId, Arc<Filter>)| {
                let judged = catch_unwind(AssertUnwindSafe(|| filter.judge(&subject)));
                (webhook, judged.unwrap_or(Verdict::Failed(Failure::Defect)))
            };
            filters.into_iter().map(judge).collect::<Vec<_>>()
        };
        // Fails only where the process ends: then nothing is accepted.
        let verdicts = spawn_blocking(evaluate).await.map_err(|_| Error::Closed)?;
        for (webhook, verdict) in &verdicts {
            if let Verdict::Failed(failure) = *verdict {
                self.metrics.filter_failed(failure);
                tracing::debug!(%webhook, reason = failure.as_str(), "a filter failed on an event");
            }
        }
        Ok(verdicts)
    }
}
