//! One HTTP request of a delivery and what it ended with.

use std::fmt;
use std::time::Duration;

use crate::time::Time;

/// One request, as the transport saw it. Append-only once recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When the request was begun.
    pub started: Time,
    /// From the begin to the last byte read, or to the failure.
    pub elapsed: Duration,
    /// What came of it.
    pub outcome: Outcome,
    /// The head of the response body, at most [`Attempt::MAX_RESPONSE`] bytes, as received.
    pub response: Vec<u8>,
}

impl Attempt {
    /// How much of a response is read and kept, in bytes.
    pub const MAX_RESPONSE: usize = 16 * 1024;
}

/// What a request ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered; only the status decides what that means.
    Responded {
        /// The HTTP status code.
        status: u16,
        /// The answer's `Retry-After`, as the time it names; only on 429 and 503.
        retry_after: Option<Time>,
    },
    /// The receiver did not answer. Charged as an attempt.
    Failed(Failure),
    /// We could not send. Never charged to the receiver.
    Fault(Fault),
}

/// Why a receiver did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind, a closed set.
    pub reason: FailureReason,
    /// For people: what was tried and what happened, without secrets.
    pub message: String,
}

/// The kinds of [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// The name did not resolve.
    Dns,
    /// The address is not one that the egress policy allows.
    EgressDenied,
    /// No TCP connection.
    Connect,
    /// No TLS session: certificate or protocol.
    Tls,
    /// No answer within the webhook's timeout.
    Timeout,
    /// The connection broke, or what came was not HTTP.
    Protocol,
    /// No token of the token server that the receiver's webhook names.
    Authorization,
}

impl FailureReason {
    /// Every kind, for metrics and documents.
    pub const ALL: [Self; 7] = [
        Self::Dns,
        Self::EgressDenied,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Protocol,
        Self::Authorization,
    ];

    /// The name in conditions, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "DNSFailure",
            Self::EgressDenied => "EgressDenied",
            Self::Connect => "ConnectFailure",
            Self::Tls => "TLSFailure",
            Self::Timeout => "Timeout",
            Self::Protocol => "ProtocolError",
            Self::Authorization => "AuthorizationFailure",
        }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why we could not send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The event could not be read back from the store.
    #[error("failed to read the event: {0}")]
    Store(String),
    /// The request could not be built, for example for want of file descriptors or memory.
    #[error("failed to build the request: {0}")]
    Request(String),
    /// The process is shutting down; the attempt was abandoned.
    #[error("the operator is shutting down")]
    Shutdown,
}

/// What an outcome means for the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 200–299: done.
    Success,
    /// 410: the receiver wants no more of this webhook.
    Gone,
    /// Everything else the receiver did: try again while the budget lasts.
    Retry,
    /// Our own failure: try again, charge nothing.
    Uncharged,
}

impl Outcome {
    /// What this outcome means. The status line decides alone.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Responded { status: 200..=299, .. } => Verdict::Success,
            Self::Responded { status: 410, .. } => Verdict::Gone,
            Self::Responded { .. } | Self::Failed(_) => Verdict::Retry,
            Self::Fault(_) => Verdict::Uncharged,
        }
    }

    /// The status code, where there was an answer.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Responded { status, .. } => Some(*status),
            Self::Failed(_) | Self::Fault(_) => None,
        }
    }

    /// When the receiver wishes to be asked again, if it said so.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Time> {
        match self {
            Self::Responded { retry_after, .. } => *retry_after,
            Self::Failed(_) | Self::Fault(_) => None,
        }
    }

    /// The kind in one word: a `FailureReason`, `HTTPStatus` for an answer that is no success.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Responded { status: 200..=299, .. } => "Delivered",
            Self::Responded { status: 410, .. } => "Gone",
            Self::Responded { .. } => "HTTPStatus",
            Self::Failed(failure) => failure.reason.as_str(),
            Self::Fault(_) => "OperatorFault",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Responded { status, .. } => write!(f, "HTTP {status}"),
            Self::Failed(failure) => f.write_str(&failure.message),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}
