//! Conditions of the custom resources: their types, their reasons, and how they change.

use hookwright_engine::time::Time;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{self, Condition};

/// Longest message of a condition, in characters.
const MAX_MESSAGE: usize = 2048;

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// The spec is in force: events are taken and, unless the webhook is suspended, sent. Says
    /// nothing about the receiver.
    Ready,
    /// The spec is valid.
    Accepted,
    /// Every Secret that the spec names is there and usable, and the webhook for dead letters exists.
    ResolvedRefs,
    /// The receiver took the last delivery. Never part of `Ready`.
    EndpointHealthy,
    /// Every delivery that the webhook's `history` asks for has its object. Only present while false.
    RecordsComplete,
    /// Deliveries wait, as the webhook's rate limit lets no more of them through. Only present while true.
    Throttled,
    /// The delivery ended well.
    Succeeded,
    /// Something is still to happen. Only present while true.
    Reconciling,
    /// Nothing will happen until the spec changes. Only present while true.
    Stalled,
}

impl Type {
    /// The name in `conditions[].type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Accepted => "Accepted",
            Self::ResolvedRefs => "ResolvedRefs",
            Self::EndpointHealthy => "EndpointHealthy",
            Self::RecordsComplete => "RecordsComplete",
            Self::Throttled => "Throttled",
            Self::Succeeded => "Succeeded",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
        }
    }
}

/// Why a condition is as it is. These names are public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Ready: events are sent.
    Active,
    /// Ready: `spec.suspend` is true; events are queued.
    Suspended,
    /// Accepted: nothing is wrong with the spec.
    Valid,
    /// Not Accepted, not Ready, Stalled: the message names the fields. `ResolvedRefs` is Unknown.
    InvalidSpec,
    /// Not Accepted, not Ready, Stalled: a filter is wrong; the message says which, and where.
    InvalidFilter,
    /// `ResolvedRefs`: all Secrets are there and usable.
    Resolved,
    /// Not `ResolvedRefs`, but Ready: the webhook that is named for dead letters does not exist.
    DeadLetterNotFound,
    /// Not `ResolvedRefs`, not Ready, Reconciling: waits for the Secret.
    SecretNotFound,
    /// Not `ResolvedRefs`, not Ready, Reconciling: waits for the key in the Secret.
    SecretKeyNotFound,
    /// Not `ResolvedRefs`, not Ready, Reconciling: waits for a usable value in the Secret.
    InvalidSecret,
    /// `EndpointHealthy`, Succeeded: the receiver took it.
    Delivered,
    /// `EndpointHealthy` is Unknown: nothing was sent yet.
    NothingSent,
    /// Not `EndpointHealthy`: what the last attempt ended with, such as `HTTPStatus` or `Timeout`.
    Attempt(&'static str),
    /// Not `EndpointHealthy`, not Succeeded: the receiver answered 410 Gone.
    Gone,
    /// Not `EndpointHealthy`: nothing but failure for days; deliveries are held until the spec changes.
    Failing,
    /// Not `EndpointHealthy`: most attempts failed, so that one at a time is sent now and then.
    CircuitOpen,
    /// Not `EndpointHealthy`: the receiver asked for quiet by `Retry-After`.
    RetryAfter,
    /// Throttled: more events come than `spec.rateLimit` lets through.
    RateLimited,
    /// Only of a Kubernetes Event: deliveries flow again.
    CircuitClosed,
    /// Only of a Kubernetes Event: what failed is retried.
    Redriven,
    /// Only of a Kubernetes Event: a test is sent.
    TestSent,
    /// Not `RecordsComplete`: the operator keeps no more objects.
    OverBudget,
    /// Succeeded is Unknown: waits for the first attempt.
    Pending,
    /// Succeeded is Unknown: a request is under way.
    Sending,
    /// Succeeded is Unknown: waits for another attempt.
    Retrying,
    /// Not Succeeded, Stalled: the attempts are used up.
    AttemptsExhausted,
    /// Not Succeeded, Stalled: handed to the dead-letter webhook.
    DeadLettered,
    /// Not Succeeded: ended by `spec.canceled`, and so Ready; or Stalled, as it ended with the webhook.
    Canceled,
    /// Succeeded is Unknown: waits for the webhook.
    WebhookNotFound,
    /// Succeeded is Unknown: waits for the delivery to be replayed.
    DeliveryNotFound,
    /// Succeeded is Unknown: the event could not be made durable; it is tried again.
    StoreUnavailable,
    /// Not Succeeded, Stalled: the message names the fields of the event.
    InvalidEvent,
    /// Not Succeeded, Stalled: another event has the id.
    EventConflict,
    /// Not Succeeded, Stalled: the webhook does not subscribe to the event.
    NotSubscribed,
    /// Not Succeeded, Stalled: the webhook's filters do not let the event through.
    FilteredOut,
    /// Not Succeeded, Stalled: the log does not know the delivery any more; it is not sent again.
    DeliveryLost,
}

