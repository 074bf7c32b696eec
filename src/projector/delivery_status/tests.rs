use std::time::Duration;

use hookwright_engine::attempt::{Failure, FailureReason, Outcome as Answer};
use hookwright_engine::id::{DeliveryId, EventKey, WebhookId};
use uuid::Uuid;

use super::*;

const NOW: Time = Time::from_secs(1_000_000);

fn attempt(outcome: Answer) -> Attempt {
    Attempt { started: NOW, elapsed: Duration::from_millis(12), outcome, response: b"no \xff way".to_vec() }
}

fn answered(status: u16) -> Attempt {
    attempt(Answer::Responded { status, retry_after: None })
}

fn delivery(state: State, attempts: &[Attempt]) -> (Delivery, Vec<(u32, Attempt)>) {
    let delivery = Delivery {
        id: DeliveryId::first_at(NOW),
        webhook: WebhookId::from_uid(Uuid::from_u128(1)),
        event: EventKey::first_at(NOW),
        namespace: "default".into(),
        event_id: "evt_1".parse().unwrap(),
        event_type: "test.ping".parse().unwrap(),
        created: NOW,
        state,
        parked: false,
        attempts: u32::try_from(attempts.len()).unwrap(),
        budget_from: 0,
        finished: state.is_final().then_some(NOW),
        origin: None,
        kind: hookwright_engine::delivery::Kind::Event,
        dead_letter_of: None,
        dead_letter: None,
        last_attempt: attempts.last().cloned(),
    };
    (delivery, (1..).zip(attempts.iter().cloned()).collect())
}

fn status(state: State, attempts: &[Attempt], sending: bool) -> WebhookDeliveryStatus {
    let (delivery, attempts) = delivery(state, attempts);
    let known = Known { delivery: &delivery, attempts: &attempts, sending, budget: Some(5), canceled: false };
    of(known, Some(3), &WebhookDeliveryStatus::default(), NOW)
}

/// `Type=Status/Reason` of every condition.
fn said(status: &WebhookDeliveryStatus) -> Vec<String> {
    let conditions = status.conditions.iter().flatten();
    conditions.map(|it| format!("{}={}/{}", it.type_, it.status, it.reason)).collect()
}

#[test]
fn every_state_has_its_outcome_and_conditions() {
    let pending = State::Pending { due: NOW };
    let (bad, good, gone) = (answered(500), answered(204), answered(410));
    let waits = |reason: &str| {
        ["Succeeded=Unknown/", "Ready=False/", "Reconciling=True/"].map(|it| format!("{it}{reason}")).to_vec()
    };
    let ended = |reason: &str| {
        ["Succeeded=False/", "Ready=False/", "Stalled=True/"].map(|it| format!("{it}{reason}")).to_vec()
    };
    let well = vec!["Succeeded=True/Delivered".to_owned(), "Ready=True/Delivered".to_owned()];
    for (state, attempts, sending, outcome, conditions) in [
        (pending, vec![], false, Outcome::Pending, waits("Pending")),
        (pending, vec![], true, Outcome::Sending, waits("Sending")),
        (pending, vec![bad.clone()], false, Outcome::Retrying, waits("Retrying")),
        (State::Delivered, vec![bad.clone(), good], false, Outcome::Delivered, well),
        (State::Failed, vec![bad.clone(); 5], false, Outcome::Failed, ended("AttemptsExhausted")),
        (State::Failed, vec![gone], false, Outcome::Failed, ended("Gone")),
        (State::DeadLettered, vec![bad; 5], false, Outcome::DeadLettered, ended("DeadLettered")),
        (State::Canceled, vec![], false, Outcome::Canceled, ended("Canceled")),
    ] {
        let status = status(state, &attempts, sending);
        assert_eq!(status.outcome, Some(outcome));
        assert_eq!(said(&status), conditions, "{outcome:?}");
        assert_eq!(status.observed_generation, Some(3));
        assert!(status.conditions.iter().flatten().all(|it| it.observed_generation == Some(3)));
    }
}

#[test]
fn what_its_object_cancels_is_ready_unless_it_had_ended_otherwise() {
    let say = |state| {
        let (delivery, attempts) = delivery(state, &[answered(500)]);
        let known = Known {
            delivery: &delivery,
            attempts: &attempts,
            sending: false,
            budget: Some(5),
            canceled: true,
        };
        said(&of(known, Some(3), &WebhookDeliveryStatus::default(), NOW))
    };
    assert_eq!(say(State::Canceled), ["Succeeded=False/Canceled", "Ready=True/Canceled"]);
    assert_eq!(say(State::Failed)[1], "Ready=False/AttemptsExhausted");
    let unsent = without_delivery(Reason::Canceled, "why", Some(1), &WebhookDeliveryStatus::default(), NOW);
    assert_eq!(said(&unsent), ["Succeeded=False/Canceled", "Ready=True/Canceled"]);
}

