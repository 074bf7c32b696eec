//! What the log knows of a webhook, as the part of its status that the projector owns. Pure.

use std::time::Duration;

use hookwright_engine::attempt::{Attempt, Verdict};
use hookwright_engine::breaker::Circuit;
use hookwright_engine::delivery::State;
use hookwright_engine::restraint::Restraint;
use hookwright_engine::time::Time;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::crd::WebhookStatus;
use crate::crd::condition::{self, Claim, Holds, Reason, Type};
use crate::crd::webhook::{Counts, LastDelivery, LastFailure};
use crate::delivery::Restrained;
use crate::store::{Delivery, Held, Summary};

/// Longest text of an error in a status, in characters.
const MAX_ERROR: usize = 1024;
/// The conditions of a webhook that the projector owns.
const OWNED: [Type; 3] = [Type::EndpointHealthy, Type::RecordsComplete, Type::Throttled];
/// A quiet that is over before this is not shown: it would be over before anybody looked.
const BRIEF: Duration = Duration::from_secs(10);
/// So long must deliveries have waited for a rate limit before that is shown: a burst that is worked
/// off by then is what the limit is for.
const PATIENCE: Duration = Duration::from_mins(1);
/// Why deliveries wait: what people are told of.
const STOPPED: [Reason; 4] = [Reason::CircuitOpen, Reason::Gone, Reason::Failing, Reason::RetryAfter];

/// The part of a webhook's status that the projector owns.
#[must_use]
pub fn owned(status: &WebhookStatus) -> WebhookStatus {
    let conditions = status.conditions.iter().flatten();
    let owned = conditions.filter(|it| OWNED.iter().any(|about| about.as_str() == it.type_)).cloned();
    let mut owned: Vec<_> = owned.collect();
    // The API server keeps an order of its own.
    owned.sort_by(|a: &Condition, b| a.type_.cmp(&b.type_));
    WebhookStatus {
        last_delivery: status.last_delivery.clone(),
        last_failure: status.last_failure.clone(),
        counts: status.counts,
        next_retry_time: status.next_retry_time.clone(),
        conditions: (!owned.is_empty()).then_some(owned),
        ..WebhookStatus::default()
    }
}

/// The status of a webhook of this generation, which had `before`; `complete` says whether all
/// deliveries that are to be shown have their object.
#[must_use]
pub fn of(
    summary: &Summary,
    circuit: Circuit,
    restrained: Option<Restrained>,
    complete: bool,
    generation: Option<i64>,
    before: &WebhookStatus,
    now: Time,
) -> WebhookStatus {
    let incomplete = (!complete).then(|| Claim {
        about: Type::RecordsComplete,
        holds: Holds::False,
        reason: Reason::OverBudget,
        message:
            "the operator keeps no more WebhookDelivery objects: the API and the log have all deliveries"
                .to_owned(),
    });
    let before: &[Condition] = before.conditions.as_deref().unwrap_or_default();
    let quiet = restrained.and_then(|restrained| quiet(restrained, now));
    let health = health(summary, circuit, quiet, generation);
    let throttled = restrained.and_then(|restrained| throttled(restrained, now));
    let claims = [Some(health), incomplete, throttled].into_iter().flatten();
    WebhookStatus {
        last_delivery: summary.last.as_ref().map(last_delivery),
        last_failure: summary.last_failure.as_ref().map(|(_, attempt)| last_failure(attempt)),
        counts: Some(Counts {
            pending: summary.pending,
            retrying: summary.retrying,
            delivered: summary.delivered,
            failed: summary.failed,
        }),
        next_retry_time: summary.next_retry.map(condition::time),
        conditions: Some(claims.map(|claim| claim.condition(before, generation, now)).collect()),
        ..WebhookStatus::default()
    }
}

/// What people are told by a Kubernetes Event when a status changes from `before` to `after`: that a
/// receiver is gone or did nothing but fail, that it is left alone or asked for quiet, that deliveries flow
/// again, or that a rate limit holds them back.
#[must_use]
pub fn announcement(before: &WebhookStatus, after: &WebhookStatus) -> Option<Claim> {
    let of_health = health_news(before, after);
    of_health.or_else(|| {
        let throttled = condition_of(after, Type::Throttled)?;
        condition_of(before, Type::Throttled).is_none().then(|| Claim {
            about: Type::Throttled,
            holds: Holds::True,
            reason: Reason::RateLimited,
            message: throttled.message.clone(),
        })
    })
}

