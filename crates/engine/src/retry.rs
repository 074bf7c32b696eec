//! When a failed delivery is tried again.

use std::time::Duration;

use crate::time::Time;

/// No delay is longer, whatever the schedule or the receiver says.
pub const MAX_DELAY: Duration = Duration::from_hours(24);

/// How often, and after which delays, a delivery is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    max_attempts: u32,
    intervals: Vec<Duration>,
    backoff_percent: u32,
    max_interval: Duration,
}

/// Why a retry policy is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// Attempts out of bounds.
    #[error("max attempts must be 1 to {max}, not {0}", max = Policy::MAX_ATTEMPTS)]
    MaxAttempts(u32),
    /// Too many or no intervals.
    #[error("there must be 1 to {max} intervals, not {0}", max = Policy::MAX_INTERVALS)]
    Intervals(usize),
    /// One interval out of bounds.
    #[error("an interval must be 1 to 86400 seconds, not {0}")]
    Interval(u64),
    /// A backoff that shrinks or explodes.
    #[error("the backoff rate must be 100 to 1000 percent, not {0}")]
    Backoff(u32),
}

impl Policy {
    /// Most attempts a policy may ask for.
    pub const MAX_ATTEMPTS: u32 = 50;
    /// Most intervals a policy may list.
    pub const MAX_INTERVALS: usize = 50;
    /// Attempts of the default policy.
    pub const DEFAULT_MAX_ATTEMPTS: u32 = 5;
    /// Intervals of the default policy: 1 and 5 minutes, a quarter hour, one and two hours.
    pub const DEFAULT_INTERVALS_SECONDS: [u32; 5] = [60, 300, 900, 3600, 7200];
    /// Backoff of the default policy.
    pub const DEFAULT_BACKOFF_PERCENT: u32 = 200;

    /// A checked policy. `intervals_seconds` are the delays before the second attempt, the third
    /// and so on; past them the last is multiplied by `backoff_percent`/100 for each further one,
    /// up to `max_interval_seconds`.
    pub fn new(
        max_attempts: u32,
        intervals_seconds: &[u64],
        backoff_percent: u32,
        max_interval_seconds: u64,
    ) -> Result<Self, InvalidPolicy> {
        if !(1..=Self::MAX_ATTEMPTS).contains(&max_attempts) {
            return Err(InvalidPolicy::MaxAttempts(max_attempts));
        }
        if !(1..=Self::MAX_INTERVALS).contains(&intervals_seconds.len()) {
            return Err(InvalidPolicy::Intervals(intervals_seconds.len()));
        }
        if !(100..=1000).contains(&backoff_percent) {
            return Err(InvalidPolicy::Backoff(backoff_percent));
        }
        let allowed = 1..=MAX_DELAY.as_secs();
        let mut seconds = intervals_seconds.iter().copied().chain([max_interval_seconds]);
        if let Some(wrong) = seconds.find(|seconds| !allowed.contains(seconds)) {
            return Err(InvalidPolicy::Interval(wrong));
        }
        Ok(Self {
            max_attempts,
            intervals: intervals_seconds.iter().copied().map(Duration::from_secs).collect(),
            backoff_percent,
            max_interval: Duration::from_secs(max_interval_seconds),
        })
    }

    /// One attempt and no more.
    #[must_use]
    pub fn never() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// Attempts of one retry budget, the first included.
    #[must_use]
    pub const fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// When to try again after `failed` attempts of the present budget (at least 1), the last of
    /// which ended at `now`; `None` when the budget is spent. `entropy` only ever adds, at most a
    /// tenth of the delay. `hint` is the receiver's own wish: the later of it and the schedule
    /// holds, within a day.
    #[must_use]
    pub fn next_attempt(&self, failed: u32, now: Time, entropy: u64, hint: Option<Time>) -> Option<Time> {
        if failed >= self.max_attempts {
            return None;
        }
        let delay = self.delay(failed);
        let jitter = entropy % (u64::try_from(delay.as_millis()).unwrap_or(u64::MAX) / 10 + 1);
        let scheduled = now + delay + Duration::from_millis(jitter);
        Some(hint.map_or(scheduled, |hint| scheduled.max(hint.min(now + MAX_DELAY))))
    }

