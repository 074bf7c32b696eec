//! What is old goes, and a full log makes room.

use std::time::Duration;

use hookwright_engine::delivery::{Pending, State};

use super::log::{AMPLE, Log, Open, draft, event, success, webhook};
use crate::store::{Command, Error, Publish, PublishError, Receipt, Retention};

/// A log that a few dozen events of 16 KiB fill.
const SMALL: Retention = Retention { max_bytes: 2 * 1024 * 1024, ..AMPLE };

fn large(id: &str) -> Publish {
    let data = "x".repeat(16 * 1024);
    let draft = draft(&format!(r#"{{"id":"{id}","type":"user.created","data":{{"x":"{data}"}}}}"#));
    Publish { draft, ..event("", &[1]) }
}

/// Publishes large events until the log is full.
async fn fill(log: &Log, name: &str) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for number in 0..200 {
        match log.try_publish(large(&format!("{name}_{number}"))).await {
            Ok(receipt) => receipts.push(receipt),
            Err(PublishError::Unavailable(Error::Full(_))) => return receipts,
            Err(error) => panic!("expected a full log, got {error}"),
        }
    }
    panic!("the quota has no effect");
}

pub(in crate::store) async fn what_is_older_than_the_log_is_kept_goes_once_it_has_ended(open: Open) {
    let mut log = Log::new(open);
    let old = log.delivery("old", 1).await;
    let waiting = log.delivery("waiting", 1).await;
    let shown = log.delivery("shown", 1).await;
    log.publish("unwanted", &[]).await;
    let now = log.clock.now();
    log.record(success(old, now)).await;
    log.record(success(shown, now)).await;
    log.clock.advance(AMPLE.age + Duration::from_secs(1));
    let new = log.delivery("new", 1).await;

    log.until("the old delivery is gone", async |handle| handle.delivery(old.id).await.unwrap().is_none())
        .await;
    assert!(log.handle.attempts(old.id).await.unwrap().is_empty());
    log.until("its event is gone", async |handle| handle.event(old.event).await.unwrap().is_none()).await;
    for kept in [waiting, shown, new] {
        assert!(log.handle.delivery(kept.id).await.unwrap().is_some());
        assert!(log.handle.event(kept.event).await.unwrap().is_some());
    }
    let summary = log.handle.summary(webhook(1)).await.unwrap();
    assert_eq!((summary.pending, summary.delivered), (2, 2), "what is gone stays counted");
    assert_eq!(summary.last.unwrap().id, shown.id, "the summary keeps what it shows");
}

pub(in crate::store) async fn a_full_log_refuses_events_and_takes_them_again_when_deliveries_have_ended(
    open: Open,
) {
    let mut log = Log::with(open, SMALL);
    let receipts = fill(&log, "evt").await;
    let waiting: Vec<Pending> = log.accepted();
    assert!(receipts.len() >= 50 && receipts.len() == waiting.len(), "{} fit", receipts.len());
    let stats = log.handle.stats();
    assert!(stats.refused >= 1 && stats.used_bytes <= SMALL.max_bytes);
    let refused = log.try_publish(large("evt_more")).await.unwrap_err();
    assert!(matches!(refused, PublishError::Unavailable(Error::Full(_))));
    assert_eq!(log.handle.summary(webhook(1)).await.unwrap().pending, waiting.len() as u64);
    // What is there already is known, room or none.
    assert!(log.try_publish(large("evt_0")).await.unwrap().duplicate);

    // Outcomes are written all the same.
    let now = log.clock.now();
    let (ended, rest) = waiting.split_at(waiting.len() / 2);
    let records = ended.iter().map(|pending| Command::Record(Box::new(success(*pending, now))));
    log.handle.command(records.collect()).await.unwrap();
    log.settled().await;
    let again = fill(&log, "again").await;
    assert!(again.len() + 4 >= ended.len(), "{} instead of {}", again.len(), ended.len());
    for pending in rest {
        assert!(matches!(log.state(pending.id).await, State::Pending { .. }), "what waits is not removed");
        assert!(log.handle.event(pending.event).await.unwrap().is_some());
    }
    assert!(log.handle.stats().removed + 1 >= ended.len() as u64);
}

pub(in crate::store) async fn an_id_is_remembered_for_a_day_even_where_its_event_has_gone(open: Open) {
    let mut log = Log::with(open, SMALL);
    let first = log.try_publish(large("first")).await.unwrap();
    let pending = log.accepted()[0];
    let now = log.clock.now();
    log.record(success(pending, now)).await;
    let last = log.delivery("last", 1).await;
    log.record(success(last, now)).await;
    fill(&log, "evt").await;
    log.until("room was made", async |handle| handle.delivery(pending.id).await.unwrap().is_none()).await;
    assert_eq!(log.handle.event(pending.event).await.unwrap(), None);
    let again = log.try_publish(large("first")).await.unwrap();
    assert_eq!((again.duplicate, again.deliveries), (true, first.deliveries));
}

pub(in crate::store) async fn what_a_deleted_webhook_leaves_goes_altogether(open: Open) {
    let mut log = Log::new(open);
    let pending = log.delivery("evt_1", 1).await;
    let now = log.clock.now();
    log.record(success(pending, now)).await;
    log.command(Command::CancelWebhook(webhook(1))).await;
    log.clock.advance(AMPLE.age + Duration::from_secs(1));
    log.until("nothing is left of it", async |handle| {
        handle.summary(webhook(1)).await.unwrap() == crate::store::Summary::default()
    })
    .await;
    assert_eq!(log.handle.delivery(pending.id).await.unwrap(), None);
}
