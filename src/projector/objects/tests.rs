use hookwright_engine::time::Time;
use kube::ResourceExt;

use super::*;
use crate::crd::{WebhookDeliverySpec, WebhookDeliveryStatus};
use crate::store::Delivery;

fn webhook(n: u128) -> WebhookId {
    WebhookId::from_uid(Uuid::from_u128(n))
}

fn delivery(owner: u128, number: u64) -> Delivery {
    Delivery {
        id: DeliveryId::from_u64(number),
        webhook: webhook(owner),
        event: hookwright_engine::id::EventKey::from_u64(number),
        namespace: "default".into(),
        event_id: "evt_1".parse().unwrap(),
        event_type: "test.ping".parse().unwrap(),
        created: Time::from_secs(1),
        state: hookwright_engine::delivery::State::Delivered,
        parked: false,
        attempts: 1,
        budget_from: 0,
        finished: None,
        origin: None,
        kind: hookwright_engine::delivery::Kind::Event,
        dead_letter_of: None,
        dead_letter: None,
        last_attempt: None,
    }
}

/// The view of a delivery as the API server has it.
fn view(owner: u128, number: u64, outcome: Outcome) -> WebhookDelivery {
    let mut view = view::build(&delivery(owner, number), "orders", None);
    view.metadata.uid = Some(Uuid::from_u128(number.into()).to_string());
    view.status = Some(WebhookDeliveryStatus { outcome: Some(outcome), ..WebhookDeliveryStatus::default() });
    view
}

fn request(name: &str, uid: u128) -> WebhookDelivery {
    let mut object = WebhookDelivery::new(name, WebhookDeliverySpec::default());
    object.metadata.namespace = Some("default".to_owned());
    object.metadata.uid = Some(Uuid::from_u128(uid).to_string());
    object
}

fn listed(objects: &Objects, watch: usize, all: impl IntoIterator<Item = WebhookDelivery>) -> Vec<Uuid> {
    assert!(objects.observe(watch, &Event::Init).is_empty());
    for object in all {
        assert!(objects.observe(watch, &Event::InitApply(object)).is_empty());
    }
    objects.observe(watch, &Event::InitDone)
}

#[test]
fn it_is_complete_when_every_watch_has_listed_its_objects() {
    let objects = Objects::new(2);
    assert!(!objects.is_complete());
    listed(&objects, 0, []);
    assert!(!objects.is_complete());
    listed(&objects, 1, []);
    assert!(objects.is_complete());
}

#[test]
fn views_are_counted_by_webhook_and_kind() {
    let objects = Objects::new(1);
    listed(
        &objects,
        0,
        [view(1, 1, Outcome::Delivered), view(1, 2, Outcome::Failed), view(2, 3, Outcome::Failed)],
    );
    assert_eq!(objects.views(webhook(1)).len(), 2);
    assert_eq!(objects.room(webhook(1), 10), Room { total: 9, failures: 9 });
    assert_eq!(objects.room(webhook(2), 10), Room { total: 8, failures: 9 });
    let oldest = objects.oldest_successes(5, webhook(2));
    assert_eq!(oldest.len(), 1);
    objects.deleted(&oldest[0].1.target);
    assert_eq!(objects.room(webhook(2), 10), Room { total: 9, failures: 9 });
    // The same object again, with another outcome, is still one.
    let _ = objects.observe(0, &Event::Apply(view(1, 2, Outcome::Delivered)));
    let _ = objects.observe(0, &Event::Apply(view(1, 2, Outcome::Delivered)));
    assert_eq!(objects.room(webhook(2), 10), Room { total: 9, failures: 10 });
}

#[test]
fn a_copy_of_a_view_is_no_view_of_the_operator() {
    let objects = Objects::new(1);
    let mut copy = view(1, 1, Outcome::Delivered);
    copy.metadata.name = Some("mine".to_owned());
    listed(&objects, 0, [copy]);
    assert!(objects.views(webhook(1)).is_empty());
}

#[test]
fn requests_that_go_are_told_of_even_those_that_a_list_misses() {
    let objects = Objects::new(1);
    listed(&objects, 0, [request("a", 1), request("b", 2), view(1, 3, Outcome::Failed)]);
    assert_eq!(objects.observe(0, &Event::Delete(request("a", 1))), [Uuid::from_u128(1)]);
    assert_eq!(listed(&objects, 0, []), [Uuid::from_u128(2)]);
    assert!(objects.views(webhook(1)).is_empty());
}

#[test]
fn changes_reach_the_objects_that_show_the_delivery() {
    let objects = Objects::new(1);
    let shown = view(1, 7, Outcome::Retrying);
    listed(&objects, 0, [shown.clone()]);
    let change = |number, what| Change { webhook: webhook(1), delivery: DeliveryId::from_u64(number), what };
    assert_eq!(objects.heard(&change(7, What::Sending))[0].name, shown.name_any());
    assert!(objects.is_sending(DeliveryId::from_u64(7)));
    assert!(objects.heard(&change(8, What::Sending)).is_empty());
    assert_eq!(objects.lagged().len(), 1);
    assert!(!objects.is_sending(DeliveryId::from_u64(7)));
}
