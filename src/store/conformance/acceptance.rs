//! Accepting events.

use std::time::Duration;

use hookwright_engine::id::BatchId;
use hookwright_engine::trace::Trace;

use super::log::{Log, Open, draft, event, event_id, origin, webhook, webhooks};
use crate::store::{Notice, Publish, PublishError};

pub(in crate::store) async fn an_event_is_accepted_once_per_id(open: Open) {
    let mut log = Log::new(open);
    let first = log.publish("evt_1", &[1, 2]).await;
    assert_eq!((first.duplicate, first.deliveries.len()), (false, 2));
    assert_eq!(log.accepted().len(), 2);

    // To whom it would go today does not matter: the first answer stands.
    let mut again = log.publish("evt_1", &[1, 2, 3]).await;
    assert!(std::mem::take(&mut again.duplicate));
    assert_eq!(again, first);
    assert!(log.notices().is_empty());

    let (left, right) =
        tokio::join!(log.try_publish(event("evt_2", &[1])), log.try_publish(event("evt_2", &[1])));
    let (left, right) = (left.unwrap(), right.unwrap());
    assert_eq!(left.deliveries, right.deliveries);
    assert_ne!(left.duplicate, right.duplicate);
    assert_eq!(log.accepted().len(), 1);

    let (left, right) = (log.publish("", &[1]).await, log.publish("", &[1]).await);
    assert_ne!(left.event_id, right.event_id, "events without an id are different events");
}

