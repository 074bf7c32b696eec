//! Deliveries that go one after the other.

use std::time::Duration;

use hookwright_engine::delivery::{Pending, State};
use hookwright_engine::ordering::Line;

use super::log::{
    Log, Open, Told, after, answered, failure, in_line, lined, origin, record, success, webhook,
};
use crate::store::{Command, Publish};

impl Log {
    /// Publishes an event to a line of webhook 1, and tells what the driver hears of it.
    async fn join(&mut self, id: &str, line: u64) -> Told {
        self.try_publish(in_line(id, 1, line)).await.unwrap();
        self.told()
    }

    /// Publishes an event whose delivery is the first of its line.
    async fn first(&mut self, id: &str, line: u64) -> Pending {
        let told = self.join(id, line).await;
        assert!(told.parked.is_empty(), "{told:?}");
        told.accepted[0]
    }

    /// Publishes an event whose delivery has to wait.
    async fn next(&mut self, id: &str, line: u64) -> Pending {
        let told = self.join(id, line).await;
        assert!(told.accepted.is_empty(), "{told:?}");
        told.parked[0]
    }

    /// The one delivery whose turn it is now.
    fn released(&mut self) -> Pending {
        let told = self.told();
        assert!(told.accepted.len() == 1 && told.parked.is_empty(), "{told:?}");
        told.accepted[0]
    }
}

pub(in crate::store) async fn the_next_of_a_line_is_released_when_the_one_before_has_ended(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    let first = log.first("evt_1", 7).await;
    let (second, third) = (log.next("evt_2", 7).await, log.next("evt_3", 7).await);
    let other = log.first("evt_4", 8).await;
    assert_eq!(log.load(1, None, 10).await.pending, [first, other], "what waits is not with the driver");
    let delivery = log.handle.delivery(second.id).await.unwrap().unwrap();
    assert!(delivery.parked && !delivery.state.is_final());
    assert_eq!(log.handle.summary(webhook(1)).await.unwrap().pending, 4);

    log.record(failure(first, now, now + Duration::from_mins(1))).await;
    assert_eq!(log.told(), Told::default(), "it has not ended");
    let summary = log.handle.summary(webhook(1)).await.unwrap();
    assert_eq!(summary.next_retry, Some(now + Duration::from_mins(1)));
    log.record(record(after(first, 1), answered(500, now), State::Failed)).await;
    let released = log.released();
    assert_eq!((released.id, released.line), (second.id, Some(Line::from_u64(7))));
    assert!(!log.handle.delivery(second.id).await.unwrap().unwrap().parked);
    for _ in 0..2 {
        // A record may come twice.
        log.record(success(released, now)).await;
    }
    assert_eq!(log.released().id, third.id);
}

pub(in crate::store) async fn a_line_is_of_one_webhook_alone(open: Open) {
    let mut log = Log::new(open);
    let targets = vec![lined(1, Some(7)), lined(2, Some(7)), lined(3, None)];
    for id in ["evt_1", "evt_2"] {
        log.try_publish(Publish { targets: targets.clone(), ..in_line(id, 1, 7) }).await.unwrap();
    }
    let Told { accepted, parked, canceled: _ } = log.told();
    let of = |pending: &[Pending]| pending.iter().map(|pending| pending.webhook).collect::<Vec<_>>();
    assert_eq!(of(&accepted), [1, 2, 3, 3].map(webhook));
    assert_eq!(of(&parked), [1, 2].map(webhook));
}

pub(in crate::store) async fn events_accepted_together_keep_their_order(open: Open) {
    let mut log = Log::new(open);
    let events = (0..20).map(|number| log.try_publish(in_line(&format!("evt_{number}"), 1, 7)));
    let receipts = futures::future::join_all(events).await;
    let mut expected: Vec<_> = receipts.into_iter().map(|receipt| receipt.unwrap().deliveries[0]).collect();
    expected.sort();
    let mut told = log.told().accepted;
    for id in expected {
        assert_eq!(told.iter().map(|pending| pending.id).collect::<Vec<_>>(), [id]);
        log.record(success(told[0], log.clock.now())).await;
        told = log.told().accepted;
    }
}

pub(in crate::store) async fn a_canceled_delivery_leaves_its_line(open: Open) {
    let mut log = Log::new(open);
    let first = log.first("evt_1", 7).await;
    let (second, third) = (log.next("evt_2", 7).await, log.next("evt_3", 7).await);
    log.handle.cancel(second.id).await.unwrap();
    assert_eq!(log.told(), Told { canceled: vec![second], ..Told::default() });
    log.handle.cancel(first.id).await.unwrap();
    let told = log.told();
    assert_eq!((told.canceled[0].id, told.accepted[0].id), (first.id, third.id));
    // It may have been under way: what became of it is written down, and moves nobody else.
    log.record(success(first, log.clock.now())).await;
    assert_eq!(log.told(), Told::default());
}

pub(in crate::store) async fn a_delivery_that_is_retried_by_hand_is_the_next_of_its_line(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    let first = log.first("evt_1", 7).await;
    log.record(record(first, answered(500, now), State::Failed)).await;
    let second = log.first("evt_2", 7).await;
    let third = log.next("evt_3", 7).await;
    let retried = log.handle.retry(first.id).await.unwrap().unwrap();
    assert!(retried.parked);
    assert_eq!(log.told().parked[0].id, first.id, "another one's turn it is");
    log.record(success(second, now)).await;
    let released = log.released();
    assert_eq!((released.id, released.attempts, released.budget_from), (first.id, 1, 1));
    log.record(success(released, now)).await;
    let released = log.released();
    assert_eq!(released.id, third.id);

    log.record(failure(released, now, now + Duration::from_hours(1))).await;
    log.handle.retry(third.id).await.unwrap();
    assert_eq!(log.released().id, third.id, "whose turn it is goes now");
}

pub(in crate::store) async fn a_replay_joins_the_line_of_its_target(open: Open) {
    let mut log = Log::new(open);
    let first = log.first("evt_1", 7).await;
    log.handle.replay(first.id, lined(1, Some(7)), origin(1)).await.unwrap();
    assert_eq!(log.told().parked.len(), 1);
    log.handle.replay(first.id, lined(1, None), origin(2)).await.unwrap();
    assert_eq!(log.told().accepted.len(), 1);
}

pub(in crate::store) async fn a_deleted_webhook_takes_its_lines_with_it(open: Open) {
    let mut log = Log::new(open);
    for number in 0..1100 {
        log.try_publish(in_line(&format!("evt_{number}"), 1, 7)).await.unwrap();
        log.notices();
    }
    log.command(Command::CancelWebhook(webhook(1))).await;
    let Told { accepted, parked, canceled } = log.told();
    assert_eq!((accepted, parked, canceled.len()), (Vec::new(), Vec::new(), 1100));
    log.first("evt_more", 7).await;
}

pub(in crate::store) async fn lines_outlive_an_end(open: Open) {
    let mut log = Log::new(open);
    let first = log.first("evt_1", 7).await;
    let second = log.next("evt_2", 7).await;
    let mut log = log.reopen().await;
    assert_eq!(log.load(1, None, 10).await.pending, [first]);
    let third = log.next("evt_3", 7).await;
    log.record(success(first, log.clock.now())).await;
    assert_eq!(log.released().id, second.id);
    let mut log = log.reopen().await;
    let page = log.load(1, None, 10).await;
    assert_eq!(page.pending.iter().map(|pending| pending.id).collect::<Vec<_>>(), [second.id]);
    log.record(success(page.pending[0], log.clock.now())).await;
    assert_eq!(log.released().id, third.id);
}