    /// The delay after `failed` attempts, without jitter.
    fn delay(&self, failed: u32) -> Duration {
        let index = failed.saturating_sub(1) as usize;
        if let Some(&listed) = self.intervals.get(index) {
            return listed.min(self.max_interval);
        }
        let last = self.intervals.last().copied().unwrap_or(MAX_DELAY);
        let beyond = index + 1 - self.intervals.len();
        let mut delay = last.min(self.max_interval);
        for _ in 0..beyond {
            delay = (delay * self.backoff_percent / 100).min(self.max_interval);
        }
        delay
    }
}

impl Default for Policy {
    /// Five attempts: at once, then after 1 and 5 minutes, a quarter hour, and an hour.
    fn default() -> Self {
        Self {
            max_attempts: Self::DEFAULT_MAX_ATTEMPTS,
            intervals: Self::DEFAULT_INTERVALS_SECONDS.map(|s| Duration::from_secs(s.into())).to_vec(),
            backoff_percent: Self::DEFAULT_BACKOFF_PERCENT,
            max_interval: MAX_DELAY,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Time = Time::from_secs(1_000_000);

    fn after(policy: &Policy, failed: u32) -> Option<u64> {
        policy.next_attempt(failed, NOW, 0, None).map(|due| due.since(NOW).as_secs())
    }

    #[test]
    fn the_default_is_the_cookbooks_schedule_and_doubles_past_its_end() {
        let policy = Policy { max_attempts: 50, ..Policy::default() };
        let delays: Vec<_> = (1..=9).filter_map(|failed| after(&policy, failed)).collect();
        assert_eq!(delays, [60, 300, 900, 3600, 7200, 14_400, 28_800, 57_600, 86_400]);
    }

    #[test]
    fn the_last_attempt_has_no_successor() {
        assert_eq!(after(&Policy::default(), 4), Some(3600));
        assert_eq!(after(&Policy::default(), 5), None);
        assert_eq!(after(&Policy::never(), 1), None);
    }

    #[test]
    fn a_receivers_hint_only_ever_delays_and_at_most_a_day() {
        let policy = Policy::default();
        let due = |hint| policy.next_attempt(1, NOW, 0, Some(hint)).unwrap().since(NOW).as_secs();
        assert_eq!(due(NOW + Duration::from_secs(5)), 60);
        assert_eq!(due(NOW + Duration::from_mins(2)), 120);
        assert_eq!(due(Time::from_millis(i64::MAX)), 86_400);
    }

    #[test]
    fn bad_policies_say_what_is_wrong() {
        for (policy, says) in [
            (Policy::new(0, &[1], 100, 1), "max attempts must be 1 to 50, not 0"),
            (Policy::new(1, &[], 100, 1), "there must be 1 to 50 intervals, not 0"),
            (Policy::new(1, &[0], 100, 1), "an interval must be 1 to 86400 seconds, not 0"),
            (Policy::new(1, &[1], 99, 1), "the backoff rate must be 100 to 1000 percent, not 99"),
        ] {
            assert_eq!(policy.unwrap_err().to_string(), says);
        }
    }

    proptest! {
        #[test]
        fn a_delay_is_never_shorter_than_scheduled_nor_more_than_a_tenth_longer(
            intervals in prop::collection::vec(1_u64..=86_400, 1..8),
            backoff in 100_u32..=1000, failed in 1_u32..49, entropy: u64,
        ) {
            let policy = Policy::new(50, &intervals, backoff, 86_400).unwrap();
            let plain = policy.next_attempt(failed, NOW, 0, None).unwrap().since(NOW);
            let jittered = policy.next_attempt(failed, NOW, entropy, None).unwrap().since(NOW);
            prop_assert!(plain >= Duration::from_secs(1) && plain <= MAX_DELAY);
            prop_assert!(jittered >= plain && jittered <= plain + plain / 10);
        }
    }
}
