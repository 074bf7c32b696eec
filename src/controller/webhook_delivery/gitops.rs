//! Whether somebody keeps an object as it is written down elsewhere, and would make it anew. Pure.

use kube::ResourceExt;

use crate::crd::WebhookDelivery;

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

/// Whether an object that is deleted would come back. It would be another one, and sent again.
pub(super) fn would_come_back(object: &WebhookDelivery) -> bool {
    let managed = object.metadata.managed_fields.iter().flatten();
    let mut managers = managed.filter_map(|entry| entry.manager.as_deref());
    LABELS.iter().any(|label| object.labels().contains_key(*label))
        || ANNOTATIONS.iter().any(|annotation| object.annotations().contains_key(*annotation))
        || managers.any(|manager| MANAGERS.contains(&manager))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn comes_back(metadata: &Value) -> bool {
        let object = json!({ "metadata": metadata, "spec": { "webhookRef": { "name": "orders" } } });
        would_come_back(&serde_json::from_value(object).unwrap())
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
}
