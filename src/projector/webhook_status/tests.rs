use std::time::Duration;

use hookwright_engine::attempt::Outcome;
use hookwright_engine::id::{DeliveryId, EventKey, WebhookId};
use hookwright_engine::streak::Streak;
use uuid::Uuid;

use super::*;

const NOW: Time = Time::from_secs(1_000_000);

fn after(status: u16) -> Summary {
    let outcome = Outcome::Responded { status, retry_after: None };
    let attempt = Attempt { started: NOW, elapsed: Duration::from_millis(7), outcome, response: Vec::new() };
    let delivered = status < 300;
    let delivery = Delivery {
        id: DeliveryId::first_at(NOW),
        webhook: WebhookId::from_uid(Uuid::from_u128(1)),
        event: EventKey::first_at(NOW),
        namespace: "default".into(),
        event_id: "evt_1".parse().unwrap(),
        event_type: "test.ping".parse().unwrap(),
        created: NOW,
        state: if delivered { State::Delivered } else { State::Pending { due: NOW } },
        parked: false,
        attempts: 1,
        budget_from: 0,
        finished: delivered.then_some(NOW),
        origin: None,
        kind: hookwright_engine::delivery::Kind::Event,
        dead_letter_of: None,
        dead_letter: None,
        last_attempt: Some(attempt.clone()),
    };
    Summary {
        delivered: u64::from(delivered),
        retrying: u64::from(!delivered),
        last_failure: (!delivered).then_some((delivery.id, attempt)),
        last: Some(delivery),
        ..Summary::default()
    }
}

fn say(summary: &Summary, complete: bool) -> WebhookStatus {
    of(summary, Circuit::Closed, None, complete, Some(2), &WebhookStatus::default(), NOW)
}

fn said(status: &WebhookStatus) -> Vec<String> {
    let conditions = status.conditions.iter().flatten();
    conditions.map(|it| format!("{}={}/{}", it.type_, it.status, it.reason)).collect()
}

#[test]
fn health_is_what_the_last_attempt_says() {
    assert_eq!(said(&say(&Summary::default(), true)), ["EndpointHealthy=Unknown/NothingSent"]);
    assert_eq!(said(&say(&after(200), true)), ["EndpointHealthy=True/Delivered"]);
    assert_eq!(said(&say(&after(500), true)), ["EndpointHealthy=False/HTTPStatus"]);
    assert_eq!(is_healthy(&say(&after(200), true)), Some(true));
    assert_eq!(is_healthy(&say(&after(500), true)), Some(false));
    assert_eq!(is_healthy(&say(&Summary::default(), true)), None);
}

#[test]
fn gone_holds_until_the_generation_changes() {
    let gone = |generation| Summary { gone_generation: Some(generation), ..after(410) };
    assert_eq!(said(&say(&gone(2), true)), ["EndpointHealthy=False/Gone"]);
    assert!(say(&gone(2), true).conditions.unwrap()[0].message.contains("held"));
    // Another spec: the webhook is tried again, and 410 is the last that was heard.
    let before = say(&gone(1), true).conditions.unwrap();
    assert!(!before[0].message.contains("held"));
}

#[test]
fn days_of_nothing_but_failure_are_told_until_the_generation_changes() {
    let failing = |generation| {
        let streak = Streak { generation, since: NOW, last: NOW + Streak::PATIENCE, attempts: 12 };
        Summary { streak: Some(streak), ..after(500) }
    };
    let held = say(&failing(2), true);
    assert_eq!(said(&held), ["EndpointHealthy=False/Failing"]);
    let message = &held.conditions.as_ref().unwrap()[0].message;
    assert!(
        message.starts_with("no delivery has succeeded since 1970-01-12T13:46:40.000Z, in 12 attempts"),
        "{message}"
    );
    let news = announcement(&say(&after(500), true), &held).unwrap();
    assert_eq!((news.holds, news.reason), (Holds::False, Reason::Failing));
    assert_eq!(announcement(&held, &held), None);
    assert_eq!(said(&say(&failing(1), true)), ["EndpointHealthy=False/HTTPStatus"]);
}

#[test]
fn records_complete_is_said_only_while_it_is_not() {
    assert_eq!(
        said(&say(&after(200), false)),
        ["EndpointHealthy=True/Delivered", "RecordsComplete=False/OverBudget"]
    );
}

