//! The webhooks that the REST API made: in the database, and at hand.

use std::collections::BTreeMap;

use hookwright_engine::endpoint::PreviousKey;
use hookwright_engine::time::Time;
use k8s_openapi::apimachinery::pkg::apis::meta::v1;
use secrecy::SecretString;

use super::folder::{Manifests, enter};
use super::manifest::{Identity, Source};
use super::table::webhook_id;
use crate::api::webhooks::catalog::Error;
use crate::crd::{Webhook, WebhookSpec};
use crate::signing_key;
use crate::store::{self, Kept};

/// Most webhooks that are kept in the database.
const MAX: usize = 1000;

/// The webhooks that the REST API made. Nothing is changed here that was not written down before.
#[derive(Debug)]
pub(super) struct KeptWebhooks {
    store: store::Handle,
    webhooks: BTreeMap<Identity, KeptWebhook>,
}

/// A webhook that the REST API made.
#[derive(Clone, Debug)]
struct KeptWebhook {
    webhook: Webhook,
    keys: SigningKeys,
}

/// The signing keys that are kept with a webhook.
#[derive(Clone, Debug, Default)]
pub(super) struct SigningKeys {
    /// The key, unless the webhook has named a Secret for that all along.
    pub(super) current: Option<SecretString>,
    /// The key before, while it signs beside this one.
    pub(super) previous: Option<PreviousKey>,
}

impl KeptWebhooks {
    /// Those that the store has; says which of them cannot be read.
    pub(super) fn read(store: store::Handle, kept: Vec<Kept>) -> Result<Self, String> {
        let webhooks = kept.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { store, webhooks })
    }

    /// Enters them beside those of the folder, which come first; says which of them are in both.
    pub(super) fn enter<'a>(&'a self, manifests: &mut Manifests<'a>) -> Vec<String> {
        let mut problems = Vec::new();
        for (identity, KeptWebhook { webhook, keys }) in &self.webhooks {
            match enter(&mut manifests.webhooks, identity, &Source::Database, webhook) {
                Some(first) => problems.push(format!(
                    "{}: Webhook {identity} is in {first} already, which counts",
                    Source::Database
                )),
                None => drop(manifests.keys.insert(identity, keys)),
            }
        }
        problems
    }

    /// Keeps a new webhook, whose metadata has its name and namespace.
    pub(super) async fn create(
        &mut self,
        identity: Identity,
        mut webhook: Webhook,
        key: Option<SecretString>,
        now: Time,
    ) -> Result<Webhook, Error> {
        if self.webhooks.len() >= MAX {
            let detail = format!("without a cluster at most {MAX} webhooks are kept: delete some");
            return Err(Error::Forbidden(detail));
        }
        if self.webhooks.contains_key(&identity) {
            return Err(Error::Changed);
        }
        webhook.metadata.uid = Some(webhook_id(&identity).uid().to_string());
        webhook.metadata.generation = Some(1);
        webhook.metadata.creation_timestamp = Some(v1::Time(now.to_timestamp()));
        let keys = SigningKeys { current: key, previous: None };
        self.write(identity, KeptWebhook { webhook, keys }, now).await
    }

    /// Gives a webhook this spec, if it is still as in `current`.
    pub(super) async fn update(
        &mut self,
        identity: Identity,
        current: &Webhook,
        spec: WebhookSpec,
        now: Time,
    ) -> Result<Webhook, Error> {
        let mut changed = self.find(&identity)?.clone();
        if changed.webhook.metadata.generation != current.metadata.generation {
            return Err(Error::Changed);
        }
        changed.webhook.spec = spec;
        changed.webhook.metadata.generation = current.metadata.generation.map(|before| before + 1);
        // A shorter overlap ends a rotation earlier.
        let end = now + changed.webhook.signing_overlap();
        changed.keys.previous =
            changed.keys.previous.map(|key| PreviousKey { until: key.until.min(end), ..key });
        self.write(identity, changed, now).await
    }

    /// Gives a webhook a new signing key. The one before signs beside it for a while.
    pub(super) async fn set_key(
        &mut self,
        identity: Identity,
        key: SecretString,
        now: Time,
    ) -> Result<Webhook, Error> {
        let mut changed = self.find(&identity)?.clone();
        let until = now + changed.webhook.signing_overlap();
        let before = changed.keys.current.replace(key);
        changed.keys.previous = before.map(|secret| PreviousKey { secret, until });
        self.write(identity, changed, now).await
    }

    /// Removes a webhook.
    pub(super) async fn delete(&mut self, identity: &Identity) -> Result<Webhook, Error> {
        let found = self.find(identity)?.webhook.clone();
        let Identity { namespace, name } = identity.clone();
        self.store.forget(namespace, name).await.map_err(|error| unavailable(&error))?;
        self.webhooks.remove(identity);
        Ok(found)
    }

    fn find(&self, identity: &Identity) -> Result<&KeptWebhook, Error> {
        let missing = || Error::NotFound(format!("there is no webhook {identity}"));
        self.webhooks.get(identity).ok_or_else(missing)
    }

    /// Writes a webhook down, and only then takes note of it. One whose spec has stopped naming a
    /// Secret gets a key of its own.
    async fn write(
        &mut self,
        identity: Identity,
        mut changed: KeptWebhook,
        now: Time,
    ) -> Result<Webhook, Error> {
        if changed.keys.current.is_none() && changed.webhook.generates_signing_key() {
            changed.keys.current = Some(signing_key::generate().map_err(|error| unavailable(&error))?);
        }
        changed.keys.previous = changed.keys.previous.filter(|key| key.until > now);
        let row = row(&identity, &changed).map_err(|error| unavailable(&error))?;
        self.store.keep(row).await.map_err(|error| unavailable(&error))?;
        let webhook = changed.webhook.clone();
        self.webhooks.insert(identity, changed);
        Ok(webhook)
    }
}

