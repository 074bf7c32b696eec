//! Asks the filters of webhooks about events, without keeping anybody waiting for long.
//!
//! Filters that only compare texts are asked at once. Expressions are evaluated on threads that may
//! be busy, a few webhooks at a time and in turns between publishes: what one of them may do about
//! an event is bounded ([`Filter::MAX_WORK`]), and whoever waits behind it waits no longer.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hookwright_engine::filter::{Failure, Filter, Objection, Subject};
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

    /// What the filters have against an event, by the webhooks whose filter does not let it through.
    pub(super) async fn objections(
        &self,
        subject: &Arc<Subject>,
        filters: Vec<(WebhookId, Arc<Filter>)>,
    ) -> Result<HashMap<WebhookId, Objection>, Error> {
        let mut objections = HashMap::new();
        let (evaluating, comparing): (Vec<_>, Vec<_>) =
            filters.into_iter().partition(|(_, filter)| filter.evaluates());
        for (webhook, filter) in comparing {
            if let Some(objection) = filter.objection(subject) {
                objections.insert(webhook, objection);
            }
        }
        for turn in evaluating.chunks(TURN) {
            let asked = self.evaluate(Arc::clone(subject), turn.to_vec()).await?;
            objections
                .extend(asked.into_iter().filter_map(|(webhook, objection)| Some((webhook, objection?))));
        }
        Ok(objections)
    }

    async fn evaluate(
        &self,
        subject: Arc<Subject>,
        filters: Vec<(WebhookId, Arc<Filter>)>,
    ) -> Result<Vec<(WebhookId, Option<Objection>)>, Error> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Closed)?;
        let evaluate = move || {
            let _place = place; // Until it is done, even where nobody waits for it any more.
            let ask = |(webhook, filter): (WebhookId, Arc<Filter>)| {
                let asked = catch_unwind(AssertUnwindSafe(|| filter.objection(&subject)));
                (webhook, asked.unwrap_or(Some(Objection::Failed(0, Failure::Defect))))
            };
            filters.into_iter().map(ask).collect::<Vec<_>>()
        };
        // Fails only where the process ends: then nothing is accepted.
        let asked = spawn_blocking(evaluate).await.map_err(|_| Error::Closed)?;
        for (webhook, objection) in &asked {
            if let Some(Objection::Failed(_, failure)) = *objection {
                self.metrics.filter_failed(failure);
                tracing::debug!(%webhook, reason = failure.as_str(), "a filter failed on an event");
            }
        }
        Ok(asked)
    }
}
