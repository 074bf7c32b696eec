//! Requests that are not accepted, and what their sender is told.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookwright_signature::Rejection;
use serde_json::json;

/// After how long what could not be taken now may be sent again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why a request is not accepted. The sender of webhooks tries again, whatever it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Signed by neither scheme.
    #[error("the headers X-PCF-Signature and X-PCF-Timestamp, or those of Standard Webhooks, are required")]
    Unsigned,
    /// Not genuine.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Longer than accepted.
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    /// The connection broke before its end.
    #[error("the body did not arrive whole")]
    Incomplete,
    /// Genuine, but not an event.
    #[error("the body is no event: {0}")]
    NotAnEvent(String),
    /// More events than are ever taken at once.
    #[error("a batch of {events} events is more than the {capacity} that are taken at once")]
    TooManyEvents {
        /// Those of the batch.
        events: usize,
        /// The [capacity](crate::Options::capacity).
        capacity: usize,
    },
    /// From an address that may not send.
    #[error("this address may not send webhooks here")]
    Forbidden,
    /// More requests than allowed.
    #[error("too many requests")]
    TooMany {
        /// After how long there may be another one.
        retry_after: Duration,
    },
    /// There is no room for more work now.
    #[error("too much work is waiting")]
    Busy,
    /// The same event is being worked on.
    #[error("the event is being worked on")]
    InProgress,
    /// Which events were handled before could not be asked.
    #[error("the memory of events does not answer")]
    NoMemory,
    /// A handler failed.
    #[error("processing failed")]
    Failed,
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Rejected(Rejection::Mismatch) => StatusCode::UNAUTHORIZED,
            Self::Unsigned
            | Self::Incomplete
            | Self::NotAnEvent(_)
            | Self::Rejected(
                Rejection::MalformedTimestamp
                | Rejection::MalformedSignature { .. }
                | Rejection::TooOld(_)
                | Rejection::TooNew(_),
            ) => StatusCode::BAD_REQUEST,
            // The secret is ours, and whoever sent this cannot help it.
            Self::Rejected(Rejection::Secret(_)) | Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TooLarge(_) | Self::TooManyEvents { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::InProgress | Self::NoMemory => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany { retry_after } => Some(*retry_after),
            Self::Busy | Self::InProgress | Self::NoMemory => Some(RETRY_AFTER),
            Self::Unsigned
            | Self::Rejected(_)
            | Self::TooLarge(_)
            | Self::Incomplete
            | Self::NotAnEvent(_)
            | Self::TooManyEvents { .. }
            | Self::Forbidden
            | Self::Failed => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(json!({ "error": self.to_string() }))).into_response();
        if let Some(after) = self.retry_after() {
            // Whole seconds, and not before its time.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
