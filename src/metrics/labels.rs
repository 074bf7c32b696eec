//! The labels of metrics: each value comes from an enum, so that the number of series is known.

use hookwright_engine::attempt::{Failure, FailureReason, Fault, Outcome};
use hookwright_engine::delivery::State;
use hookwright_engine::endpoint::Hold;
use hookwright_engine::filter;
use hookwright_engine::restraint::Restraint;
use prometheus_client::encoding::EncodeLabelSet;

/// Why an event was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not JSON, or a field is wrong.
    Invalid,
    /// It is larger than allowed.
    TooLarge,
    /// Another event has its id.
    Conflict,
    /// It could not be made durable.
    Unavailable,
}

impl Refusal {
    pub(super) const ALL: [Self; 4] = [Self::Invalid, Self::TooLarge, Self::Conflict, Self::Unavailable];
}

/// Why a call of the API was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallRefusal {
    /// Nobody knows who calls.
    Unauthorized,
    /// They may not do that.
    Forbidden,
    /// Neither could be found out.
    Unavailable,
}

impl CallRefusal {
    pub(super) const ALL: [Self; 3] = [Self::Unauthorized, Self::Forbidden, Self::Unavailable];
}

/// The kinds of object whose status is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusObject {
    /// A `Webhook`.
    Webhook,
    /// A `WebhookDelivery`.
    WebhookDelivery,
}

impl StatusObject {
    pub(super) const ALL: [Self; 2] = [Self::Webhook, Self::WebhookDelivery];
}

/// How somebody asks for something by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Through the REST API.
    Api,
    /// By an annotation of an object.
    Annotation,
}

impl By {
    pub(super) const ALL: [Self; 2] = [Self::Api, Self::Annotation];
}

/// `{by="…"}`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByWay {
    by: &'static str,
}

impl From<By> for ByWay {
    fn from(by: By) -> Self {
        let by = match by {
            By::Api => "API",
            By::Annotation => "Annotation",
        };
        Self { by }
    }
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Delivered,
    Failed,
    DeadLettered,
    Canceled,
}

impl End {
    pub(super) const ALL: [Self; 4] = [Self::Delivered, Self::Failed, Self::DeadLettered, Self::Canceled];

    pub(super) const fn of(state: State) -> Option<Self> {
        match state {
            State::Pending { .. } => None,
            State::Delivered => Some(Self::Delivered),
            State::Failed => Some(Self::Failed),
            State::DeadLettered => Some(Self::DeadLettered),
            State::Canceled => Some(Self::Canceled),
        }
    }
}

/// `{reason="…"}`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByReason {
    reason: &'static str,
}

impl ByReason {
    pub(super) fn refusals() -> impl Iterator<Item = Self> {
        Refusal::ALL.into_iter().map(Self::from)
    }

    /// Why a webhook is held, where its receiver did that.
    pub(super) const fn of_hold(hold: Hold) -> Option<Self> {
        match hold {
            Hold::Gone => Some(Self { reason: "Gone" }),
            Hold::Failing => Some(Self { reason: "Failing" }),
            Hold::Suspended | Hold::Invalid | Hold::Unresolved => None,
        }
    }

    /// One for each kind of restraint.
    pub(super) fn restraints() -> impl Iterator<Item = Self> {
        Restraint::NAMES.into_iter().map(|reason| Self { reason })
    }

    /// One for each kind of outcome.
    pub(super) fn outcomes() -> impl Iterator<Item = Self> {
        let answers = [200, 410, 500].map(|status| Outcome::Responded { status, retry_after: None });
        let failed = |reason| Outcome::Failed(Failure { reason, message: String::new() });
        let failures = FailureReason::ALL.into_iter().map(failed);
        let outcomes = answers.into_iter().chain(failures).chain([Outcome::Fault(Fault::Shutdown)]);
        outcomes.map(|outcome| Self::from(&outcome))
    }
}

impl From<filter::Failure> for ByReason {
    fn from(failure: filter::Failure) -> Self {
        Self { reason: failure.as_str() }
    }
}

impl From<Restraint> for ByReason {
    fn from(restraint: Restraint) -> Self {
        Self { reason: restraint.as_str() }
    }
}

impl From<&Outcome> for ByReason {
    fn from(outcome: &Outcome) -> Self {
        Self { reason: outcome.reason() }
    }
}

impl From<CallRefusal> for ByReason {
    fn from(refusal: CallRefusal) -> Self {
        let reason = match refusal {
            CallRefusal::Unauthorized => "Unauthorized",
            CallRefusal::Forbidden => "Forbidden",
            CallRefusal::Unavailable => "Unavailable",
        };
        Self { reason }
    }
}

impl From<Refusal> for ByReason {
    fn from(refusal: Refusal) -> Self {
        let reason = match refusal {
            Refusal::Invalid => "Invalid",
            Refusal::TooLarge => "TooLarge",
            Refusal::Conflict => "Conflict",
            Refusal::Unavailable => "Unavailable",
        };
        Self { reason }
    }
}

/// `{state="…"}`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByState {
    state: &'static str,
}

impl From<End> for ByState {
    fn from(end: End) -> Self {
        let state = match end {
            End::Delivered => "Delivered",
            End::Failed => "Failed",
            End::DeadLettered => "DeadLettered",
            End::Canceled => "Canceled",
        };
        Self { state }
    }
}

/// `{object="…"}`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByObject {
    object: &'static str,
}

impl From<StatusObject> for ByObject {
    fn from(object: StatusObject) -> Self {
        let object = match object {
            StatusObject::Webhook => "Webhook",
            StatusObject::WebhookDelivery => "WebhookDelivery",
        };
        Self { object }
    }
}
