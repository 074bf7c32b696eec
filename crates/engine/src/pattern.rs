//! Event types and the patterns that select them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Most segments of an event type.
const MAX_SEGMENTS: usize = 8;
/// Longest segment, in bytes.
const MAX_SEGMENT_LEN: usize = 64;

/// The types that every installation knows. Others are accepted too.
pub const CATALOGUE: [&str; 14] = [
    "resource.created",
    "resource.updated",
    "resource.deleted",
    "user.created",
    "user.updated",
    "user.deleted",
    "user.login",
    "auth.login",
    "auth.logout",
    "auth.token_refresh",
    "system.maintenance",
    "system.alert",
    "system.update",
    "test.ping",
];

/// The type of an event: 1 to 8 dot-separated segments.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventType(Arc<str>);

/// Selects event types: one exactly, all, or all below a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// `*`: every type.
    Any,
    /// `resource.*`: one or more further segments after the prefix.
    Below(EventType),
    /// `resource.created`: this type.
    Exactly(EventType),
}

/// Why a text is no event type or pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// Too many or no segments.
    #[error("'{0}' must have 1 to 8 segments separated by dots")]
    Segments(String),
    /// A segment is empty, too long, or has other characters.
    #[error("segment '{segment}' of '{text}' must be 1 to 64 characters of A-Z a-z 0-9 _ -")]
    Segment {
        /// The whole text.
        text: String,
        /// Its offending segment.
        segment: String,
    },
    /// A star anywhere but alone or as the last segment.
    #[error("'{0}': '*' is allowed alone or as the last segment only, as in 'resource.*'")]
    Star(String),
}

impl EventType {
    /// The type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EventType {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        if text.is_empty() || text.split('.').count() > MAX_SEGMENTS {
            return Err(InvalidPattern::Segments(shown(text)));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        let valid = |segment: &&str| {
            !segment.is_empty() && segment.len() <= MAX_SEGMENT_LEN && segment.bytes().all(plain)
        };
        match text.split('.').find(|segment| !valid(segment)) {
            Some(segment) => Err(InvalidPattern::Segment { text: shown(text), segment: shown(segment) }),
            None => Ok(Self(text.into())),
        }
    }
}

impl Pattern {
    /// Whether the pattern selects this type.
    #[must_use]
    pub fn matches(&self, event_type: &EventType) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(exact) => exact == event_type,
            Self::Below(prefix) => {
                event_type.0.strip_prefix(&*prefix.0).is_some_and(|rest| rest.starts_with('.'))
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(prefix) => write!(f, "{prefix}.*"),
            Self::Exactly(exact) => exact.fmt(f),
        }
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let prefix = text.strip_suffix(".*");
        if prefix.unwrap_or(text).contains('*') {
            return Err(InvalidPattern::Star(shown(text)));
        }
        match prefix {
            // A prefix of all 8 segments would leave no room for a further one.
            Some(prefix) if prefix.split('.').count() >= MAX_SEGMENTS => {
                Err(InvalidPattern::Segments(shown(text)))
            }
            Some(prefix) => prefix.parse().map(Self::Below),
            None => text.parse().map(Self::Exactly),
        }
    }
}

/// Input quoted in messages is bounded.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, event_type: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(&event_type.parse().unwrap())
    }

    #[test]
    fn patterns_select_one_type_all_types_or_all_below_a_prefix() {
        assert!(matches("*", "a"));
        assert!(matches("resource.created", "resource.created"));
        assert!(!matches("resource.created", "resource.created.now"));
        assert!(matches("resource.*", "resource.created"));
        assert!(matches("resource.*", "resource.created.now"));
        assert!(!matches("resource.*", "resource"));
        assert!(!matches("resource.*", "resources.created"));
    }

    #[test]
    fn any_other_use_of_a_star_is_refused_with_a_message() {
        for wrong in ["**", "*.created", "a.*.b", "res*", "a.b*", "*.*", ".*"] {
            assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
        }
        assert_eq!(
            "a.*.b".parse::<Pattern>().unwrap_err().to_string(),
            "'a.*.b': '*' is allowed alone or as the last segment only, as in 'resource.*'"
        );
    }

    #[test]
    fn types_are_bounded() {
        for wrong in ["", ".", "a.", "a b", "é", "a.b.c.d.e.f.g.h.i", &"x".repeat(65), "a.*"] {
            assert!(wrong.parse::<EventType>().is_err(), "{wrong}");
        }
        assert!("a.b.c.d.e.f.g.h".parse::<EventType>().is_ok());
        assert!(CATALOGUE.iter().all(|known| known.parse::<EventType>().is_ok()));
    }

    proptest! {
        #[test]
        fn a_pattern_prints_as_it_was_written(text in "([a-z]{1,3}\\.){0,6}([a-z]{1,3}|\\*)") {
            prop_assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<Pattern>();
        }
    }
}
