//! What is counted, for the `/metrics` page. Labels are closed sets: never URLs, ids or free text.
//!
//! The names are public: `names.txt` lists them, and a test fails when the page differs.

mod labels;
mod recent;
mod store;

use std::fmt;
use std::time::Duration;

use hookwright_engine::attempt::Outcome;
use hookwright_engine::breaker::Circuit;
use hookwright_engine::delivery::State;
use hookwright_engine::endpoint::Hold;
use hookwright_engine::filter;
use hookwright_engine::restraint::Restraint;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::store::Stats;
pub use labels::{By, CallRefusal, Refusal, StatusObject};
use labels::{ByObject, ByReason, ByState, ByWay, End};
pub use recent::Glance;
use recent::Recent;
use store::StoreStats;

/// What every name begins with.
const PREFIX: &str = "hookwright";
/// Upper bounds of the attempt durations counted together, in seconds.
const DURATION_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Upper bounds of the sizes of batches counted together, in events.
const BATCH_BUCKETS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// Counts what happens. Shared by everything that has something to count.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    events_accepted: Counter,
    events_repeated: Counter,
    events_refused: Family<ByReason, Counter>,
    calls_refused: Family<ByReason, Counter>,
    filter_failures: Family<ByReason, Counter>,
    deliveries_created: Counter,
    deliveries_ended: Family<ByState, Counter>,
    attempts: Family<ByReason, Counter>,
    attempt_duration: Histogram,
    attempts_in_flight: Gauge,
    batch_events: Histogram,
    circuits_open: Gauge,
    circuits_opened: Counter,
    webhooks_held: Family<ByReason, Counter>,
    dead_letters_missed: Counter,
    deliveries_redriven: Family<ByWay, Counter>,
    tests_sent: Family<ByWay, Counter>,
    webhooks_restrained: Family<ByReason, Gauge>,
    restraints: Family<ByReason, Counter>,
    recent: Recent,
    status_writes: Family<ByObject, Counter>,
    status_write_failures: Family<ByObject, Counter>,
    spans_recorded: Counter,
    spans_sent: Counter,
}

