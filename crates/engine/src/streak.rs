//! How long a receiver has done nothing but fail, and when that is long enough.

use std::time::Duration;

use crate::time::Time;

/// The failures of a receiver since it last took a delivery, at one generation of its webhook.
///
/// The log keeps it, so that a restart forgives nothing. A change of the webhook does: it may name
/// another receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streak {
    /// The generation of the webhook's object.
    pub generation: i64,
    /// When the first of the failed attempts ended.
    pub since: Time,
    /// When the latest one did.
    pub last: Time,
    /// How many there were.
    pub attempts: u32,
}

impl Streak {
    /// After so long of nothing but failure a webhook is held.
    pub const PATIENCE: Duration = Duration::from_hours(5 * 24);
    /// Fewer failed attempts than these prove nothing, however long they took.
    pub const MIN_ATTEMPTS: u32 = 10;

    /// The streak after one more failed attempt.
    #[must_use]
    pub fn extended(before: Option<Self>, generation: i64, now: Time) -> Self {
        match before {
            Some(streak) if streak.generation == generation => {
                Self { last: streak.last.max(now), attempts: streak.attempts.saturating_add(1), ..streak }
            }
            Some(_) | None => Self { generation, since: now, last: now, attempts: 1 },
        }
    }

    /// Whether a webhook of this generation is held for it.
    #[must_use]
    pub fn holds(&self, generation: i64) -> bool {
        self.generation == generation
            && self.attempts >= Self::MIN_ATTEMPTS
            && self.last.since(self.since) >= Self::PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Time = Time::from_secs(1_700_000_000);

    /// The streak of these attempts, each a time after the first.
    fn of(attempts: &[Duration]) -> Streak {
        let streak =
            attempts.iter().fold(None, |streak, &after| Some(Streak::extended(streak, 1, BEGIN + after)));
        streak.unwrap()
    }

    #[test]
    fn many_failures_over_five_days_hold_the_webhook_until_it_changes() {
        let patience = Streak::PATIENCE;
        let enough: Vec<_> = (0..Streak::MIN_ATTEMPTS).map(|n| patience / 9 * n).chain([patience]).collect();
        assert!(of(&enough).holds(1));
        assert!(!of(&enough).holds(2), "another generation");
        assert!(!of(&enough[..enough.len() - 2]).holds(1), "a moment too early");
        assert!(!of(&[Duration::ZERO, patience * 2]).holds(1), "two failures prove nothing");
        assert!(!of(&[Duration::ZERO; 1000]).holds(1), "many, but all at once");
    }

    #[test]
    fn a_change_of_the_webhook_begins_anew() {
        let late = BEGIN + Streak::PATIENCE;
        let changed = Streak::extended(Some(of(&[Duration::ZERO; 20])), 2, late);
        assert_eq!(changed, Streak { generation: 2, since: late, last: late, attempts: 1 });
    }
}
