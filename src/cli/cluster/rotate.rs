//! A new signing key, in the Secret that a webhook takes it from.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::Patch;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Cluster, id, patching};
use crate::cli::error::Error;
use crate::crd::secret::SecretKey;
use crate::crd::{Webhook, gitops};
use crate::signing_key;

impl Cluster {
    /// Replaces the signing key of a webhook, and answers with the new one.
    pub(in crate::cli) async fn rotate(&self, named: &str) -> Result<Value, Error> {
        let webhook = self.webhook(named).await?;
        let place = webhook.signing_key();
        let secrets = self.secrets();
        let found = secrets.get_opt(&place.name).await.map_err(|error| self.failed(error))?;
        let Some(secret) = found else {
            return Err(Error::Missing(format!(
                "the Secret {} does not exist, so that there is nothing to replace{}",
                place.name,
                if webhook.generates_signing_key() { ": the operator makes it" } else { "" }
            )));
        };
        if let Some(why) = objection(&webhook, &place, &secret) {
            return Err(Error::Unfit(format!("the Secret {} is not changed here: {why}", place.name)));
        }
        let key = signing_key::generate().map_err(|error| Error::Unfit(error.to_string()))?;
        let patch = Patch::Merge(json!({
            // As it was looked at.
            "metadata": { "resourceVersion": secret.metadata.resource_version, "uid": secret.metadata.uid },
            "data": { place.key: BASE64_STANDARD.encode(key.expose_secret()) },
        }));
        secrets.patch(&place.name, &patching(), &patch).await.map_err(|error| self.failed(error))?;
        Ok(json!({
            "id": id(&webhook),
            "secret": key.expose_secret(),
            "overlap_seconds": webhook.signing_overlap().as_secs(),
        }))
    }
}

/// Why a Secret is not ours to change.
fn objection(webhook: &Webhook, place: &SecretKey, secret: &Secret) -> Option<String> {
    if secret.immutable == Some(true) {
        return Some("it is immutable; make another, and name it in spec.signing.secretRef".to_owned());
    }
    let owners = secret.owner_references().iter();
    let mut owner = owners.filter(|owner| owner.controller == Some(true));
    match owner.next() {
        Some(owner) if Some(&owner.uid) != webhook.metadata.uid.as_ref() => {
            return Some(format!("the {} {} keeps it; change the key there", owner.kind, owner.name));
        }
        None if webhook.generates_signing_key() => {
            return Some(
                "it was not generated for this webhook; name it in spec.signing.secretRef".to_owned(),
            );
        }
        Some(_) | None => {}
    }
    if gitops::would_come_back(secret) {
        return Some("it is kept as it is written down elsewhere; change the key there".to_owned());
    }
    let has = secret.data.as_ref().is_some_and(|data| data.contains_key(&place.key));
    (!has).then(|| format!("it has no key '{}'", place.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_changed_only_where_it_is_ours() {
        let named: Webhook = serde_json::from_value(json!({
            "metadata": { "name": "orders", "uid": "u" },
            "spec": { "url": "https://a.example", "events": ["*"], "signing": { "secretRef": { "name": "key" } } },
        }))
        .unwrap();
        let mut generated = named.clone();
        generated.spec.signing = None;
        let owned = |kind: &str, uid: &str| json!({ "ownerReferences": [{ "apiVersion": "a/v1", "kind": kind, "name": "o", "uid": uid, "controller": true }] });
        for (webhook, metadata, immutable, says) in [
            (&named, json!({}), false, None),
            (&named, json!({}), true, Some("immutable")),
            (&named, owned("SealedSecret", "s"), false, Some("the SealedSecret o keeps it")),
            (&named, json!({ "labels": { "argocd.argoproj.io/instance": "a" } }), false, Some("elsewhere")),
            (&generated, owned("Webhook", "u"), false, None),
            (&generated, owned("Webhook", "another"), false, Some("the Webhook o keeps it")),
            (&generated, json!({}), false, Some("not generated for this webhook")),
        ] {
            let secret =
                json!({ "metadata": metadata, "immutable": immutable, "data": { "secret": "YQ==" } });
            let objection =
                objection(webhook, &webhook.signing_key(), &serde_json::from_value(secret).unwrap());
            match says {
                None => assert_eq!(objection, None, "{metadata}"),
                Some(says) => assert!(objection.clone().unwrap().contains(says), "{metadata}: {objection:?}"),
            }
        }
    }
}