fn health_news(before: &WebhookStatus, after: &WebhookStatus) -> Option<Claim> {
    let (before, health) = (health_of(before), health_of(after)?);
    let was = |reason: Reason| before.is_some_and(|it| it.reason == reason.as_str());
    let stopped = STOPPED.into_iter().find(|reason| reason.as_str() == health.reason);
    let news = match stopped {
        Some(reason) if was(reason) => None,
        Some(reason) => Some((Holds::False, reason, health.message.clone())),
        None if was(Reason::CircuitOpen) => {
            Some((Holds::True, Reason::CircuitClosed, "deliveries are sent again".to_owned()))
        }
        None => None,
    };
    news.map(|(holds, reason, message)| Claim { about: Type::EndpointHealthy, holds, reason, message })
}

fn health_of(status: &WebhookStatus) -> Option<&Condition> {
    condition_of(status, Type::EndpointHealthy)
}

fn condition_of(status: &WebhookStatus, about: Type) -> Option<&Condition> {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    conditions.iter().find(|it| it.type_ == about.as_str())
}

/// Until when a receiver has asked for quiet, where that is worth showing.
fn quiet(restrained: Restrained, now: Time) -> Option<Time> {
    match restrained.by {
        Restraint::Quiet { until } => Some(until).filter(|until| *until > now + BRIEF),
        Restraint::Held(_) | Restraint::CircuitOpen | Restraint::RateLimited => None,
    }
}

fn throttled(restrained: Restrained, now: Time) -> Option<Claim> {
    match restrained.by {
        Restraint::RateLimited if now.since(restrained.since) >= PATIENCE => Some(Claim {
            about: Type::Throttled,
            holds: Holds::True,
            reason: Reason::RateLimited,
            message: "more events come than spec.rateLimit lets through: deliveries wait, and none is lost"
                .to_owned(),
        }),
        Restraint::RateLimited | Restraint::Held(_) | Restraint::CircuitOpen | Restraint::Quiet { .. } => {
            None
        }
    }
}

/// Whether a webhook whose last attempt was `outcome` counts as healthy in `status`; `None` where
/// the status does not say.
#[must_use]
pub fn is_healthy(status: &WebhookStatus) -> Option<bool> {
    match health_of(status)?.status.as_str() {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

fn health(summary: &Summary, circuit: Circuit, quiet: Option<Time>, generation: Option<i64>) -> Claim {
    let claim =
        |holds, reason, message: String| Claim { about: Type::EndpointHealthy, holds, reason, message };
    if let Some(held) = generation.and_then(|generation| summary.held(generation)) {
        let reason = match held {
            Held::Gone => Reason::Gone,
            Held::Failing(_) => Reason::Failing,
        };
        return claim(Holds::False, reason, held.to_string());
    }
    let Some(attempt) = summary.last.as_ref().and_then(|last| last.last_attempt.as_ref()) else {
        return claim(Holds::Unknown, Reason::NothingSent, "nothing was sent yet".to_owned());
    };
    if circuit == Circuit::Open {
        let message = format!(
            "most attempts failed: deliveries wait, and one at a time is sent to see whether the receiver is well; \
             the last attempt: {}",
            attempt.outcome
        );
        return claim(Holds::False, Reason::CircuitOpen, message);
    }
    if let Some(until) = quiet {
        let message = format!(
            "the receiver asked for quiet until {until}: deliveries wait; the last attempt: {}",
            attempt.outcome
        );
        return claim(Holds::False, Reason::RetryAfter, message);
    }
    match attempt.outcome.verdict() {
        Verdict::Success => {
            claim(Holds::True, Reason::Delivered, "the receiver took the last delivery".to_owned())
        }
        Verdict::Gone | Verdict::Retry | Verdict::Uncharged => {
            let message = format!("the last attempt failed: {}", attempt.outcome);
            claim(Holds::False, Reason::Attempt(attempt.outcome.reason()), message)
        }
    }
}

fn last_delivery(delivery: &Delivery) -> LastDelivery {
    let delivered = delivery.state == State::Delivered;
    let last = delivery.last_attempt.as_ref();
    LastDelivery {
        delivery_id: delivery.id.to_string(),
        delivered,
        delivered_time: delivery.finished.filter(|_| delivered).map(condition::time),
        response_code: last.and_then(|attempt| attempt.outcome.status()),
        response_milliseconds: last.map(|it| u64::try_from(it.elapsed.as_millis()).unwrap_or(u64::MAX)),
    }
}

fn last_failure(attempt: &Attempt) -> LastFailure {
    LastFailure {
        time: condition::time(attempt.started),
        reason: attempt.outcome.reason().to_owned(),
        message: attempt.outcome.to_string().chars().take(MAX_ERROR).collect(),
        response_code: attempt.outcome.status(),
    }
}

#[cfg(test)]
mod tests;
