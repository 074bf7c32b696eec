//! What users ask of single deliveries.

use hookwright_engine::delivery::State;
use hookwright_engine::id::DeliveryId;

use super::log::{Log, Open, answered, failure, origin, record, success, webhook};

pub(in crate::store) async fn a_retry_makes_an_ended_delivery_due_with_a_fresh_budget(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    for (name, end) in
        [("failed", State::Failed), ("dead", State::DeadLettered), ("delivered", State::Delivered)]
    {
        let pending = log.delivery(name, 1).await;
        log.record(record(pending, answered(500, now), end)).await;
        assert_eq!(log.state(pending.id).await, end);

        let retried = log.handle.retry(pending.id).await.unwrap().unwrap();
        assert!(matches!(retried.state, State::Pending { due } if due <= log.clock.now()));
        assert_eq!((retried.attempts, retried.finished), (1, None));
        let told = log.accepted();
        assert_eq!((told[0].id, told[0].attempts, told[0].budget_from), (pending.id, 1, 1));

        log.record(success(told[0], now)).await;
        let delivery = log.handle.delivery(pending.id).await.unwrap().unwrap();
        assert_eq!((delivery.state, delivery.attempts), (State::Delivered, 2));
    }
    let summary = log.handle.summary(webhook(1)).await.unwrap();
    assert_eq!((summary.pending, summary.retrying, summary.delivered, summary.failed), (0, 0, 3, 0));

    let pending = log.delivery("waiting", 1).await;
    log.record(failure(pending, now, now + std::time::Duration::from_hours(1))).await;
    log.handle.retry(pending.id).await.unwrap().unwrap();
    let told = log.accepted();
    assert!(told[0].due <= log.clock.now(), "a waiting delivery is due now");
    assert_eq!(told[0].budget_from, 1);
    log.handle.retry(pending.id).await.unwrap().unwrap();
    assert!(log.notices().is_empty(), "it is due, and its budget is fresh");
}

pub(in crate::store) async fn a_canceled_delivery_has_ended(open: Open) {
    let mut log = Log::new(open);
    let pending = log.delivery("evt_1", 1).await;
    let canceled = log.handle.cancel(pending.id).await.unwrap().unwrap();
    assert_eq!(canceled.state, State::Canceled);
    assert!(canceled.finished.is_some());
    assert_eq!(log.canceled(), [pending]);
    assert!(log.load(1, None, 10).await.pending.is_empty());

    assert_eq!(log.handle.cancel(pending.id).await.unwrap(), Some(canceled));
    assert!(log.notices().is_empty(), "what has ended stays as it is");

    log.handle.retry(pending.id).await.unwrap().unwrap();
    assert_eq!(log.accepted()[0].id, pending.id);
    assert_eq!(log.load(1, None, 10).await.pending.len(), 1);
}

pub(in crate::store) async fn a_replay_sends_the_event_again_once_per_origin(open: Open) {
    let mut log = Log::new(open);
    let pending = log.delivery("evt_1", 1).await;
    let replay = log.handle.replay(pending.id, webhook(2).into(), origin(7)).await.unwrap().unwrap();
    let told = log.accepted();
    assert_eq!((told[0].id, told[0].event, told[0].webhook), (replay, pending.event, webhook(2)));
    assert_eq!(log.handle.replay(pending.id, webhook(2).into(), origin(7)).await.unwrap(), Some(replay));
    assert!(log.notices().is_empty());
    // The same webhook gets the event again when another object asks for it.
    let another = log.handle.replay(pending.id, webhook(2).into(), origin(8)).await.unwrap().unwrap();
    assert_ne!(another, replay);
    assert_eq!(log.handle.delivery_of(origin(8)).await.unwrap().unwrap().id, another);
}

pub(in crate::store) async fn what_is_unknown_is_answered_so(open: Open) {
    let mut log = Log::new(open);
    let unknown = DeliveryId::from_u64(12);
    assert_eq!(log.handle.retry(unknown).await.unwrap(), None);
    assert_eq!(log.handle.cancel(unknown).await.unwrap(), None);
    assert_eq!(log.handle.replay(unknown, webhook(1).into(), origin(1)).await.unwrap(), None);
    assert_eq!(log.handle.delivery(unknown).await.unwrap(), None);
    assert_eq!(log.handle.delivery_of(origin(1)).await.unwrap(), None);
    assert!(log.handle.attempts(unknown).await.unwrap().is_empty());
    assert_eq!(log.handle.summary(webhook(1)).await.unwrap(), crate::store::Summary::default());
    assert!(log.handle.deliveries(webhook(1), crate::store::Query::default()).await.unwrap().is_empty());
    assert!(log.notices().is_empty());
}
