//! How fast a webhook sends, checked.

use hookwright_engine::rate::{InvalidLimit, Limit};

use super::Errors;
use crate::crd::webhook::RateLimit;

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
}