fn unavailable(error: &impl ToString) -> Error {
    Error::Unavailable(error.to_string())
}

fn read(kept: Kept) -> Result<(Identity, KeptWebhook), String> {
    let Kept { namespace, name, spec, generation, created, key, previous } = kept;
    let identity = Identity { namespace, name };
    let spec: WebhookSpec = serde_json::from_str(&spec)
        .map_err(|error| format!("{}: Webhook {identity}: spec: {error}", Source::Database))?;
    let mut webhook = Webhook::new(&identity.name, spec);
    webhook.metadata.namespace = Some(identity.namespace.clone());
    webhook.metadata.uid = Some(webhook_id(&identity).uid().to_string());
    webhook.metadata.generation = Some(generation);
    webhook.metadata.creation_timestamp = Some(v1::Time(created.to_timestamp()));
    Ok((identity, KeptWebhook { webhook, keys: SigningKeys { current: key, previous } }))
}

fn row(identity: &Identity, kept: &KeptWebhook) -> serde_json::Result<Kept> {
    let KeptWebhook { webhook, keys: SigningKeys { current, previous } } = kept;
    let created = webhook.metadata.creation_timestamp.as_ref();
    Ok(Kept {
        namespace: identity.namespace.clone(),
        name: identity.name.clone(),
        spec: serde_json::to_string(&webhook.spec)?,
        generation: webhook.metadata.generation.unwrap_or_default(),
        created: Time::from_millis(created.map_or(0, |created| created.0.as_millisecond())),
        key: current.clone(),
        previous: previous.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::ExposeSecret;
    use tempfile::TempDir;

    use super::*;
    use crate::clock::Clock;
    use crate::crd::webhook::{Signing, SigningSecretRef};
    use crate::store::Retention;

    const NOW: Time = Time::from_secs(1_000_000);

    fn webhooks() -> (KeptWebhooks, store::Service, TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let (store, notices, service) = store::open(store::Options {
            path: directory.path().join("hookwright.db"),
            retention: Retention { age: Duration::from_hours(24), max_bytes: 1 << 30 },
            clock: Clock::system(),
        })
        .unwrap();
        drop(notices);
        (KeptWebhooks::read(store, Vec::new()).unwrap(), service, directory)
    }

    fn identity(name: &str) -> Identity {
        Identity { namespace: "default".to_owned(), name: name.to_owned() }
    }

    fn spec(description: &str) -> WebhookSpec {
        WebhookSpec { description: Some(description.to_owned()), ..WebhookSpec::default() }
    }

    async fn create(kept: &mut KeptWebhooks, name: &str) -> Result<Webhook, Error> {
        kept.create(identity(name), Webhook::new(name, spec("new")), Some("one".into()), NOW).await
    }

    #[tokio::test]
    async fn a_change_of_what_has_changed_meanwhile_is_refused() {
        let (mut kept, _service, _directory) = webhooks();
        let made = create(&mut kept, "orders").await.unwrap();
        let changed = kept.update(identity("orders"), &made, spec("first"), NOW).await.unwrap();
        assert_eq!(changed.metadata.generation, Some(2));
        let late = kept.update(identity("orders"), &made, spec("late"), NOW).await;
        assert!(matches!(late, Err(Error::Changed)));
        assert!(matches!(create(&mut kept, "orders").await, Err(Error::Changed)), "the name is taken");
        let nobody = kept.update(identity("nobody"), &made, spec("x"), NOW).await;
        assert!(matches!(nobody, Err(Error::NotFound(_))));
    }

    #[tokio::test]
    async fn there_are_bounds_on_how_many_there_are() {
        let (mut kept, _service, _directory) = webhooks();
        for number in 0..MAX {
            let webhook = KeptWebhook {
                webhook: Webhook::new("", WebhookSpec::default()),
                keys: SigningKeys::default(),
            };
            kept.webhooks.insert(identity(&number.to_string()), webhook);
        }
        assert!(matches!(create(&mut kept, "orders").await, Err(Error::Forbidden(_))));
        kept.delete(&identity("0")).await.unwrap();
        create(&mut kept, "orders").await.unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_written_down_has_not_changed() {
        let (mut kept, service, _directory) = webhooks();
        create(&mut kept, "orders").await.unwrap();
        service.shutdown().await.unwrap();
        assert!(matches!(create(&mut kept, "other").await, Err(Error::Unavailable(_))));
        let rotated = kept.set_key(identity("orders"), "two".into(), NOW).await;
        assert!(matches!(rotated, Err(Error::Unavailable(_))));
        assert!(matches!(kept.delete(&identity("orders")).await, Err(Error::Unavailable(_))));
        let names: Vec<_> = kept.webhooks.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["default/orders"]);
        let keys = &kept.find(&identity("orders")).unwrap().keys;
        assert_eq!(keys.current.as_ref().unwrap().expose_secret(), "one");
        assert!(keys.previous.is_none());
    }

    #[tokio::test]
    async fn a_webhook_that_no_longer_names_a_secret_gets_a_key_of_its_own() {
        let (mut kept, _service, _directory) = webhooks();
        let signing = Signing {
            secret_ref: Some(SigningSecretRef { name: "key".to_owned(), key: None }),
            ..Signing::default()
        };
        let elsewhere = WebhookSpec { signing: Some(signing), ..spec("keyless") };
        let webhook = Webhook::new("orders", elsewhere);
        let made = kept.create(identity("orders"), webhook, None, NOW).await.unwrap();
        assert!(kept.find(&identity("orders")).unwrap().keys.current.is_none());
        kept.update(identity("orders"), &made, spec("own"), NOW).await.unwrap();
        let keys = &kept.find(&identity("orders")).unwrap().keys;
        assert!(keys.current.as_ref().unwrap().expose_secret().starts_with("whsec_"));
    }
}
