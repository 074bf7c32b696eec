//! What users ask of all that failed, and once per value of an annotation.

use std::time::Duration;

use hookwright_engine::delivery::{Kind, Pending, State};

use super::log::{Log, Open, answered, draft, event, origin, record, success, webhook};
use crate::store::{Asked, Notice, Publish, Selection};

fn asked(value: &str) -> Asked {
    Asked { by: origin(9), value: value.to_owned() }
}

/// A delivery of the webhook 1 that has failed.
async fn failed(log: &mut Log, id: &str) -> Pending {
    let pending = log.delivery(id, 1).await;
    fail(log, pending).await;
    pending
}

/// Lets an attempt fail for good, some time before and after everything else.
async fn fail(log: &Log, pending: Pending) {
    log.clock.advance(Duration::from_secs(1));
    log.record(record(pending, answered(500, log.clock.now()), State::Failed)).await;
    log.clock.advance(Duration::from_secs(1));
}

pub(in crate::store) async fn a_redrive_makes_all_that_failed_due_in_bounded_pieces(open: Open) {
    const FAILED: usize = 1100;
    let mut log = Log::new(open);
    let now = log.clock.now();
    let (delivered, canceled) = (log.delivery("delivered", 1).await, log.delivery("canceled", 1).await);
    log.record(success(delivered, now)).await;
    log.handle.cancel(canceled.id).await.unwrap();
    log.notices();
    let other = log.delivery("other", 2).await;
    log.record(record(other, answered(500, now), State::Failed)).await;
    let mut records = Vec::new();
    for number in 0..FAILED {
        log.publish(&format!("evt_{number}"), &[1]).await;
        log.notices();
    }
    for pending in log.load(1, None, 2 * FAILED).await.pending {
        let state = if records.len() % 2 == 0 { State::Failed } else { State::DeadLettered };
        records.push(crate::store::Command::Record(Box::new(record(pending, answered(500, now), state))));
    }
    log.handle.command(records).await.unwrap();
    log.settled().await;
    log.notices();

    let all = Selection::default;
    assert_eq!(log.handle.redrivable(webhook(1), all()).await.unwrap(), FAILED as u64);
    assert_eq!(log.handle.redrive(webhook(1), all(), None).await.unwrap(), FAILED as u64);
    let pieces = log.notices();
    assert!(pieces.len() > 1, "in bounded pieces");
    let told = pieces.into_iter().map(|notice| match notice {
        Notice::Accepted { event: None, pending } => pending.len(),
        other => panic!("got {other:?}"),
    });
    assert_eq!(told.sum::<usize>(), FAILED);
    let summary = log.handle.summary(webhook(1)).await.unwrap();
    assert_eq!((summary.retrying, summary.failed, summary.delivered), (FAILED as u64, 0, 1));
    assert_eq!(log.handle.redrive(webhook(1), all(), None).await.unwrap(), 0);
    assert_eq!(log.handle.redrive(webhook(7), all(), None).await.unwrap(), 0, "an unknown webhook");
}

pub(in crate::store) async fn a_redrive_narrows_to_what_is_asked_for(open: Open) {
    let mut log = Log::new(open);
    failed(&mut log, "early").await;
    log.clock.advance(Duration::from_mins(1));
    let noon = log.clock.now();
    failed(&mut log, "late").await;
    let login = draft(r#"{"id":"login","type":"user.login","data":{}}"#);
    let test = draft(r#"{"id":"test","type":"test.ping","data":{}}"#);
    for (draft, kind) in [(login, Kind::Event), (test, Kind::Test)] {
        log.try_publish(Publish { draft, kind, ..event("", &[1]) }).await.unwrap();
        let pending = log.accepted()[0];
        assert_eq!(pending.kind, kind);
        log.record(record(pending, answered(500, noon), State::Failed)).await;
    }
    let of = |event_type: &str| Some(event_type.parse().unwrap());
    for (selection, count) in [
        (Selection { event_type: of("user.login"), ..Selection::default() }, 1),
        (Selection { event_type: of("test.ping"), ..Selection::default() }, 0),
        (Selection { until: Some(noon), ..Selection::default() }, 1),
        (Selection { since: Some(noon), event_type: of("user.created"), ..Selection::default() }, 1),
        (Selection::default(), 0),
    ] {
        assert_eq!(
            log.handle.redrivable(webhook(1), selection.clone()).await.unwrap(),
            count,
            "{selection:?}"
        );
        assert_eq!(log.handle.redrive(webhook(1), selection, None).await.unwrap(), count);
    }
    assert_eq!(log.accepted().len(), 3);
}

pub(in crate::store) async fn what_an_annotation_asks_for_is_done_once_per_value(open: Open) {
    let mut log = Log::new(open);
    let id = failed(&mut log, "evt_1").await.id;
    let all = Selection::default;
    assert_eq!(log.handle.redrive(webhook(1), all(), Some(asked("a"))).await.unwrap(), 1);
    let retried = log.accepted()[0];
    fail(&log, retried).await;
    let mut log = log.reopen().await;
    assert_eq!(log.handle.redrive(webhook(1), all(), Some(asked("a"))).await.unwrap(), 0, "it failed since");
    assert_eq!(log.handle.redrive(webhook(1), all(), Some(asked("b"))).await.unwrap(), 1);
    let retried = log.accepted()[0];
    fail(&log, retried).await;

    for (value, does) in [("a", true), ("a", false), ("b", true), ("a", true), ("a", false)] {
        let by = Asked { by: origin(8), value: value.to_owned() };
        assert_eq!(log.handle.retry_once(id, by).await.unwrap().unwrap().id, id);
        let told = log.accepted();
        assert_eq!(!told.is_empty(), does, "{value}");
        if let [retried] = told[..] {
            fail(&log, retried).await;
        }
    }
}
