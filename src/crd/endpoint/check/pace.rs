//! How fast a webhook sends, checked.

use hookwright_engine::breaker::{InvalidPolicy, Policy};
use hookwright_engine::rate::{InvalidLimit, Limit};

use super::Errors;
use crate::crd::webhook::{CircuitBreaker, RateLimit};

impl Errors {
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
