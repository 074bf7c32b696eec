//! Writing down what became of deliveries.

use std::time::Duration;

use hookwright_engine::attempt::{Attempt, FailureReason, Fault, Outcome};
use hookwright_engine::delivery::{Record, State};
use hookwright_engine::id::DeliveryId;
use hookwright_engine::time::Time;

use super::log::{Log, Open, answered, failure, record, success, unanswered, webhook};

pub(in crate::store) async fn attempts_are_kept_as_they_were(open: Open) {
    let mut log = Log::new(open);
    let mut pending = log.delivery("evt_1", 1).await;
    let started = log.clock.now();
    let hinted = Outcome::Responded { status: 503, retry_after: Some(Time::from_secs(9)) };
    let fault = |fault| Attempt { outcome: Outcome::Fault(fault), ..answered(0, started) };
    let mut attempts: Vec<_> =
        FailureReason::ALL.into_iter().map(|reason| unanswered(reason, started)).collect();
    attempts.extend([
        Attempt { outcome: hinted, response: vec![0xff; Attempt::MAX_RESPONSE], ..answered(503, started) },
        fault(Fault::Store("unreadable".to_owned())),
        fault(Fault::Request("no memory".to_owned())),
        fault(Fault::Shutdown),
        answered(200, started),
    ]);
    for attempt in &attempts {
        log.record(record(pending, attempt.clone(), State::Pending { due: started })).await;
        pending.attempts += 1;
    }
    let uncharged = State::Pending { due: started + Duration::from_secs(5) };
    log.record(Record {
        attempt: None,
        attempts: pending.attempts,
        state: uncharged,
        ..success(pending, started)
    })
    .await;

    let expected: Vec<_> = (1..).zip(attempts.iter().cloned()).collect();
    assert_eq!(log.handle.attempts(pending.id).await.unwrap(), expected);
    let delivery = log.handle.delivery(pending.id).await.unwrap().unwrap();
    assert_eq!(delivery.attempts, u32::try_from(attempts.len()).unwrap());
    assert_eq!((delivery.state, &delivery.last_attempt), (uncharged, &attempts.last().cloned()));
    let summary = log.handle.summary(webhook(1)).await.unwrap();
    assert_eq!(summary.last, Some(delivery));
    assert_eq!(summary.last_failure, Some((pending.id, fault(Fault::Shutdown))));
}

pub(in crate::store) async fn a_record_written_twice_counts_once(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    let pending = log.delivery("evt_1", 1).await;
    for _ in 0..2 {
        log.record(failure(pending, now, now)).await;
    }
    assert_eq!(log.handle.attempts(pending.id).await.unwrap().len(), 1);
    let summary = log.handle.summary(webhook(1)).await.unwrap();
    assert_eq!((summary.pending, summary.retrying, summary.failed), (0, 1, 0));
}

pub(in crate::store) async fn a_retry_by_hand_outlasts_a_record_that_did_not_know_of_it(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    let mut pending = log.delivery("evt_1", 1).await;
    log.record(failure(pending, now, now)).await;
    pending.attempts = 1;
    // Its second attempt is under way.
    log.handle.retry(pending.id).await.unwrap().unwrap();
    let retried = log.accepted()[0];
    let late = now + Duration::from_secs(9);
    log.record(record(pending, answered(500, late), State::Failed)).await;
    let delivery = log.handle.delivery(pending.id).await.unwrap().unwrap();
    assert_eq!((delivery.state, delivery.attempts), (State::Pending { due: retried.due }, 2));
    assert_eq!(log.load(1, None, 9).await.pending[0].budget_from, 1);

    log.record(success(pending, late + Duration::from_secs(1))).await;
    let delivery = log.handle.delivery(pending.id).await.unwrap().unwrap();
    assert_eq!((delivery.state, delivery.attempts), (State::Delivered, 3));
    let numbers: Vec<_> =
        log.handle.attempts(pending.id).await.unwrap().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

pub(in crate::store) async fn a_cancellation_yields_only_to_a_delivery(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    let pending = log.delivery("evt_1", 1).await;
    log.handle.cancel(pending.id).await.unwrap();
    log.record(failure(pending, now, now)).await;
    let delivery = log.handle.delivery(pending.id).await.unwrap().unwrap();
    assert_eq!((delivery.state, delivery.attempts), (State::Canceled, 1), "the attempt is written down");
    let late = now + Duration::from_secs(1);
    log.record(success(super::log::after(pending, 1), late)).await;
    assert_eq!(log.state(pending.id).await, State::Delivered);
    let summary = log.handle.summary(webhook(1)).await.unwrap();
    assert_eq!((summary.pending, summary.retrying, summary.delivered, summary.failed), (0, 0, 1, 0));
}

pub(in crate::store) async fn a_record_of_an_unknown_delivery_changes_nothing(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    let pending = log.delivery("evt_1", 1).await;
    let unknown = hookwright_engine::delivery::Pending { id: DeliveryId::from_u64(5), ..pending };
    log.record(success(unknown, now)).await;
    assert!(log.handle.attempts(unknown.id).await.unwrap().is_empty());
    assert_eq!(log.handle.summary(webhook(1)).await.unwrap().pending, 1);
}