impl Metrics {
    /// Everything at zero, every series present.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix(PREFIX),
            events_accepted: Counter::default(),
            events_repeated: Counter::default(),
            events_refused: Family::default(),
            calls_refused: Family::default(),
            filter_failures: Family::default(),
            deliveries_created: Counter::default(),
            deliveries_ended: Family::default(),
            attempts: Family::default(),
            attempt_duration: Histogram::new(DURATION_BUCKETS),
            attempts_in_flight: Gauge::default(),
            batch_events: Histogram::new(BATCH_BUCKETS),
            circuits_open: Gauge::default(),
            circuits_opened: Counter::default(),
            webhooks_held: Family::default(),
            dead_letters_missed: Counter::default(),
            deliveries_redriven: Family::default(),
            tests_sent: Family::default(),
            webhooks_restrained: Family::default(),
            restraints: Family::default(),
            recent: Recent::default(),
            status_writes: Family::default(),
            status_write_failures: Family::default(),
            spans_recorded: Counter::default(),
            spans_sent: Counter::default(),
        };
        metrics.begin_at_zero();
        metrics.register();
        metrics
    }

    /// An event became durable, with so many deliveries.
    pub fn event_accepted(&self, deliveries: usize) {
        self.events_accepted.inc();
        self.deliveries_created.inc_by(deliveries as u64);
    }

    /// An event was published again and answered as before.
    pub fn event_repeated(&self) {
        self.events_repeated.inc();
    }

    /// An event was not accepted.
    pub fn event_refused(&self, refusal: Refusal) {
        self.events_refused.get_or_create(&ByReason::from(refusal)).inc();
    }

    /// A call of the API was not let in.
    pub fn call_refused(&self, refusal: CallRefusal) {
        self.calls_refused.get_or_create(&ByReason::from(refusal)).inc();
    }

    /// The filter of a webhook failed on an event, which therefore is not sent to it.
    pub fn filter_failed(&self, failure: filter::Failure) {
        self.filter_failures.get_or_create(&ByReason::from(failure)).inc();
    }

    /// A request to a receiver begins.
    pub fn attempt_begins(&self) {
        self.attempts_in_flight.inc();
    }

    /// So many events are sent in a batch: one request, beside which they are counted.
    pub fn batch_begins(&self, events: usize) {
        self.batch_events.observe(f64::from(u32::try_from(events).unwrap_or(u32::MAX)));
    }

    /// A request to a receiver has ended.
    pub fn attempt_ends(&self, outcome: &Outcome, elapsed: Duration) {
        self.attempts_in_flight.dec();
        self.attempts.get_or_create(&ByReason::from(outcome)).inc();
        self.attempt_duration.observe(elapsed.as_secs_f64());
        self.recent.attempt(outcome, elapsed);
    }

    /// The circuit to a receiver has opened or closed.
    pub fn circuit_turns(&self, circuit: Circuit) {
        match circuit {
            Circuit::Open => {
                self.circuits_opened.inc();
                self.circuits_open.inc();
            }
            Circuit::Closed => drop(self.circuits_open.dec()),
        }
    }

    /// What holds a webhook's deliveries back has changed.
    pub fn restraint_changes(&self, before: Option<Restraint>, after: Option<Restraint>) {
        let [before, after] = [before, after].map(|restraint| restraint.map(ByReason::from));
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.webhooks_restrained.get_or_create(&before).dec();
        }
        if let Some(after) = after {
            self.webhooks_restrained.get_or_create(&after).inc();
            self.restraints.get_or_create(&after).inc();
        }
    }

    /// A webhook is held from now on, by what its receiver did.
    pub fn webhook_held(&self, hold: Hold) {
        if let Some(reason) = ByReason::of_hold(hold) {
            self.webhooks_held.get_or_create(&reason).inc();
        }
    }

    /// So many failed deliveries are retried at once.
    pub fn redriven(&self, by: By, count: u64) {
        self.deliveries_redriven.get_or_create(&by.into()).inc_by(count);
    }

    /// A test is sent to a webhook.
    pub fn test_sent(&self, by: By) {
        self.tests_sent.get_or_create(&by.into()).inc();
    }

    /// A delivery failed whose webhook names one for dead letters that does not exist.
    pub fn dead_letter_missed(&self) {
        self.dead_letters_missed.inc();
    }

    /// A delivery moved to this state.
    pub fn delivery_moves(&self, state: State) {
        self.recent.ended(state);
        if let Some(end) = End::of(state) {
            self.deliveries_ended.get_or_create(&ByState::from(end)).inc();
        }
    }

    /// A status was written to the API server, or the write failed.
    pub fn status_written(&self, object: StatusObject, succeeded: bool) {
        let family = if succeeded { &self.status_writes } else { &self.status_write_failures };
        family.get_or_create(&ByObject::from(object)).inc();
    }

    /// A span of a trace begins, which is to be sent to the collector.
    pub fn span_recorded(&self) {
        self.spans_recorded.inc();
    }

    /// The collector took so many spans.
    pub fn spans_sent(&self, count: usize) {
        self.spans_sent.inc_by(count as u64);
    }

    /// What `/metrics/webhooks` shows.
    #[must_use]
    pub fn glance(&self) -> Glance {
        self.recent.glance()
    }

    /// The `/metrics` page, in the `OpenMetrics` text format, with what the store says of itself.
    pub fn page(&self, store: Stats) -> Result<String, fmt::Error> {
        let mut page = String::new();
        text::encode_registry(&mut page, &self.registry)?;
        let mut of_store = Registry::with_prefix(PREFIX);
        of_store.register_collector(Box::new(StoreStats(store)));
        text::encode_registry(&mut page, &of_store)?;
        text::encode_eof(&mut page)?;
        Ok(page)
    }

    /// A series that is missing until something happens hides the first time it does.
    fn begin_at_zero(&self) {
        for reason in ByReason::refusals() {
            drop(self.events_refused.get_or_create(&reason));
        }
        for refusal in CallRefusal::ALL {
            drop(self.calls_refused.get_or_create(&refusal.into()));
        }
        for failure in filter::Failure::ALL {
            drop(self.filter_failures.get_or_create(&failure.into()));
        }
        for reason in ByReason::outcomes() {
            drop(self.attempts.get_or_create(&reason));
        }
        for by in By::ALL {
            drop(self.deliveries_redriven.get_or_create(&by.into()));
            drop(self.tests_sent.get_or_create(&by.into()));
        }
        for reason in [Hold::Gone, Hold::Failing].into_iter().filter_map(ByReason::of_hold) {
            drop(self.webhooks_held.get_or_create(&reason));
        }
        for end in End::ALL {
            drop(self.deliveries_ended.get_or_create(&end.into()));
        }
        for reason in ByReason::restraints() {
            drop(self.webhooks_restrained.get_or_create(&reason));
            drop(self.restraints.get_or_create(&reason));
        }
        for object in StatusObject::ALL {
            drop(self.status_writes.get_or_create(&object.into()));
            drop(self.status_write_failures.get_or_create(&object.into()));
        }
    }

    fn register(&mut self) {
        let Self {
            registry,
            events_accepted,
            events_repeated,
            events_refused,
            calls_refused,
            filter_failures,
            deliveries_created,
            deliveries_ended,
            attempts,
            attempt_duration,
            attempts_in_flight,
            batch_events,
            circuits_open,
            circuits_opened,
            webhooks_held,
            dead_letters_missed,
            deliveries_redriven,
            tests_sent,
            webhooks_restrained,
            restraints,
            recent: _,
            status_writes,
            status_write_failures,
            spans_recorded,
            spans_sent,
        } = self;
        registry.register("events_accepted", "Events made durable", events_accepted.clone());
        registry.register("events_repeated", "Events published again", events_repeated.clone());
        registry.register("events_refused", "Events not accepted", events_refused.clone());
        registry.register("calls_refused", "Calls of the API that were not let in", calls_refused.clone());
        registry.register(
            "filter_failures",
            "Filters that failed on an event, which was not sent",
            filter_failures.clone(),
        );
        registry.register("deliveries_created", "Deliveries made durable", deliveries_created.clone());
        registry.register("deliveries_ended", "Deliveries that ended", deliveries_ended.clone());
        registry.register("attempts", "Requests to receivers that ended", attempts.clone());
        registry.register(
            "attempt_duration_seconds",
            "From the begin of a request to its end",
            attempt_duration.clone(),
        );
        registry.register("attempts_in_flight", "Requests under way", attempts_in_flight.clone());
        registry.register("batch_events", "Events of a batch, which is one request", batch_events.clone());
        registry.register("circuits_open", "Receivers that are left alone now", circuits_open.clone());
        registry.register("circuits_opened", "Circuits to receivers that opened", circuits_opened.clone());
        registry.register(
            "deliveries_redriven",
            "Failed deliveries retried with all others of their webhook",
            deliveries_redriven.clone(),
        );
        registry.register("tests_sent", "Tests sent to webhooks", tests_sent.clone());
        registry.register(
            "dead_letters_missed",
            "Deliveries that failed and could not be dead-lettered, as the webhook named for that does not exist",
            dead_letters_missed.clone(),
        );
        registry.register(
            "webhooks_restrained",
            "Webhooks whose deliveries are held back now, by what does it",
            webhooks_restrained.clone(),
        );
        registry.register(
            "restraints",
            "Times that deliveries of a webhook began to be held back",
            restraints.clone(),
        );
        registry.register(
            "webhooks_held",
            "Webhooks held until they change, by what their receivers did",
            webhooks_held.clone(),
        );
        registry.register("status_writes", "Statuses written to the API server", status_writes.clone());
        registry.register(
            "status_write_failures",
            "Statuses that could not be written to the API server",
            status_write_failures.clone(),
        );
        registry.register("spans_recorded", "Spans of traces that began", spans_recorded.clone());
        registry.register("spans_sent", "Spans that the collector took", spans_sent.clone());
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use hookwright_engine::attempt::{Failure, FailureReason};

    use super::*;

    /// Every series of the page, without its value and without the buckets of histograms.
    fn series(page: &str) -> Vec<&str> {
        let series = page.lines().filter(|line| !line.starts_with('#') && !line.contains("_bucket{"));
        let mut series: Vec<_> = series.filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
        series.sort_unstable();
        series
    }

    #[test]
    fn every_series_is_there_from_the_start_and_named_in_the_list() {
        let page = Metrics::new().page(Stats::default()).unwrap();
        let listed: Vec<_> = include_str!("names.txt").lines().collect();
        assert_eq!(series(&page), listed, "names are public: change names.txt and the changelog together");
    }

    #[test]
    fn counting_adds_no_series() {
        let metrics = Metrics::new();
        let before = metrics.page(Stats::default()).unwrap();
        metrics.attempt_begins();
        for reason in FailureReason::ALL {
            let failure = Failure { reason, message: "whatever it was".to_owned() };
            metrics.attempt_ends(&Outcome::Failed(failure), Duration::from_millis(3));
        }
        metrics.attempt_ends(&Outcome::Responded { status: 503, retry_after: None }, Duration::ZERO);
        for refusal in Refusal::ALL {
            metrics.event_refused(refusal);
        }
        for refusal in CallRefusal::ALL {
            metrics.call_refused(refusal);
        }
        metrics.delivery_moves(State::Delivered);
        let after = metrics.page(Stats::default()).unwrap();
        assert_eq!(series(&before), series(&after));
        assert!(after.contains("hookwright_attempts_total{reason=\"HTTPStatus\"} 1"), "{after}");
    }
}
