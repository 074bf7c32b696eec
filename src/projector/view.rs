//! The object that shows a delivery of the engine.

use std::collections::BTreeMap;

use hookwright_engine::id::{DeliveryId, WebhookId};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use uuid::Uuid;

use crate::crd::webhook_delivery::{EventSpec, WebhookRef};
use crate::crd::{Webhook, WebhookDelivery, WebhookDeliverySpec};
use crate::store::Delivery;

/// Marks an object as the view of the delivery with this id: it is never sent because of the object.
pub const DELIVERY_LABEL: &str = "hookwright.dev/delivery";

/// Longest name of an object.
const MAX_NAME: usize = 253;

/// Whether an object is a view, and if so of which delivery; `None` inside where its label is no id.
#[must_use]
pub fn of(object: &WebhookDelivery) -> Option<Option<DeliveryId>> {
    object.labels().get(DELIVERY_LABEL).map(|id| id.parse().ok())
}

/// Whether an object has a name that the view of a delivery would have.
#[must_use]
pub fn is_named(object: &WebhookDelivery, delivery: DeliveryId) -> bool {
    object.name_any().ends_with(&suffix(delivery))
}

/// The webhook that an object belongs to.
#[must_use]
pub fn owner(object: &WebhookDelivery) -> Option<WebhookId> {
    let owners = object.owner_references().iter();
    let mut webhooks = owners.filter(|owner| owner.kind == Webhook::kind(&()));
    webhooks.next().and_then(|owner| Uuid::try_parse(&owner.uid).ok()).map(WebhookId::from_uid)
}

/// The view of a delivery, to be created. The event's data stays in the log.
#[must_use]
pub fn build(delivery: &Delivery, webhook_name: &str, ttl_seconds: Option<u32>) -> WebhookDelivery {
    let spec = WebhookDeliverySpec {
        webhook_ref: WebhookRef { name: webhook_name.to_owned() },
        event: Some(EventSpec {
            id: Some(delivery.event_id.to_string()),
            event_type: delivery.event_type.to_string(),
            ..EventSpec::default()
        }),
        ttl_seconds_after_finished: ttl_seconds,
        ..WebhookDeliverySpec::default()
    };
    let owner = OwnerReference {
        api_version: Webhook::api_version(&()).into_owned(),
        kind: Webhook::kind(&()).into_owned(),
        name: webhook_name.to_owned(),
        uid: delivery.webhook.uid().to_string(),
        controller: Some(true),
        block_owner_deletion: None,
    };
    let metadata = ObjectMeta {
        name: Some(name(webhook_name, delivery.id)),
        namespace: Some(delivery.namespace.to_string()),
        labels: Some(BTreeMap::from([(DELIVERY_LABEL.to_owned(), delivery.id.to_string())])),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    };
    WebhookDelivery { metadata, spec, status: None }
}

/// The webhook's name, shortened where it must be, and the characters of the delivery's id.
fn name(webhook: &str, delivery: DeliveryId) -> String {
    let suffix = suffix(delivery);
    let end = webhook.floor_char_boundary(MAX_NAME - suffix.len());
    // A name must not have a dot before a dash.
    let webhook = webhook[..end].trim_end_matches(['.', '-']);
    format!("{webhook}{suffix}")
}

/// What the name of a view ends with: a dash and the characters of the delivery's id.
fn suffix(delivery: DeliveryId) -> String {
    delivery.to_string().replace("del_", "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_whatever_the_name_of_the_webhook() {
        let id = DeliveryId::from_u64(7);
        assert_eq!(name("orders", id), "orders-0000000000007");
        let long = format!("{}.{}", "a".repeat(238), "b".repeat(14));
        let shortened = name(&long, id);
        assert_eq!(shortened, format!("{}-0000000000007", "a".repeat(238)));
        assert!(name(&"a".repeat(253), id).len() <= MAX_NAME);
    }
}
