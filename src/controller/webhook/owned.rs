//! The Secrets that a webhook owns: they go when it goes.

use std::collections::BTreeMap;

use hookwright_engine::endpoint::PreviousKey;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use secrecy::{ExposeSecret, SecretString};

use crate::crd::Webhook;
use crate::crd::endpoint::SIGNING_KEY;

/// The annotation that says until when a key before signs, RFC 3339.
pub(super) const EXPIRES_AT: &str = "hookwright.dev/expires-at";

/// A Secret that this webhook owns.
pub(super) fn secret(webhook: &Webhook, name: &str, key: &str, value: &SecretString) -> Secret {
    let value = ByteString(value.expose_secret().as_bytes().to_vec());
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: webhook.namespace(),
            owner_references: webhook.controller_owner_ref(&()).map(|owner| vec![owner]),
            labels: Some([("app.kubernetes.io/managed-by".to_owned(), "hookwright".to_owned())].into()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(key.to_owned(), value)])),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

/// The Secret that keeps the key before through restarts of the operator.
pub(super) fn previous(webhook: &Webhook, key: &PreviousKey) -> Secret {
    let mut secret = secret(webhook, &previous_name(webhook), SIGNING_KEY, &key.secret);
    secret.annotations_mut().insert(EXPIRES_AT.to_owned(), key.until.to_string());
    secret
}

pub(super) fn previous_name(webhook: &Webhook) -> String {
    format!("{}-signing-previous", webhook.name_any())
}

/// Whether a Secret belongs to this webhook, and not to a former one of its name or to nobody.
pub(super) fn is_owned(secret: &Secret, webhook: &Webhook) -> bool {
    webhook.uid().is_some_and(|uid| secret.owner_references().iter().any(|owner| owner.uid == uid))
}