#[test]
fn a_retrying_delivery_says_when_it_is_due_and_why() {
    let due = NOW + Duration::from_mins(1);
    let failure = Failure { reason: FailureReason::Timeout, message: "no answer".to_owned() };
    let status = status(State::Pending { due }, &[answered(500), attempt(Answer::Failed(failure))], false);
    assert_eq!(status.next_attempt_time, Some(condition::time(due)));
    assert_eq!((status.attempts, status.max_attempts), (Some(2), Some(5)));
    let last = status.last_attempt.as_ref().unwrap();
    assert_eq!((last.reason.as_str(), last.error.as_deref()), ("Timeout", Some("no answer")));
    assert_eq!(last.response_milliseconds, 12);
    let message = &status.conditions.as_ref().unwrap()[0].message;
    assert_eq!(message, "attempt 2 of 5 failed: no answer");
}

#[test]
fn a_dead_letter_and_the_delivery_that_failed_name_each_other() {
    let (mut failed, attempts) = delivery(State::DeadLettered, &[answered(500)]);
    let (mut letter, _) = delivery(State::Pending { due: NOW }, &[]);
    letter.id = DeliveryId::from_u64(7);
    (letter.dead_letter_of, failed.dead_letter) = (Some(failed.id), Some(letter.id));
    let say = |delivery: &Delivery, attempts: &[(u32, Attempt)]| {
        let known = Known { delivery, attempts, sending: false, budget: Some(1), canceled: false };
        of(known, Some(3), &WebhookDeliveryStatus::default(), NOW)
    };
    let said = say(&failed, &attempts).conditions.unwrap()[0].message.clone();
    assert_eq!(said, format!("handed to the dead-letter webhook as {} after: HTTP 500", letter.id));
    assert_eq!(say(&letter, &[]).dead_letter_of, Some(failed.id.to_string()));
}

#[test]
fn history_holds_the_last_five_attempts() {
    let attempts: Vec<_> = (1..=7).map(|n| answered(500 + n)).collect();
    let codes = status(State::Failed, &attempts, false).history.unwrap();
    let codes: Vec<_> = codes.iter().filter_map(|it| it.response_code).collect();
    assert_eq!(codes, [503, 504, 505, 506, 507]);
}

#[test]
fn excerpts_are_valid_text_of_at_most_256_bytes() {
    assert_eq!(excerpt(b""), None);
    assert_eq!(excerpt(b"no \xff way").unwrap(), "no \u{fffd} way");
    let long = "é".repeat(300);
    for cut in [0, 1] {
        let text = excerpt(&long.as_bytes()[cut..]).unwrap();
        assert!(text.len() <= MAX_RESPONSE_EXCERPT && text.len() > 250, "{}", text.len());
    }
    assert!(excerpt(&[0xff; 1000]).unwrap().len() <= MAX_RESPONSE_EXCERPT);
}

#[test]
fn a_retry_by_hand_adds_a_budget_and_an_ended_delivery_keeps_its_limit() {
    let (mut retried, attempts) = delivery(State::Pending { due: NOW }, &vec![answered(500); 5]);
    retried.budget_from = 5;
    let before = WebhookDeliveryStatus { max_attempts: Some(5), ..WebhookDeliveryStatus::default() };
    let max = |delivery: &Delivery, budget, before: &WebhookDeliveryStatus| {
        let known = Known { delivery, attempts: &attempts, sending: false, budget, canceled: false };
        of(known, None, before, NOW).max_attempts
    };
    assert_eq!(max(&retried, Some(3), &before), Some(8));
    let (ended, _) = delivery(State::Failed, &vec![answered(500); 5]);
    assert_eq!(max(&ended, Some(50), &before), Some(5));
    assert_eq!(max(&ended, None, &WebhookDeliveryStatus::default()), None);
}

#[test]
fn the_same_is_the_same_whatever_the_order_of_conditions() {
    let before = status(State::Delivered, &[answered(200)], false);
    let mut after = before.clone();
    after.conditions.as_mut().unwrap().reverse();
    assert!(is_same(&before, &after));
    after.attempts = Some(2);
    assert!(!is_same(&before, &after));
}

#[test]
fn an_object_without_a_delivery_waits_or_has_ended() {
    let before = WebhookDeliveryStatus::default();
    let say = |reason| without_delivery(reason, "why", Some(1), &before, NOW);
    for reason in [Reason::WebhookNotFound, Reason::DeliveryNotFound, Reason::StoreUnavailable] {
        assert_eq!(ended(&say(reason)), None);
        assert!(said(&say(reason))[2].starts_with("Reconciling=True"));
    }
    for reason in [Reason::InvalidEvent, Reason::EventConflict, Reason::NotSubscribed, Reason::DeliveryLost] {
        assert_eq!(ended(&say(reason)), Some(NOW));
        assert!(said(&say(reason))[2].starts_with("Stalled=True"));
    }
    assert_eq!(say(Reason::Canceled).outcome, Some(Outcome::Canceled));
}