pub(in crate::store) async fn another_event_under_the_same_id_is_a_conflict(open: Open) {
    let mut log = Log::new(open);
    log.publish("evt_1", &[1]).await;
    log.notices();
    let draft = draft(r#"{"id":"evt_1","type":"user.created","data":{"n":2}}"#);
    let other = Publish { draft, ..event("evt_1", &[1]) };
    for origin in [None, Some(origin(9))] {
        let refused = log.try_publish(Publish { origin, ..other.clone() }).await.unwrap_err();
        assert!(matches!(refused, PublishError::Conflict(id) if id == event_id("evt_1")));
    }
    assert!(log.notices().is_empty());
}

pub(in crate::store) async fn ids_are_forgotten_after_a_day(open: Open) {
    let log = Log::new(open);
    let first = log.publish("evt_1", &[1]).await;
    log.clock.advance(Duration::from_hours(23));
    assert!(log.publish("evt_1", &[1]).await.duplicate);
    log.clock.advance(Duration::from_secs(3601));
    let second = log.publish("evt_1", &[1]).await;
    assert!(!second.duplicate);
    assert_ne!(first.deliveries, second.deliveries);
    assert_eq!(log.publish("evt_1", &[1]).await.deliveries, second.deliveries);
}

pub(in crate::store) async fn ids_are_unique_per_namespace_only(open: Open) {
    let log = Log::new(open);
    log.publish("evt_1", &[1]).await;
    let elsewhere = Publish { namespace: "elsewhere".into(), ..event("evt_1", &[2]) };
    assert!(!log.try_publish(elsewhere.clone()).await.unwrap().duplicate);
    assert!(log.try_publish(elsewhere).await.unwrap().duplicate);
}

pub(in crate::store) async fn the_driver_is_told_of_deliveries_in_the_order_they_are_durable(open: Open) {
    let mut log = Log::new(open);
    let receipt = log.publish("evt_1", &[1, 2]).await;
    let notice = log.notices().pop().unwrap();
    let Notice::Accepted { event: Some((key, event)), pending } = notice else { panic!("got {notice:?}") };
    assert_eq!(event.id, receipt.event_id);
    assert_eq!(log.handle.event(key).await.unwrap(), Some(event));
    let ids: Vec<_> = pending.iter().map(|pending| pending.id).collect();
    assert_eq!(ids, receipt.deliveries);
    assert_eq!(pending.iter().map(|pending| pending.webhook).collect::<Vec<_>>(), webhooks(&[1, 2]));
    assert!(pending.iter().all(|p| p.event == key && p.attempts == 0 && p.budget_from == 0));
    assert!(pending.iter().all(|pending| pending.due <= log.clock.now()));

    for number in 0..20 {
        log.publish(&format!("evt_more_{number}"), &[1]).await;
    }
    let order = log.accepted();
    assert!(order.len() == 20 && order.is_sorted_by_key(|pending| pending.id));
}

pub(in crate::store) async fn the_trace_of_an_event_is_kept_with_it(open: Open) {
    let mut log = Log::new(open);
    let traces =
        ["01", "00"].map(|flags| Trace::parse(&format!("00-{:032x}-{:016x}-{flags}", 7, 8)).unwrap());
    let mut keys = Vec::new();
    for (id, trace) in [("evt_1", Some(traces[0])), ("evt_2", Some(traces[1])), ("evt_3", None)] {
        let mut publish = event(id, &[1]);
        publish.draft.trace = trace;
        log.try_publish(publish).await.unwrap();
        keys.push((log.accepted()[0].event, trace));
    }
    // The same event in another trace is the same event.
    let mut again = event("evt_1", &[1]);
    again.draft.trace = Some(traces[1]);
    assert!(log.try_publish(again).await.unwrap().duplicate);
    let log = log.reopen().await;
    for (key, trace) in keys {
        assert_eq!(log.handle.event(key).await.unwrap().unwrap().trace, trace);
    }
}

pub(in crate::store) async fn an_event_that_nobody_wants_is_accepted_and_remembered(open: Open) {
    let mut log = Log::new(open);
    let receipt = log.publish("evt_1", &[]).await;
    assert_eq!((receipt.deliveries.len(), receipt.duplicate), (0, false));
    assert!(log.publish("evt_1", &[1]).await.duplicate);
    assert!(log.notices().is_empty());
}

pub(in crate::store) async fn a_delivery_says_how_large_its_event_is_and_whether_it_waits_for_others(
    open: Open,
) {
    let mut log = Log::new(open);
    let published = log.delivery("evt_1", 1).await;
    let accepted = log.handle.event(published.event).await.unwrap().unwrap();
    let size = u32::try_from(accepted.payload.len()).unwrap();
    assert_eq!((published.size, published.batch), (size, None));

    log.try_publish(Publish { origin: Some(origin(1)), ..event("evt_1", &[2]) }).await.unwrap();
    log.try_publish(Publish { origin: Some(origin(2)), ..event("evt_2", &[2]) }).await.unwrap();
    log.handle.replay(published.id, webhook(2).into(), origin(3)).await.unwrap().unwrap();
    for asked_for in log.accepted() {
        assert_eq!((asked_for.size, asked_for.batch), (size, Some(BatchId::of([asked_for.id]))));
    }
    let sizes: Vec<_> = log.load(2, None, 9).await.pending.iter().map(|pending| pending.size).collect();
    assert_eq!(sizes, [size; 3]);
}

pub(in crate::store) async fn an_origin_makes_one_delivery(open: Open) {
    let mut log = Log::new(open);
    let asked = Publish { origin: Some(origin(7)), ..event("", &[1]) };
    let first = log.try_publish(asked.clone()).await.unwrap();
    log.clock.advance(Duration::from_hours(48));
    let again = log.try_publish(asked).await.unwrap();
    assert!(!first.duplicate && again.duplicate);
    assert_eq!((&first.deliveries, &first.event_id), (&again.deliveries, &again.event_id));
    assert_eq!(log.accepted().len(), 1);
    let delivery = log.handle.delivery_of(origin(7)).await.unwrap().unwrap();
    assert_eq!((delivery.id, delivery.origin), (first.deliveries[0], Some(origin(7))));
}

pub(in crate::store) async fn an_origin_gets_the_delivery_that_its_event_already_has(open: Open) {
    let mut log = Log::new(open);
    let first = log.publish("evt_1", &[1, 2]).await;
    log.accepted();
    log.clock.advance(Duration::from_hours(48));
    for number in [7, 8] {
        let asked = Publish { origin: Some(origin(number)), ..event("evt_1", &[2]) };
        let receipt = log.try_publish(asked).await.unwrap();
        assert!(receipt.duplicate);
        assert_eq!(receipt.deliveries, first.deliveries[1..]);
        let delivery = log.handle.delivery_of(origin(number)).await.unwrap().unwrap();
        assert_eq!((delivery.id, delivery.origin), (first.deliveries[1], None));
    }
    assert!(log.notices().is_empty(), "nothing is sent twice");
}

pub(in crate::store) async fn an_origin_makes_the_delivery_that_its_event_does_not_have(open: Open) {
    let mut log = Log::new(open);
    let first = log.publish("evt_1", &[1]).await;
    let event_key = log.accepted()[0].event;
    let asked = Publish { origin: Some(origin(7)), ..event("evt_1", &[2]) };
    let receipt = log.try_publish(asked).await.unwrap();
    assert!(receipt.duplicate && receipt.deliveries != first.deliveries);
    let made = log.accepted();
    assert_eq!((made[0].id, made[0].webhook, made[0].event), (receipt.deliveries[0], webhook(2), event_key));

    let asked = Publish { origin: Some(origin(8)), ..event("evt_1", &[2]) };
    assert_eq!(log.try_publish(asked).await.unwrap().deliveries, receipt.deliveries);
    assert!(log.notices().is_empty(), "nothing is sent twice");
}