#[test]
fn last_delivery_and_last_failure_are_those_of_the_log() {
    let failed = say(&after(503), true);
    let last = failed.last_delivery.unwrap();
    assert_eq!((last.delivered, last.response_code, last.delivered_time), (false, Some(503), None));
    let failure = failed.last_failure.unwrap();
    assert_eq!((failure.reason.as_str(), failure.message.as_str()), ("HTTPStatus", "HTTP 503"));
    let delivered = say(&after(204), true);
    assert_eq!(delivered.last_delivery.unwrap().delivered_time, Some(condition::time(NOW)));
    assert_eq!(delivered.counts.unwrap().delivered, 1);
}

#[test]
fn what_was_written_is_recognised_whoever_else_writes() {
    let written = say(&after(200), false);
    let mut read = written.clone();
    read.observed_generation = Some(2);
    read.url_host = Some("a.example".to_owned());
    let conditions = read.conditions.get_or_insert_default();
    conditions.reverse();
    conditions.push(Condition { type_: "Ready".to_owned(), ..conditions[0].clone() });
    assert_eq!(owned(&read), written);
    assert_eq!(
        of(&after(200), Circuit::Closed, None, false, Some(2), &owned(&read), NOW + Duration::from_mins(1)),
        written
    );
}

#[test]
fn an_open_circuit_is_a_reason_and_its_turns_are_announced_once() {
    let before = say(&after(500), true);
    let open = of(&after(500), Circuit::Open, None, true, Some(2), &before, NOW);
    assert_eq!(said(&open), ["EndpointHealthy=False/CircuitOpen"]);
    let announced = |before: &WebhookStatus, after: &WebhookStatus| {
        announcement(before, after).map(|claim| (claim.holds, claim.reason))
    };
    assert_eq!(announced(&before, &open), Some((Holds::False, Reason::CircuitOpen)));
    assert_eq!(announced(&open, &open), None);
    assert_eq!(announced(&open, &say(&after(200), true)), Some((Holds::True, Reason::CircuitClosed)));
    assert_eq!(announced(&before, &say(&after(200), true)), None);
    let gone = say(&Summary { gone_generation: Some(2), ..after(410) }, true);
    assert_eq!(announced(&open, &gone), Some((Holds::False, Reason::Gone)));
    assert_eq!(announced(&gone, &gone), None);
}

#[test]
fn a_quiet_that_the_receiver_asked_for_is_told_unless_it_is_brief() {
    let quiet = |seconds| {
        let until = NOW + Duration::from_secs(seconds);
        let restrained = Restrained { by: Restraint::Quiet { until }, since: NOW };
        of(&after(429), Circuit::Closed, Some(restrained), true, Some(2), &WebhookStatus::default(), NOW)
    };
    assert_eq!(said(&quiet(11)), ["EndpointHealthy=False/RetryAfter"]);
    assert_eq!(said(&quiet(10)), ["EndpointHealthy=False/HTTPStatus"]);
    let news = announcement(&say(&after(200), true), &quiet(60)).unwrap();
    assert_eq!((news.holds, news.reason), (Holds::False, Reason::RetryAfter));
    assert!(news.message.contains("HTTP 429"), "{}", news.message);
    assert_eq!(announcement(&quiet(60), &quiet(30)), None, "told once");
}

#[test]
fn a_rate_limit_that_holds_deliveries_back_for_long_is_told_once_and_says_nothing_of_the_receiver() {
    let limited = |seconds| {
        let restrained = Restrained { by: Restraint::RateLimited, since: NOW };
        let now = NOW + Duration::from_secs(seconds);
        of(&after(200), Circuit::Closed, Some(restrained), true, Some(2), &WebhookStatus::default(), now)
    };
    assert_eq!(said(&limited(59)), ["EndpointHealthy=True/Delivered"]);
    assert_eq!(said(&limited(60)), ["EndpointHealthy=True/Delivered", "Throttled=True/RateLimited"]);
    let news = announcement(&limited(59), &limited(60)).unwrap();
    assert_eq!((news.about, news.reason), (Type::Throttled, Reason::RateLimited));
    assert_eq!(announcement(&limited(60), &limited(70)), None);
}
