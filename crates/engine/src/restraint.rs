//! Why nothing, or less than waits, is sent to a webhook at present.

use crate::endpoint::Hold;
use crate::time::Time;

/// What holds a webhook's deliveries back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restraint {
    /// It is held until it changes, or until a Secret does.
    Held(Hold),
    /// Its receiver fails nearly always: it gets a probe now and then.
    CircuitOpen,
    /// Its receiver has asked for quiet, and deliveries wait.
    Quiet {
        /// Until then.
        until: Time,
    },
    /// More is due than its rate limit lets through.
    RateLimited,
}

impl Restraint {
    /// The name of each kind.
    pub const NAMES: [&str; 8] =
        ["Suspended", "Gone", "Failing", "Invalid", "Unresolved", "CircuitOpen", "RetryAfter", "RateLimited"];

    /// Its name in conditions and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held(Hold::Suspended) => "Suspended",
            Self::Held(Hold::Gone) => "Gone",
            Self::Held(Hold::Failing) => "Failing",
            Self::Held(Hold::Invalid) => "Invalid",
            Self::Held(Hold::Unresolved) => "Unresolved",
            Self::CircuitOpen => "CircuitOpen",
            Self::Quiet { .. } => "RetryAfter",
            Self::RateLimited => "RateLimited",
        }
    }
}
