//! Reading the log.

use std::time::Duration;

use hookwright_engine::delivery::State;
use hookwright_engine::id::DeliveryId;

use super::log::{Log, Open, after, answered, draft, event, failure, record, success, webhook};
use crate::store::{Group, Publish, Query};

pub(in crate::store) async fn lists_are_newest_first_in_pages(open: Open) {
    let mut log = Log::new(open);
    let mut expected = Vec::new();
    for number in 0..10 {
        expected.insert(0, log.delivery(&format!("evt_{number}"), 1).await.id);
        log.delivery(&format!("other_{number}"), 2).await;
    }
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = log.handle.deliveries(webhook(1), Query { limit: 3, before, ..Query::default() }).await;
        let Some(last) = page.as_ref().unwrap().last() else { break };
        before = Some(last.id);
        found.extend(page.unwrap().into_iter().map(|delivery| delivery.id));
    }
    assert_eq!(found, expected);
}

pub(in crate::store) async fn lists_narrow_to_what_is_asked_for(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    let mut ids = Vec::new();
    for name in ["delivered", "failed", "dead", "canceled", "retrying", "pending"] {
        ids.push(log.delivery(name, 1).await);
        log.clock.advance(Duration::from_mins(1));
    }
    let [delivered, failed, dead, canceled, retrying, pending] = ids[..] else { unreachable!() };
    log.record(success(delivered, now)).await;
    log.record(record(failed, answered(500, now), State::Failed)).await;
    log.record(record(dead, answered(500, now), State::DeadLettered)).await;
    log.handle.cancel(canceled.id).await.unwrap();
    log.record(failure(retrying, now, now)).await;
    let other = draft(r#"{"id":"other","type":"user.deleted","data":{}}"#);
    let other = log.try_publish(Publish { draft: other, ..event("", &[1]) }).await.unwrap().deliveries[0];

    let list = async |query| -> Vec<DeliveryId> {
        let found = log.handle.deliveries(webhook(1), Query { limit: 50, ..query }).await.unwrap();
        found.into_iter().map(|delivery| delivery.id).collect()
    };
    let of = |group| Query { group: Some(group), ..Query::default() };
    let well = |delivered| Query { delivered: Some(delivered), ..Query::default() };
    assert_eq!(list(of(Group::Delivered)).await, [delivered.id]);
    assert_eq!(list(of(Group::Failed)).await, [dead.id, failed.id]);
    assert_eq!(list(of(Group::Canceled)).await, [canceled.id]);
    assert_eq!(list(of(Group::Retrying)).await, [retrying.id]);
    assert_eq!(list(of(Group::Pending)).await, [other, pending.id]);
    assert_eq!(list(well(true)).await, [delivered.id]);
    let undelivered = [other, pending.id, retrying.id, canceled.id, dead.id, failed.id];
    assert_eq!(list(well(false)).await, undelivered);
    assert_eq!(list(Query { delivered: Some(false), ..of(Group::Failed) }).await, [dead.id, failed.id]);
    assert_eq!(list(Query { delivered: Some(true), ..of(Group::Failed) }).await, []);
    assert_eq!(list(Query { delivered: Some(false), ..of(Group::Delivered) }).await, []);

    let user_deleted = Some("user.deleted".parse().unwrap());
    assert_eq!(list(Query { event_type: user_deleted, ..Query::default() }).await, [other]);
    let since = Some(canceled.id.time());
    let until = Some(pending.id.time());
    assert_eq!(list(Query { since, until, ..Query::default() }).await, [retrying.id, canceled.id]);
    assert_eq!(list(Query { before: Some(failed.id), ..Query::default() }).await, [delivered.id]);
    assert_eq!(log.handle.deliveries(webhook(1), Query::default()).await.unwrap(), [], "a limit of none");
}

pub(in crate::store) async fn the_summary_names_the_last_attempt_and_the_last_failure(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    let (first, second) = (log.delivery("first", 1).await, log.delivery("second", 1).await);
    let due = now + Duration::from_mins(1);
    log.record(failure(first, now, due + Duration::from_secs(9))).await;
    log.record(failure(second, now, due)).await;
    let summary = log.handle.summary(webhook(1)).await.unwrap();
    assert_eq!((summary.pending, summary.retrying, summary.next_retry), (0, 2, Some(due)));
    assert_eq!(summary.last.unwrap().id, second.id);
    assert_eq!(summary.last_failure, Some((second.id, answered(500, now))));

    log.record(success(after(second, 1), due)).await;
    log.record(record(after(first, 1), answered(503, due), State::Failed)).await;
    log.record(success(after(second, 2), due)).await;
    let summary = log.handle.summary(webhook(1)).await.unwrap();
    assert_eq!((summary.retrying, summary.delivered, summary.failed), (0, 1, 1));
    assert_eq!(summary.next_retry, None);
    let last = summary.last.unwrap();
    assert_eq!((last.id, last.last_attempt), (second.id, Some(answered(200, due))));
    assert_eq!(summary.last_failure, Some((first.id, answered(503, due))));
}
