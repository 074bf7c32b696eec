//! What was answered stays.

use hookwright_engine::delivery::State;

use super::log::{Log, Open, answered, event, origin, record, success, webhook};
use crate::store::{Command, Error, Publish, PublishError, Query};

pub(in crate::store) async fn what_was_answered_is_there_after_an_orderly_end(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    let waiting = log.delivery("waiting", 1).await;
    let canceled = log.delivery("canceled", 1).await;
    log.handle.cancel(canceled.id).await.unwrap();
    log.notices();
    let retried = log.delivery("retried", 1).await;
    log.record(record(retried, answered(500, now), State::Failed)).await;
    log.handle.retry(retried.id).await.unwrap();
    let asked = Publish { origin: Some(origin(7)), ..event("asked", &[1]) };
    log.try_publish(asked.clone()).await.unwrap();
    // Handed over, but perhaps not carried out yet when the end comes.
    log.notices();
    let done = log.delivery("done", 2).await;
    log.handle.command(vec![Command::Record(Box::new(success(done, now)))]).await.unwrap();

    let all = Query { limit: 100, ..Query::default() };
    let before = log.handle.deliveries(webhook(1), all.clone()).await.unwrap();
    let summary = log.handle.summary(webhook(1)).await.unwrap();
    let mut log = log.reopen().await;
    assert_eq!(log.handle.deliveries(webhook(1), all).await.unwrap(), before);
    assert_eq!(log.handle.summary(webhook(1)).await.unwrap(), summary);
    assert_eq!(log.handle.attempts(retried.id).await.unwrap(), [(1, answered(500, now))]);
    assert_eq!(log.state(done.id).await, State::Delivered);
    let page = log.load(1, None, 10).await;
    assert_eq!((page.pending[0], page.pending.len()), (waiting, 3));
    assert!(log.publish("waiting", &[1]).await.duplicate);
    assert!(log.try_publish(asked).await.unwrap().duplicate);
}

pub(in crate::store) async fn nothing_is_taken_after_the_end(open: Open) {
    let mut log = Log::new(open);
    let pending = log.delivery("evt_1", 1).await;
    let handle = log.end().await;
    let refused = handle.publish(event("evt_2", &[1])).await.unwrap_err();
    assert!(matches!(refused, PublishError::Unavailable(Error::Closed)));
    assert!(matches!(handle.retry(pending.id).await, Err(Error::Closed)));
    assert!(matches!(handle.delivery(pending.id).await, Err(Error::Closed)));
    let command = Command::CancelWebhook(webhook(1));
    assert!(matches!(handle.command(vec![command]).await, Err(Error::Closed)));
}

pub(in crate::store) async fn ids_go_on_growing_after_a_restart(open: Open) {
    let mut log = Log::new(open);
    let mut last = log.delivery("evt_0", 1).await;
    for number in 1..4 {
        log = log.reopen().await;
        let next = log.delivery(&format!("evt_{number}"), 1).await;
        assert!(next.id > last.id && next.event > last.event);
        last = next;
    }
}
