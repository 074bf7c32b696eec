//! The unfinished deliveries of whole webhooks.

use std::time::Duration;

use hookwright_engine::delivery::{Pending, State};
use hookwright_engine::id::BatchId;
use hookwright_engine::streak::Streak;

use super::log::{Log, Open, failure, success, webhook};
use crate::store::{Command, Notice, Page};

pub(in crate::store) async fn pages_follow_the_order_of_falling_due_and_break_ties_by_id(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    assert_eq!(log.load(1, None, 10).await, Page::default());
    let mut expected = Vec::new();
    for number in 0..30_u64 {
        let mut pending = log.delivery(&format!("evt_{number}"), 1).await;
        log.delivery(&format!("other_{number}"), 2).await;
        if number % 7 == 0 {
            log.record(success(pending, now)).await;
            continue;
        }
        // Three times, so that there are ties.
        pending.due = now + Duration::from_secs(60 * (number % 3));
        log.record(failure(pending, now, pending.due)).await;
        pending.attempts = 1;
        expected.push(pending);
    }
    expected.sort_by_key(Pending::position);

    let (mut found, mut after) = (Vec::<Pending>::new(), None);
    loop {
        let page = log.load(1, after, 4).await;
        found.extend(&page.pending);
        after = page.pending.last().copied();
        assert_eq!(page.more, found.len() < expected.len());
        if !page.more {
            break;
        }
    }
    assert_eq!(found, expected);
    assert_eq!(log.load(1, after, 4).await, Page::default());
}

pub(in crate::store) async fn the_deliveries_of_a_batch_stand_together_until_they_are_retried_by_hand(
    open: Open,
) {
    let mut log = Log::new(open);
    let due = log.clock.now() + Duration::from_mins(1);
    let mut expected = Vec::new();
    for number in 0..6_u64 {
        let pending = log.delivery(&format!("evt_{number}"), 1).await;
        let pending = Pending { batch: BatchId::from_u64(number % 3), ..pending };
        log.record(failure(pending, log.clock.now(), due)).await;
        expected.push(Pending { attempts: 1, due, ..pending });
    }
    expected.sort_by_key(Pending::position);
    let mut log = log.reopen().await;
    let first = log.load(1, None, 3).await.pending;
    let rest = log.load(1, first.last().copied(), 3).await.pending;
    assert_eq!([first, rest].concat(), expected);

    log.handle.retry(expected[5].id).await.unwrap().unwrap();
    assert_eq!(log.accepted()[0].batch, None);
    assert_eq!(log.load(1, None, 1).await.pending[0].batch, None);
}

pub(in crate::store) async fn a_deleted_webhook_loses_its_unfinished_deliveries(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    let done = log.delivery("done", 1).await;
    log.record(success(done, now)).await;
    for number in 0..1500 {
        log.publish(&format!("evt_{number}"), &[1, 2]).await;
        log.notices();
    }
    // More than one transaction's worth.
    log.command(Command::CancelWebhook(webhook(1))).await;
    let chunks = log.notices();
    assert!(chunks.len() > 1, "in bounded pieces");
    let canceled: usize = chunks
        .into_iter()
        .map(|notice| match notice {
            Notice::Canceled(pending) => pending.len(),
            other => panic!("got {other:?}"),
        })
        .sum();
    assert_eq!(canceled, 1500);
    assert_eq!(log.load(1, None, 10).await.pending, []);
    assert_eq!(log.state(done.id).await, State::Delivered);
    let (one, two) =
        (log.handle.summary(webhook(1)).await.unwrap(), log.handle.summary(webhook(2)).await.unwrap());
    assert_eq!((one.pending, one.delivered, two.pending), (0, 1, 1500));
}

pub(in crate::store) async fn webhooks_that_are_not_known_lose_their_unfinished_deliveries(open: Open) {
    let mut log = Log::new(open);
    for target in 1..=4 {
        log.delivery(&format!("evt_{target}"), target).await;
    }
    log.command(Command::CancelOthers([webhook(2), webhook(9)].into())).await;
    let mut canceled: Vec<_> = log.canceled().into_iter().map(|pending| pending.webhook).collect();
    canceled.sort();
    assert_eq!(canceled, [webhook(1), webhook(3), webhook(4)]);
    assert_eq!(log.load(2, None, 10).await.pending.len(), 1);
}

pub(in crate::store) async fn a_gone_receiver_is_remembered(open: Open) {
    let mut log = Log::new(open);
    log.delivery("evt_1", 1).await;
    for target in [1, 2] {
        assert_eq!(log.load(target, None, 1).await.gone_generation, None);
        log.command(Command::Gone { webhook: webhook(target), generation: 3 }).await;
        assert_eq!(log.load(target, None, 1).await.gone_generation, Some(3));
    }
    let mut log = log.reopen().await;
    assert_eq!(log.load(1, None, 1).await.gone_generation, Some(3));
    assert_eq!(log.handle.summary(webhook(1)).await.unwrap().gone_generation, Some(3));
}

pub(in crate::store) async fn a_failing_receiver_is_remembered_until_it_takes_a_delivery(open: Open) {
    let mut log = Log::new(open);
    let now = log.clock.now();
    assert_eq!(log.load(1, None, 1).await.streak, None);
    let first = Streak::extended(None, 3, now);
    let streak = Some(Streak::extended(Some(first), 3, now + Streak::PATIENCE));
    for known in [Some(first), streak] {
        log.command(Command::Failing { webhook: webhook(1), streak: known }).await;
        assert_eq!(log.load(1, None, 1).await.streak, known);
    }
    let mut log = log.reopen().await;
    assert_eq!(log.load(1, None, 1).await.streak, streak);
    assert_eq!(log.handle.summary(webhook(1)).await.unwrap().streak, streak);
    log.command(Command::Failing { webhook: webhook(1), streak: None }).await;
    assert_eq!(log.handle.summary(webhook(1)).await.unwrap().streak, None);
}