impl Reason {
    /// The name in `conditions[].reason` and in Kubernetes Events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "Delivered",
            Self::NothingSent => "NothingSent",
            Self::Attempt(reason) => reason,
            Self::Gone => "Gone",
            Self::Failing => "Failing",
            Self::CircuitOpen => "CircuitOpen",
            Self::RetryAfter => "RetryAfter",
            Self::RateLimited => "RateLimited",
            Self::CircuitClosed => "CircuitClosed",
            Self::Redriven => "Redriven",
            Self::TestSent => "TestSent",
            Self::OverBudget => "OverBudget",
            Self::Pending => "Pending",
            Self::Sending => "Sending",
            Self::Retrying => "Retrying",
            Self::AttemptsExhausted => "AttemptsExhausted",
            Self::DeadLettered => "DeadLettered",
            Self::Canceled => "Canceled",
            Self::WebhookNotFound => "WebhookNotFound",
            Self::DeliveryNotFound => "DeliveryNotFound",
            Self::StoreUnavailable => "StoreUnavailable",
            Self::InvalidEvent => "InvalidEvent",
            Self::EventConflict => "EventConflict",
            Self::NotSubscribed => "NotSubscribed",
            Self::FilteredOut => "FilteredOut",
            Self::DeliveryLost => "DeliveryLost",
            Self::Active => "Active",
            Self::Suspended => "Suspended",
            Self::Valid => "Valid",
            Self::InvalidSpec => "InvalidSpec",
            Self::InvalidFilter => "InvalidFilter",
            Self::Resolved => "Resolved",
            Self::DeadLetterNotFound => "DeadLetterNotFound",
            Self::SecretNotFound => "SecretNotFound",
            Self::SecretKeyNotFound => "SecretKeyNotFound",
            Self::InvalidSecret => "InvalidSecret",
        }
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    True,
    /// It does not.
    False,
    /// That cannot be told.
    Unknown,
}

impl Holds {
    /// The value of `conditions[].status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// What is said of one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What it is about.
    pub about: Type,
    /// Whether it holds.
    pub holds: Holds,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
}

impl Claim {
    /// The condition, as of `generation`. Its transition time is the one it had `before` unless
    /// its status changes.
    #[must_use]
    pub fn condition(self, before: &[Condition], generation: Option<i64>, now: Time) -> Condition {
        let Self { about, holds, reason, mut message } = self;
        if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE) {
            message.truncate(end);
            message.push('…');
        }
        let same = before.iter().find(|it| it.type_ == about.as_str() && it.status == holds.as_str());
        Condition {
            type_: about.as_str().to_owned(),
            status: holds.as_str().to_owned(),
            reason: reason.as_str().to_owned(),
            message,
            observed_generation: generation,
            last_transition_time: same.map_or_else(|| time(now), |it| it.last_transition_time.clone()),
        }
    }
}

/// A time as Kubernetes writes it: to the second, so that what is read back compares equal.
#[must_use]
pub fn time(time: Time) -> v1::Time {
    v1::Time(Time::from_secs(time.as_secs()).to_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(holds: Holds, message: &str) -> Claim {
        Claim { about: Type::Ready, holds, reason: Reason::Active, message: message.to_owned() }
    }

    #[test]
    fn the_transition_time_changes_with_the_status_only() {
        let (early, late) = (Time::from_secs(100), Time::from_secs(200));
        let first = claim(Holds::True, "a").condition(&[], Some(1), early);
        let second = claim(Holds::True, "b").condition(std::slice::from_ref(&first), Some(2), late);
        assert_eq!(second.last_transition_time, first.last_transition_time);
        assert_eq!((second.message.as_str(), second.observed_generation), ("b", Some(2)));
        let third = claim(Holds::False, "b").condition(&[second], Some(2), late);
        assert_eq!(third.last_transition_time, time(late));
    }

    #[test]
    fn messages_are_bounded() {
        let long = claim(Holds::True, &"é".repeat(5000)).condition(&[], None, Time::MIN);
        assert_eq!(long.message.chars().count(), MAX_MESSAGE + 1);
    }
}
