//! The signing keys of a webhook over time: when the value changes, the one before signs beside it
//! for a while.
//!
//! The key before survives a restart of the operator in a Secret of its own that the webhook owns,
//! `<name>-signing-previous`. A key that is replaced while no operator runs is not known
//! afterwards, so it does not sign beside its successor.

use std::time::Duration;

use hookwright_engine::endpoint::PreviousKey;
use hookwright_engine::time::Time;
use secrecy::{ExposeSecret, SecretString};

/// What is known of a webhook's signing keys.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// The key that signed last.
    pub(super) current: SecretString,
    /// The key before it, while it signs beside it.
    pub(super) previous: Option<PreviousKey>,
    /// Until when the Secret of the key before says that it signs; `None` when there is none.
    pub(super) stored_until: Option<Time>,
}

/// What is to be done with the Secret of the key before.
#[derive(Clone, Debug)]
pub(super) enum Keep {
    /// It is as it should be.
    AsIs,
    /// It must hold this key.
    Store(PreviousKey),
    /// It has served its time.
    Remove,
}

impl Keys {
    /// The keys now that the value is `current`, given what was known. `overlap` is how long the
    /// key before signs from its replacement on; a shorter one ends a rotation earlier.
    pub(super) fn next(known: Option<Self>, current: &SecretString, overlap: Duration, now: Time) -> Self {
        let Some(known) = known else {
            return Self { current: current.clone(), previous: None, stored_until: None };
        };
        let end = now + overlap;
        let previous = if same(&known.current, current) {
            known.previous.map(|key| PreviousKey { until: key.until.min(end), ..key })
        } else {
            Some(PreviousKey { secret: known.current, until: end })
        };
        Self {
            current: current.clone(),
            previous: previous.filter(|key| key.until > now && !same(&key.secret, current)),
            stored_until: known.stored_until,
        }
    }

    /// What is to be done so that a restart finds the key before.
    pub(super) fn keep(&self) -> Keep {
        match (&self.previous, self.stored_until) {
            (Some(previous), stored) if stored != Some(previous.until) => Keep::Store(previous.clone()),
            (None, Some(_)) => Keep::Remove,
            (Some(_) | None, _) => Keep::AsIs,
        }
    }

    /// The same keys, with their Secret as it should be.
    pub(super) fn kept(self) -> Self {
        let stored_until = self.previous.as_ref().map(|previous| previous.until);
        Self { stored_until, ..self }
    }
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1000);
    const OVERLAP: Duration = Duration::from_mins(1);

    fn next(known: Option<Keys>, current: &str, seconds: u64) -> Keys {
        Keys::next(known, &current.into(), OVERLAP, NOW + Duration::from_secs(seconds))
    }

    fn previous(keys: &Keys) -> Option<(&str, i64)> {
        keys.previous.as_ref().map(|key| (key.secret.expose_secret(), key.until.as_secs()))
    }

    #[test]
    fn a_replaced_key_signs_beside_its_successor_for_the_overlap() {
        let first = next(None, "one", 0);
        assert_eq!(previous(&first), None);
        assert!(matches!(first.keep(), Keep::AsIs));
        let second = next(Some(first), "two", 10);
        assert_eq!(previous(&second), Some(("one", 1070)));
        assert!(matches!(second.keep(), Keep::Store(_)));
        let later = next(Some(second.kept()), "two", 69);
        assert_eq!(previous(&later), Some(("one", 1070)));
        assert!(matches!(later.keep(), Keep::AsIs));
        let ended = next(Some(later), "two", 70);
        assert_eq!(previous(&ended), None);
        assert!(matches!(ended.keep(), Keep::Remove));
        assert!(matches!(ended.kept().keep(), Keep::AsIs));
    }

    #[test]
    fn a_second_replacement_ends_the_first() {
        let keys = next(Some(next(Some(next(None, "one", 0)), "two", 10)), "three", 20);
        assert_eq!(previous(&keys), Some(("two", 1080)));
    }

    #[test]
    fn going_back_to_the_key_before_swaps_the_two() {
        let keys = next(Some(next(Some(next(None, "one", 0)), "two", 10)), "one", 20);
        assert_eq!(previous(&keys), Some(("two", 1080)));
    }

    #[test]
    fn what_could_not_be_stored_is_tried_again() {
        let unstored = next(Some(next(None, "one", 0)), "two", 10);
        assert!(matches!(next(Some(unstored), "two", 11).keep(), Keep::Store(_)));
    }

    #[test]
    fn a_shorter_overlap_ends_a_rotation_earlier() {
        let rotating = next(Some(next(None, "one", 0)), "two", 10).kept();
        let shorter = Keys::next(Some(rotating), &"two".into(), Duration::ZERO, NOW + OVERLAP / 2);
        assert_eq!(previous(&shorter), None);
        assert!(matches!(shorter.keep(), Keep::Remove));
    }
}
