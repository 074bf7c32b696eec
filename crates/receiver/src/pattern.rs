//! Which types of events a handler takes.

use std::fmt;
use std::str::FromStr;

/// Selects event types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// `*`
    Any,
    /// `resource.*`, kept with its last dot.
    Below(String),
    /// `resource.created`
    Exactly(String),
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no pattern: expected a type such as 'resource.created', 'resource.*', or '*'")]
pub struct InvalidPattern(String);

impl Pattern {
    pub(crate) fn matches(&self, event_type: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Below(prefix) => event_type.len() > prefix.len() && event_type.starts_with(prefix.as_str()),
            Self::Exactly(exact) => exact == event_type,
        }
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (prefix, exact) = match text.strip_suffix('*') {
            Some(prefix) => (prefix.strip_suffix('.'), None),
            None => (Some(text), Some(text)),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let segment = |segment: &str| !segment.is_empty() && segment.bytes().all(plain);
        match (prefix, exact) {
            (Some(prefix), None) if prefix.split('.').all(segment) => Ok(Self::Below(format!("{prefix}."))),
            (Some(_), Some(exact)) if exact.split('.').all(segment) => Ok(Self::Exactly(exact.to_owned())),
            _ => Err(InvalidPattern(text.to_owned())),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(prefix) => write!(f, "{prefix}*"),
            Self::Exactly(exact) => f.write_str(exact),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_selects_one_type_all_below_a_prefix_or_all() {
        for (pattern, event_type, matches) in [
            ("*", "resource.created", true),
            ("resource.*", "resource.created", true),
            ("resource.*", "resource.created.twice", true),
            ("resource.*", "resource", false),
            ("resource.*", "resources.created", false),
            ("resource.created", "resource.created", true),
            ("resource.created", "resource.created.twice", false),
        ] {
            let parsed: Pattern = pattern.parse().unwrap();
            assert_eq!(parsed.matches(event_type), matches, "{pattern} {event_type}");
            assert_eq!(parsed.to_string(), pattern);
        }
    }

    #[test]
    fn a_star_stands_alone_or_last() {
        for wrong in ["", ".", "a.", ".*", "**", "a*", "*.a", "a.*.b", "a..b", "a b", "a.**"] {
            assert_eq!(wrong.parse::<Pattern>(), Err(InvalidPattern(wrong.to_owned())), "{wrong}");
        }
    }
}
