//! Deliveries at a glance, as `/metrics/webhooks` shows them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookwright_engine::attempt::Outcome;
use hookwright_engine::delivery::State;
use schemars::JsonSchema;
use serde::Serialize;

/// How many attempts the latency is that of.
const LATENCIES: usize = 1000;

/// What happened since the process was started.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    deliveries: Deliveries,
    /// Milliseconds of the latest attempts, the oldest first.
    latency: VecDeque<u64>,
    /// By status code or kind of failure: no more than there are of both.
    errors: BTreeMap<String, u64>,
}

/// Deliveries, and what their attempts were like.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Glance {
    deliveries: Deliveries,
    latency: Latency,
    /// Attempts that failed, by status code or kind of failure.
    errors: BTreeMap<String, u64>,
}

/// Deliveries that ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "GlanceDeliveries")]
struct Deliveries {
    total: u64,
    successful: u64,
    failed: u64,
}

/// How long attempts took, in milliseconds, over the last 1,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
struct Latency {
    average: f64,
    p95: u64,
    p99: u64,
}

impl Recent {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn attempt(&self, outcome: &Outcome, elapsed: Duration) {
        let mut seen = self.lock();
        if seen.latency.len() == LATENCIES {
            seen.latency.pop_front();
        }
        seen.latency.push_back(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        let error = match outcome {
            Outcome::Responded { status: 200..=299, .. } => return,
            Outcome::Responded { status, .. } => status.to_string(),
            Outcome::Failed(_) | Outcome::Fault(_) => outcome.reason().to_owned(),
        };
        *seen.errors.entry(error).or_default() += 1;
    }

    pub(super) fn ended(&self, state: State) {
        let deliveries = &mut self.lock().deliveries;
        match state {
            State::Delivered => deliveries.successful += 1,
            State::Failed | State::DeadLettered => deliveries.failed += 1,
            State::Pending { .. } | State::Canceled => return,
        }
        deliveries.total += 1;
    }

    pub(super) fn glance(&self) -> Glance {
        let seen = self.lock();
        let latency = Latency::of(seen.latency.iter().copied().collect());
        Glance { deliveries: seen.deliveries, latency, errors: seen.errors.clone() }
    }
}

impl Latency {
    fn of(mut milliseconds: Vec<u64>) -> Self {
        milliseconds.sort_unstable();
        let count = milliseconds.len();
        // The least that so many percent of all do not exceed.
        let percentile = |percent: usize| {
            let rank = (count * percent).div_ceil(100);
            milliseconds.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        // Far below 2^53.
        #[allow(clippy::cast_precision_loss)]
        let average = milliseconds.iter().sum::<u64>() as f64 / count.max(1) as f64;
        Self { average, p95: percentile(95), p99: percentile(99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Outcome {
        Outcome::Responded { status, retry_after: None }
    }

    #[test]
    fn the_latency_is_that_of_the_last_thousand_attempts() {
        let recent = Recent::default();
        assert_eq!(recent.glance().latency, Latency::default());
        for milliseconds in 0..=1000 {
            recent.attempt(&answered(200), Duration::from_millis(milliseconds));
        }
        assert_eq!(recent.glance().latency, Latency { average: 500.5, p95: 950, p99: 990 });
        assert!(recent.glance().errors.is_empty());
    }

    #[test]
    fn deliveries_are_counted_when_they_end_and_errors_by_their_code() {
        let recent = Recent::default();
        for state in [State::Delivered, State::Failed, State::Delivered, State::Canceled] {
            recent.ended(state);
        }
        for status in [500, 503, 500] {
            recent.attempt(&answered(status), Duration::ZERO);
        }
        let glance = recent.glance();
        assert_eq!(glance.deliveries, Deliveries { total: 3, successful: 2, failed: 1 });
        assert_eq!(glance.errors, BTreeMap::from([("500".to_owned(), 2), ("503".to_owned(), 1)]));
    }
}
