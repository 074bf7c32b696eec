//! What the log knows of a delivery, as the status of its object: the same for every object,
//! whoever made it. Pure.

use hookwright_engine::attempt::{Attempt, Verdict};
use hookwright_engine::delivery::{Kind, State};
use hookwright_engine::time::Time;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::crd::WebhookDeliveryStatus;
use crate::crd::condition::{self, Claim, Holds, Reason, Type};
use crate::crd::webhook_delivery::{AttemptStatus, MAX_ATTEMPTS_SHOWN, MAX_RESPONSE_EXCERPT, Outcome};
use crate::store::Delivery;

/// Longest text of an error in a status, in characters.
const MAX_ERROR: usize = 1024;

/// What is known of a delivery.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The delivery.
    pub delivery: &'a Delivery,
    /// Its attempts, oldest first.
    pub attempts: &'a [(u32, Attempt)],
    /// Whether a request is under way.
    pub sending: bool,
    /// Attempts that its webhook allows, where there still is one.
    pub budget: Option<u32>,
    /// Whether its object asks for its end.
    pub canceled: bool,
}

/// The status of an object of this generation, which had `before`.
#[must_use]
pub fn of(
    known: Known<'_>,
    generation: Option<i64>,
    before: &WebhookDeliveryStatus,
    now: Time,
) -> WebhookDeliveryStatus {
    let Known { delivery, attempts, sending, budget, canceled } = known;
    let outcome = outcome(delivery, sending);
    let shown = attempts.len().saturating_sub(MAX_ATTEMPTS_SHOWN);
    let history: Vec<_> = attempts[shown..].iter().map(|(_, attempt)| attempt_status(attempt)).collect();
    let max_attempts = max_attempts(delivery, budget, before);
    let claims = if canceled && outcome == Outcome::Canceled {
        as_asked("canceled, as spec.canceled asks")
    } else {
        claims(delivery, outcome, max_attempts)
    };
    WebhookDeliveryStatus {
        observed_generation: generation,
        id: Some(delivery.id.to_string()),
        event_id: Some(delivery.event_id.to_string()),
        outcome: Some(outcome),
        attempts: Some(delivery.attempts),
        max_attempts,
        next_attempt_time: next_attempt(delivery).map(condition::time),
        start_time: Some(condition::time(delivery.created)),
        delivered_time: delivery.finished.filter(|_| outcome == Outcome::Delivered).map(condition::time),
        last_attempt: delivery.last_attempt.as_ref().map(attempt_status),
        history: (!history.is_empty()).then_some(history),
        dead_letter_of: delivery.dead_letter_of.map(|of| of.to_string()),
        retry_requested_at: before.retry_requested_at.clone(),
        conditions: Some(conditions(claims, generation, before, now)),
    }
}

/// The status of an object that has no delivery, for this reason.
#[must_use]
pub fn without_delivery(
    reason: Reason,
    message: &str,
    generation: Option<i64>,
    before: &WebhookDeliveryStatus,
    now: Time,
) -> WebhookDeliveryStatus {
    let claims = if reason == Reason::Canceled {
        as_asked(message)
    } else if reason_ends(reason) {
        stalled(reason, message)
    } else {
        reconciling(reason, message)
    };
    WebhookDeliveryStatus {
        observed_generation: generation,
        outcome: if reason == Reason::Canceled { Some(Outcome::Canceled) } else { before.outcome },
        conditions: Some(conditions(claims, generation, before, now)),
        ..before.clone()
    }
}

/// Whether two statuses say the same, in whatever order.
#[must_use]
pub fn is_same(one: &WebhookDeliveryStatus, other: &WebhookDeliveryStatus) -> bool {
    let sorted = |status: &WebhookDeliveryStatus| {
        let mut status = status.clone();
        status.conditions.get_or_insert_default().sort_by(|a, b| a.type_.cmp(&b.type_));
        status
    };
    sorted(one) == sorted(other)
}

/// When the delivery of this status ended, or the object that has none.
#[must_use]
pub fn ended(status: &WebhookDeliveryStatus) -> Option<Time> {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let succeeded = conditions.iter().find(|it| it.type_ == Type::Succeeded.as_str())?;
    (succeeded.status != Holds::Unknown.as_str())
        .then(|| Time::from_millis(succeeded.last_transition_time.0.as_millisecond()))
}

fn outcome(delivery: &Delivery, sending: bool) -> Outcome {
    match delivery.state {
        State::Pending { .. } if sending => Outcome::Sending,
        State::Pending { .. } if delivery.attempts == 0 => Outcome::Pending,
        State::Pending { .. } => Outcome::Retrying,
        State::Delivered => Outcome::Delivered,
        State::Failed => Outcome::Failed,
        State::DeadLettered => Outcome::DeadLettered,
        State::Canceled => Outcome::Canceled,
    }
}

/// When it is due, unless that was at once, or when others have ended.
fn next_attempt(delivery: &Delivery) -> Option<Time> {
    match delivery.state {
        State::Pending { due } => (due > delivery.created && !delivery.parked).then_some(due),
        State::Delivered | State::Failed | State::DeadLettered | State::Canceled => None,
    }
}

/// An ended delivery keeps the limit it ended under, whatever its webhook says later.
fn max_attempts(delivery: &Delivery, budget: Option<u32>, before: &WebhookDeliveryStatus) -> Option<u32> {
    let budget = budget.map(|budget| if delivery.kind == Kind::Test { 1 } else { budget });
    let present = budget.map(|budget| delivery.budget_from.saturating_add(budget));
    let kept = before.max_attempts.filter(|_| delivery.state.is_final() || present.is_none());
    kept.or(present).map(|max| max.max(delivery.attempts))
}

