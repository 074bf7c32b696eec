//! Why a request is refused.

use core::time::Duration;

use crate::secret::InvalidSecret;

/// Why a request is not accepted as genuine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The timestamp's header is not a number of seconds.
    #[error("the timestamp is not a number of seconds since 1970")]
    MalformedTimestamp,
    /// The signature's header has another form than the scheme's.
    #[error("the signature must have the form '{expected}'")]
    MalformedSignature {
        /// The form of the scheme.
        expected: &'static str,
    },
    /// Signed too long ago: perhaps a replay.
    #[error("the timestamp is {} seconds old", .0.as_secs())]
    TooOld(Duration),
    /// Signed in the future: one of the two clocks is wrong.
    #[error("the timestamp is {} seconds in the future", .0.as_secs())]
    TooNew(Duration),
    /// Signed with another secret, or changed on its way.
    #[error("the signature does not match the body")]
    Mismatch,
    /// A secret of ours cannot verify this scheme.
    #[error("failed to use the secret: {0}")]
    Secret(#[from] InvalidSecret),
}
