//! Handing what failed to another webhook.

use std::time::Duration;

use hookwright_engine::delivery::{Kind, Pending, Record, State};
use hookwright_engine::time::Time;

use super::log::{AMPLE, Log, Open, after, answered, record, success, webhook};

/// The record of an attempt with which a delivery is handed to another webhook.
fn handed(pending: Pending, started: Time, to: u128) -> Record {
    Record { dead_letter: Some(webhook(to)), ..record(pending, answered(500, started), State::DeadLettered) }
}

pub(in crate::store) async fn a_dead_letter_is_made_with_the_end_of_its_delivery_and_once(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    let failed = log.delivery("evt_1", 1).await;
    for _ in 0..2 {
        log.record(handed(failed, now, 2)).await; // Repeated, as after a crash.
    }
    let told = log.accepted();
    assert_eq!(told.len(), 1);
    let letter = told[0];
    assert_eq!((letter.webhook, letter.event, letter.kind), (webhook(2), failed.event, Kind::DeadLetter));
    assert_eq!(log.load(2, None, 9).await.pending, [letter]);
    let of = log.handle.delivery(failed.id).await.unwrap().unwrap();
    assert_eq!((of.state, of.dead_letter, of.dead_letter_of), (State::DeadLettered, Some(letter.id), None));
    let made = log.handle.delivery(letter.id).await.unwrap().unwrap();
    assert_eq!((made.kind, made.dead_letter, made.dead_letter_of), (Kind::DeadLetter, None, Some(failed.id)));
    let summaries =
        [log.handle.summary(webhook(1)).await.unwrap(), log.handle.summary(webhook(2)).await.unwrap()];
    assert_eq!(summaries.map(|it| (it.pending, it.failed)), [(0, 1), (1, 0)]);

    // Retried by hand, and failed once more.
    log.handle.retry(failed.id).await.unwrap().unwrap();
    let retried = log.accepted()[0];
    log.record(handed(retried, now + Duration::from_secs(1), 2)).await;
    assert!(log.notices().is_empty(), "it has its dead letter already");
    assert_eq!(log.state(failed.id).await, State::DeadLettered);
    let mut log = log.reopen().await;
    assert_eq!(log.load(2, None, 9).await.pending, [letter]);
}

pub(in crate::store) async fn what_ended_meanwhile_leaves_no_dead_letter(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    let canceled = log.delivery("evt_1", 1).await;
    log.handle.cancel(canceled.id).await.unwrap();
    log.record(handed(canceled, now, 2)).await;
    log.notices();
    let retried = log.delivery("evt_2", 1).await;
    log.record(record(retried, answered(500, now), State::Pending { due: now })).await;
    log.handle.retry(retried.id).await.unwrap();
    log.notices();
    log.record(handed(after(retried, 1), now + Duration::from_secs(1), 2)).await;
    assert!(log.notices().is_empty());
    assert!(log.load(2, None, 9).await.pending.is_empty());
}

pub(in crate::store) async fn an_event_is_kept_as_long_as_its_dead_letter(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    let failed = log.delivery("evt_1", 1).await;
    log.record(handed(failed, now, 2)).await;
    let letter = log.accepted()[0];
    let shown = log.delivery("evt_2", 1).await;
    log.record(record(shown, answered(500, now), State::Failed)).await;
    log.clock.advance(AMPLE.age + Duration::from_secs(1));
    log.until("the failed one is gone", async |handle| handle.delivery(failed.id).await.unwrap().is_none())
        .await;
    assert!(log.handle.event(letter.event).await.unwrap().is_some());

    log.record(success(letter, log.clock.now())).await;
    let other = log.delivery("evt_3", 2).await;
    log.record(success(other, log.clock.now())).await;
    log.clock.advance(AMPLE.age + Duration::from_secs(1));
    log.until("its dead letter is gone", async |handle| handle.delivery(letter.id).await.unwrap().is_none())
        .await;
    log.until("the event is gone", async |handle| handle.event(letter.event).await.unwrap().is_none()).await;
}
