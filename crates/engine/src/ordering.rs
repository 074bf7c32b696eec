//! Which deliveries of a webhook go one after the other, in the order their events were accepted.
//!
//! Deliveries to one webhook may stand in a [`Line`]: the log hands out the first of it, and the
//! next when that has ended. The engine only sees to it that no two of them are under way at once.

use std::num::NonZeroU64;

use sha2::{Digest, Sha256};

use crate::filter::Subject;

/// What a webhook asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Each delivery goes as soon as it can.
    #[default]
    None,
    /// Those about the same object (`data.object.id`) go one after the other. Where an event has no
    /// such id, its delivery goes as soon as it can.
    PerKey,
    /// All of the webhook go one after the other.
    Strict,
}

impl Policy {
    /// The line that an event's delivery stands in, if it stands in one.
    #[must_use]
    pub fn line(self, subject: &Subject) -> Option<Line> {
        match self {
            Self::None => None,
            Self::PerKey => subject.object_id().map(Line::of),
            Self::Strict => Some(Line::WHOLE),
        }
    }
}

/// Deliveries of one webhook that go one after the other.
///
/// A digest of what they have in common: should two ids ever come to the same, their deliveries wait
/// for each other without need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line(NonZeroU64);

impl Line {
    /// The line of a whole webhook.
    const WHOLE: Self = Self(NonZeroU64::MIN);

    fn of(id: &str) -> Self {
        let head = Sha256::digest(id).into_iter().take(8).rev();
        Self::from_u64(head.fold(0, |number, byte| number << 8 | u64::from(byte)))
    }

    /// From a stored number.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        match NonZeroU64::new(number) {
            Some(number) => Self(number),
            None => Self(NonZeroU64::MAX),
        }
    }

    /// As a number, to be stored.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Draft;
    use crate::time::Time;

    fn line(policy: Policy, data: &str) -> Option<Line> {
        let draft = Draft::parse(format!(r#"{{"type":"a.b","data":{data}}}"#).as_bytes()).unwrap();
        policy.line(&Subject::of_draft(&draft, Time::from_secs(1)))
    }

    #[test]
    fn events_about_the_same_object_stand_in_line() {
        let of = |data| line(Policy::PerKey, data);
        let one = of(r#"{"object":{"id":"res_1","type":"resource"}}"#);
        assert!(one.is_some());
        assert_eq!(one, of(r#"{"changes":{}, "object":{"attributes":{},"id":"\u0072es_1"}}"#));
        assert_ne!(one, of(r#"{"object":{"id":"res_2"}}"#));
        assert!(of(r#"{"object":{"id":17}}"#).is_some());
        assert_ne!(of(r#"{"object":{"id":17}}"#), of(r#"{"object":{"id":18}}"#));
    }

    #[test]
    fn events_without_an_object_that_has_an_id_stand_in_no_line_of_their_own() {
        for data in [
            "{}",
            r#"{"object":"res_1"}"#,
            r#"{"object":{"type":"resource"}}"#,
            r#"{"object":{"id":null}}"#,
            r#"{"object":{"id":{"a":1}}}"#,
            r#"{"object":{"id":true}}"#,
        ] {
            assert_eq!(line(Policy::PerKey, data), None, "{data}");
            assert_eq!(line(Policy::Strict, data), Some(Line::WHOLE));
            assert_eq!(line(Policy::None, data), None);
        }
    }

    #[test]
    fn lines_are_the_same_in_every_process() {
        assert_eq!(Line::of("res_1").as_u64(), KNOWN);
        assert_eq!(Line::from_u64(KNOWN), Line::of("res_1"));
    }

    /// The first eight bytes of the SHA-256 of `res_1`, little-endian.
    const KNOWN: u64 = 0xd86c_3e0e_3065_fc0d;
}
