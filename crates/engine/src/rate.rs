//! How many requests a webhook may make in a time, whatever is waiting.

use std::time::Duration;

use crate::time::Time;

/// So many requests at once, and as many again, evenly, in each period after that: any stretch of
/// time sees at most `requests` and its share of a further `requests` per period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    requests: u32,
    period: Duration,
}

/// Why a rate limit is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimit {
    /// Requests out of bounds.
    #[error("must be 1 to {max}, not {0}", max = Limit::MAX_REQUESTS)]
    Requests(u32),
    /// A period out of bounds.
    #[error("must be 1 to {max}, not {0}", max = Limit::MAX_PERIOD_SECONDS)]
    Period(u32),
}

impl Limit {
    /// Most requests per period.
    pub const MAX_REQUESTS: u32 = 100_000;
    /// The period, where a webhook does not say otherwise.
    pub const DEFAULT_PERIOD_SECONDS: u32 = 1;
    /// Longest period.
    pub const MAX_PERIOD_SECONDS: u32 = 24 * 60 * 60;

    /// A checked limit.
    pub fn new(requests: u32, period_seconds: u32) -> Result<Self, InvalidLimit> {
        if !(1..=Self::MAX_REQUESTS).contains(&requests) {
            return Err(InvalidLimit::Requests(requests));
        }
        if !(1..=Self::MAX_PERIOD_SECONDS).contains(&period_seconds) {
            return Err(InvalidLimit::Period(period_seconds));
        }
        Ok(Self { requests, period: Duration::from_secs(period_seconds.into()) })
    }

    /// Requests per period.
    #[must_use]
    pub const fn requests(&self) -> u32 {
        self.requests
    }

    /// The period.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// What one request costs: a whole number, as each millisecond then refills `requests`.
    fn cost(&self) -> u64 {
        u64::try_from(self.period.as_millis()).unwrap_or(u64::MAX)
    }
}

/// What is left of a [`Limit`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    limit: Limit,
    /// What was left at `at`, of `requests` times [`Limit::cost`].
    level: u64,
    at: Time,
}

impl Bucket {
    pub(crate) fn full(limit: Limit) -> Self {
        Self { limit, level: u64::from(limit.requests) * limit.cost(), at: Time::MIN }
    }

    pub(crate) const fn limit(&self) -> Limit {
        self.limit
    }

    /// When the next request may be made.
    pub(crate) fn next(&self) -> Time {
        match self.limit.cost().saturating_sub(self.level) {
            0 => self.at,
            missing => self.at + Duration::from_millis(missing.div_ceil(self.limit.requests.into())),
        }
    }

    /// A request is made.
    pub(crate) fn take(&mut self, now: Time) {
        let elapsed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let requests = u64::from(self.limit.requests);
        let refilled = self.level.saturating_add(elapsed.saturating_mul(requests));
        self.level = refilled.min(requests * self.limit.cost()).saturating_sub(self.limit.cost());
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_000_000);

    /// When each of so many requests can be made, in milliseconds, if all wait from the start.
    fn paced(requests: u32, period_seconds: u32, count: usize) -> Vec<u128> {
        let mut bucket = Bucket::full(Limit::new(requests, period_seconds).unwrap());
        let mut now = NOW;
        let mut times = Vec::new();
        for _ in 0..count {
            now = now.max(bucket.next());
            bucket.take(now);
            times.push(now.since(NOW).as_millis());
        }
        times
    }

    #[test]
    fn a_full_bucket_gives_all_at_once_and_then_evenly() {
        assert_eq!(paced(2, 1, 5), [0, 0, 500, 1000, 1500]);
        assert_eq!(paced(1, 60, 3), [0, 60_000, 120_000]);
    }

    #[test]
    fn periods_that_do_not_divide_evenly_lose_no_request_in_the_long_run() {
        assert_eq!(paced(3, 1, 7), [0, 0, 0, 334, 667, 1000, 1334]);
        assert_eq!(paced(3, 1, 3 + 3000).last(), Some(&1_000_000));
        assert_eq!(paced(Limit::MAX_REQUESTS, 1, 100_100).last(), Some(&1));
    }

    #[test]
    fn what_was_not_used_is_kept_up_to_one_period() {
        let mut bucket = Bucket::full(Limit::new(2, 1).unwrap());
        bucket.take(NOW);
        bucket.take(NOW);
        let later = NOW + Duration::from_hours(1);
        bucket.take(later);
        assert!(bucket.next() <= later);
        bucket.take(later);
        assert_eq!(bucket.next(), later + Duration::from_millis(500));
    }

    #[test]
    fn bad_limits_say_what_is_wrong() {
        for (limit, says) in [
            (Limit::new(0, 1), "must be 1 to 100000, not 0"),
            (Limit::new(100_001, 1), "must be 1 to 100000, not 100001"),
            (Limit::new(1, 0), "must be 1 to 86400, not 0"),
            (Limit::new(1, 86_401), "must be 1 to 86400, not 86401"),
        ] {
            assert_eq!(limit.unwrap_err().to_string(), says);
        }
    }
}