fn attempt_status(attempt: &Attempt) -> AttemptStatus {
    let Attempt { started, elapsed, outcome, response } = attempt;
    let failed = outcome.verdict() != Verdict::Success;
    AttemptStatus {
        time: condition::time(*started),
        response_code: outcome.status(),
        response_milliseconds: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        reason: outcome.reason().to_owned(),
        error: failed.then(|| outcome.to_string().chars().take(MAX_ERROR).collect()),
        response_excerpt: excerpt(response),
    }
}

/// The begin of a response, as text.
fn excerpt(response: &[u8]) -> Option<String> {
    let head = &response[..response.len().min(MAX_RESPONSE_EXCERPT)];
    let mut text = String::from_utf8_lossy(head).into_owned();
    text.truncate(text.floor_char_boundary(MAX_RESPONSE_EXCERPT));
    (!text.is_empty()).then_some(text)
}

fn claims(delivery: &Delivery, outcome: Outcome, max_attempts: Option<u32>) -> Vec<Claim> {
    let nth = delivery.attempts;
    let of = max_attempts.map_or_else(String::new, |max| format!(" of {max}"));
    let last = delivery.last_attempt.as_ref();
    let said = last.map_or_else(|| "no answer".to_owned(), |attempt| attempt.outcome.to_string());
    match outcome {
        Outcome::Pending | Outcome::Retrying if delivery.parked => {
            let reason = if outcome == Outcome::Pending { Reason::Pending } else { Reason::Retrying };
            reconciling(reason, "waits for its turn: the webhook asks for an order, and others go before it")
        }
        Outcome::Pending => reconciling(Reason::Pending, "waits for its first attempt"),
        Outcome::Sending => reconciling(Reason::Sending, "a request is under way"),
        Outcome::Retrying => reconciling(Reason::Retrying, &format!("attempt {nth}{of} failed: {said}")),
        Outcome::Delivered => succeeded(&format!("{said} at attempt {nth}{of}")),
        Outcome::Failed if last.is_some_and(|it| it.outcome.verdict() == Verdict::Gone) => {
            stalled(Reason::Gone, "the receiver answered 410 Gone")
        }
        Outcome::Failed => {
            stalled(Reason::AttemptsExhausted, &format!("attempt {nth}{of} was the last and failed: {said}"))
        }
        Outcome::DeadLettered => {
            let letter = delivery.dead_letter.map_or_else(String::new, |letter| format!(" as {letter}"));
            stalled(Reason::DeadLettered, &format!("handed to the dead-letter webhook{letter} after: {said}"))
        }
        Outcome::Canceled => {
            stalled(Reason::Canceled, "canceled earlier, for another object, or with the webhook")
        }
    }
}

fn succeeded(message: &str) -> Vec<Claim> {
    claim(&[(Type::Succeeded, Holds::True), (Type::Ready, Holds::True)], Reason::Delivered, message)
}

/// What was canceled did not succeed, but is just as its object wants it.
fn as_asked(message: &str) -> Vec<Claim> {
    claim(&[(Type::Succeeded, Holds::False), (Type::Ready, Holds::True)], Reason::Canceled, message)
}

fn reconciling(reason: Reason, message: &str) -> Vec<Claim> {
    let held =
        [(Type::Succeeded, Holds::Unknown), (Type::Ready, Holds::False), (Type::Reconciling, Holds::True)];
    claim(&held, reason, message)
}

fn stalled(reason: Reason, message: &str) -> Vec<Claim> {
    let held = [(Type::Succeeded, Holds::False), (Type::Ready, Holds::False), (Type::Stalled, Holds::True)];
    claim(&held, reason, message)
}

fn claim(held: &[(Type, Holds)], reason: Reason, message: &str) -> Vec<Claim> {
    held.iter().map(|&(about, holds)| Claim { about, holds, reason, message: message.to_owned() }).collect()
}

fn conditions(
    claims: Vec<Claim>,
    generation: Option<i64>,
    before: &WebhookDeliveryStatus,
    now: Time,
) -> Vec<Condition> {
    let before = before.conditions.as_deref().unwrap_or_default();
    claims.into_iter().map(|claim| claim.condition(before, generation, now)).collect()
}

/// Whether an object without a delivery stays without one.
const fn reason_ends(reason: Reason) -> bool {
    match reason {
        Reason::Canceled
        | Reason::InvalidEvent
        | Reason::EventConflict
        | Reason::NotSubscribed
        | Reason::FilteredOut
        | Reason::DeliveryLost => true,
        Reason::WebhookNotFound
        | Reason::DeliveryNotFound
        | Reason::StoreUnavailable
        // Said of webhooks, or of deliveries that exist.
        | Reason::Active
        | Reason::Suspended
        | Reason::Valid
        | Reason::InvalidSpec
        | Reason::InvalidFilter
        | Reason::Resolved
        | Reason::DeadLetterNotFound
        | Reason::SecretNotFound
        | Reason::SecretKeyNotFound
        | Reason::InvalidSecret
        | Reason::Delivered
        | Reason::NothingSent
        | Reason::Attempt(_)
        | Reason::Gone
        | Reason::Failing
        | Reason::CircuitOpen
        | Reason::CircuitClosed
        | Reason::Redriven
        | Reason::TestSent
        | Reason::RetryAfter
        | Reason::RateLimited
        | Reason::OverBudget
        | Reason::Pending
        | Reason::Sending
        | Reason::Retrying
        | Reason::AttemptsExhausted
        | Reason::DeadLettered => false,
    }
}

#[cfg(test)]
mod tests;
