//! How fast a webhook sends, checked.

use std::ops::RangeInclusive;
use std::time::Duration;

use hookwright_engine::batch;
use hookwright_engine::breaker::{InvalidPolicy, Policy};
use hookwright_engine::endpoint::{DEFAULT_MAX_IN_FLIGHT, KeepAlive, MAX_MAX_IN_FLIGHT};
use hookwright_engine::ordering;
use hookwright_engine::rate::{InvalidLimit, Limit};

use super::Errors;
use crate::crd::webhook;
use crate::crd::webhook::{Batch, CircuitBreaker, RateLimit};

/// What a webhook asks for by `concurrency`.
pub(super) struct Concurrency {
    pub(super) max_in_flight: u32,
    pub(super) ordering: ordering::Policy,
    pub(super) keep_alive: KeepAlive,
}

impl Default for Concurrency {
    fn default() -> Self {
        let (ordering, keep_alive) = (ordering::Policy::default(), KeepAlive::default());
        Self { max_in_flight: DEFAULT_MAX_IN_FLIGHT, ordering, keep_alive }
    }
}

impl Errors {
    pub(super) fn concurrency(&mut self, concurrency: &webhook::Concurrency) -> Concurrency {
        let webhook::Concurrency { max_in_flight, max_idle_connections, idle_timeout_seconds, ordering } =
            *concurrency;
        let mut within = |field: &str, value: Option<u32>, default: u32, allowed: RangeInclusive<u32>| {
            self.within(&format!("spec.concurrency.{field}"), value.unwrap_or(default), allowed)
        };
        let max_in_flight =
            within("maxInFlight", max_in_flight, DEFAULT_MAX_IN_FLIGHT, 1..=MAX_MAX_IN_FLIGHT);
        let max_idle =
            within("maxIdleConnections", max_idle_connections, KeepAlive::MAX_IDLE, 0..=KeepAlive::MAX_IDLE);
        let idle_timeout = within(
            "idleTimeoutSeconds",
            idle_timeout_seconds,
            KeepAlive::DEFAULT_IDLE_TIMEOUT_SECONDS,
            1..=KeepAlive::MAX_IDLE_TIMEOUT_SECONDS,
        );
        let ordering = match ordering {
            None | Some(webhook::Ordering::None) => ordering::Policy::None,
            Some(webhook::Ordering::PerKey) => ordering::Policy::PerKey,
            Some(webhook::Ordering::Strict) => ordering::Policy::Strict,
        };
        let keep_alive = KeepAlive { max_idle, idle_timeout: Duration::from_secs(idle_timeout.into()) };
        Concurrency { max_in_flight, ordering, keep_alive }
    }

    /// How deliveries are gathered: not at all where it is disabled.
    pub(super) fn batch(&mut self, batch: &Batch) -> Option<batch::Policy> {
        let Batch { enabled, max_size, max_wait_milliseconds } = *batch;
        let policy = batch::Policy::new(
            max_size.unwrap_or(batch::Policy::DEFAULT_SIZE),
            max_wait_milliseconds.unwrap_or(batch::Policy::DEFAULT_WAIT_MILLISECONDS),
        );
        let error = match policy {
            Ok(policy) => return enabled.unwrap_or(true).then_some(policy),
            Err(error) => error,
        };
        let field = match error {
            batch::InvalidPolicy::Size(_) => "maxSize",
            batch::InvalidPolicy::Wait(_) => "maxWaitMilliseconds",
        };
        self.report(&format!("spec.batch.{field}"), &error);
        None
    }

    pub(super) fn rate_limit(&mut self, limit: &RateLimit) -> Option<Limit> {
        let RateLimit { requests, period_seconds } = *limit;
        let limit = Limit::new(requests, period_seconds.unwrap_or(Limit::DEFAULT_PERIOD_SECONDS));
        let error = match limit {
            Ok(limit) => return Some(limit),
            Err(error) => error,
        };
        let field = match error {
            InvalidLimit::Requests(_) => "requests",
            InvalidLimit::Period(_) => "periodSeconds",
        };
        self.report(&format!("spec.rateLimit.{field}"), &error);
        None
    }

    /// The breaker: the default one where nothing is said, none where it is disabled.
    pub(super) fn breaker(&mut self, breaker: Option<&CircuitBreaker>) -> Option<Policy> {
        let Some(breaker) = breaker else { return Some(Policy::default()) };
        let CircuitBreaker { enabled, failure_percent, minimum_attempts, window_seconds, open_seconds } =
            *breaker;
        let policy = Policy::new(
            failure_percent.unwrap_or(Policy::DEFAULT_FAILURE_PERCENT),
            minimum_attempts.unwrap_or(Policy::DEFAULT_MINIMUM_ATTEMPTS),
            window_seconds.unwrap_or(Policy::DEFAULT_WINDOW_SECONDS),
            open_seconds.unwrap_or(Policy::DEFAULT_OPEN_SECONDS),
        );
        let error = match policy {
            Ok(policy) => return enabled.unwrap_or(true).then_some(policy),
            Err(error) => error,
        };
        let field = match error {
            InvalidPolicy::FailurePercent(_) => "failurePercent",
            InvalidPolicy::MinimumAttempts(_) => "minimumAttempts",
            InvalidPolicy::Window(_) => "windowSeconds",
            InvalidPolicy::Open(_) => "openSeconds",
        };
        self.report(&format!("spec.circuitBreaker.{field}"), &error);
        None
    }
}
