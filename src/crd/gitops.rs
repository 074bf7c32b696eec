//! Objects that somebody keeps as they are written down elsewhere, and would make anew. Pure.

use hookwright_engine::id::EventId;
use kube::ResourceExt;
use uuid::Uuid;

use super::WebhookDelivery;

/// What Flux, Argo CD and Fleet label their objects with.
const LABELS: [&str; 4] = [
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
    "argocd.argoproj.io/instance",
    "objectset.rio.cattle.io/hash",
];
/// What Argo CD, Config Sync and Helm, which makes anew with each upgrade what a release lacks, annotate theirs with.
const ANNOTATIONS: [&str; 3] =
    ["argocd.argoproj.io/tracking-id", "config.k8s.io/owning-inventory", "meta.helm.sh/release-name"];
/// Who writes objects that have no such mark: Argo CD may be told to track by a label that others use, too.
const MANAGERS: [&str; 1] = ["argocd-controller"];

/// Whether an object that is deleted, or changed, would come back as it was.
#[must_use]
pub fn would_come_back(object: &impl ResourceExt) -> bool {
    let mut managers = object.managed_fields().iter().filter_map(|entry| entry.manager.as_deref());
    LABELS.iter().any(|label| object.labels().contains_key(*label))
        || ANNOTATIONS.iter().any(|annotation| object.annotations().contains_key(*annotation))
        || managers.any(|manager| MANAGERS.contains(&manager))
}

/// The id of the event of such an object, where it gives none: the same for each object that asks for the same, so that
/// the log knows the event again.
pub(crate) fn event_id(object: &WebhookDelivery) -> Option<EventId> {
    if !would_come_back(object) {
        return None;
    }
    let asked = (object.name_any(), &object.spec.webhook_ref, &object.spec.event);
    let asked = serde_json::to_vec(&asked).ok()?;
    format!("evt_{}", Uuid::new_v5(&Uuid::NAMESPACE_OID, &asked).simple()).parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(metadata: &Value, data: &Value) -> WebhookDelivery {
        let event = json!({ "type": "test.ping", "data": data });
        let object =
            json!({ "metadata": metadata, "spec": { "webhookRef": { "name": "orders" }, "event": event } });
        serde_json::from_value(object).unwrap()
    }

    fn comes_back(metadata: &Value) -> bool {
        would_come_back(&object(metadata, &json!({})))
    }

    #[test]
    fn what_a_tool_keeps_as_git_says_comes_back_and_what_a_person_applied_does_not() {
        for metadata in [
            json!({ "labels": { "kustomize.toolkit.fluxcd.io/name": "webhooks" } }),
            json!({ "annotations": { "argocd.argoproj.io/tracking-id": "webhooks:…" } }),
            json!({ "annotations": { "meta.helm.sh/release-name": "shop" } }),
            json!({ "managedFields": [{ "manager": "argocd-controller", "operation": "Update" }] }),
        ] {
            assert!(comes_back(&metadata), "{metadata}");
        }
        for metadata in [
            json!({}),
            json!({ "labels": { "app.kubernetes.io/instance": "shop" } }),
            json!({ "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "{}" } }),
            json!({ "managedFields": [{ "manager": "kubectl", "operation": "Apply" }] }),
        ] {
            assert!(!comes_back(&metadata), "{metadata}");
        }
    }

    #[test]
    fn an_event_has_the_same_id_whenever_its_object_is_made_anew_and_another_one_where_it_differs() {
        let of_flux = |name: &str, uid: &str| json!({ "name": name, "uid": uid, "labels": { "kustomize.toolkit.fluxcd.io/name": "webhooks" } });
        let id = |name, uid, data| event_id(&object(&of_flux(name, uid), &json!({ "n": data }))).unwrap();
        assert_eq!(id("a", "1", 1), id("a", "2", 1));
        assert_ne!(id("a", "1", 1), id("b", "1", 1));
        assert_ne!(id("a", "1", 1), id("a", "1", 2));
        assert_eq!(event_id(&object(&json!({ "name": "a" }), &json!({}))), None);
    }
}
