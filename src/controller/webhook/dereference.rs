//! Step 1: read what the webhook refers to. Values are read when they are needed, and not cached.

use std::collections::BTreeSet;

use hookwright_engine::endpoint::PreviousKey;
use hookwright_engine::id::WebhookId;
use hookwright_engine::time::Time;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use secrecy::SecretString;

use super::inventory::Named;
use super::keys::Keys;
use super::{Context, Error, owned};
use crate::crd::Webhook;
use crate::crd::endpoint::SIGNING_KEY;
use crate::crd::secret::Secrets;
use crate::signing_key;

/// What a webhook refers to, as it is now.
pub(super) struct Found {
    /// The values of its Secrets, a generated signing key included.
    pub(super) secrets: Secrets,
    /// The signing Secret, where it is still to be created.
    pub(super) generated: Option<Secret>,
    /// What is known of its signing keys.
    pub(super) known: Known,
    /// The webhook that it names for its dead letters, where that does not exist.
    pub(super) no_dead_letter: Option<String>,
}

/// What is known of a webhook's signing keys before this look.
pub(super) enum Known {
    /// The keys of the last look.
    Keys(Keys),
    /// Nothing but the key before, as a former operator stored it.
    Stored(Option<PreviousKey>),
}

pub(super) async fn dereference(context: &Context, webhook: &Webhook, id: WebhookId) -> Result<Found, Error> {
    let namespace = webhook.namespace().unwrap_or_default();
    let api: Api<Secret> = Api::namespaced(context.client.clone(), &namespace);
    let references = webhook.references();
    let names: BTreeSet<&str> = references.iter().map(|key| key.name.as_str()).collect();
    let mut secrets = Secrets::new();
    let mut generated = None;
    for name in names {
        let found = get(&api, name).await?;
        let version = found.as_ref().and_then(ResourceExt::resource_version);
        context.table.read(&Named { namespace: namespace.clone(), name: name.to_owned() }, version);
        let is_signing = webhook.generates_signing_key() && webhook.signing_key().name == name;
        let secret = match found {
            None if is_signing => Some(&*generated.insert(generate(webhook, name)?)),
            None => None,
            Some(ref found) => Some(found),
        };
        let keys = references.iter().filter(|key| key.name == name);
        if let Some(secret) = secret {
            keys.for_each(|key| secrets.add(key.clone(), secret));
        }
    }
    let known = match context.table.keys(id) {
        Some(keys) => Known::Keys(keys),
        None => Known::Stored(stored(&api, webhook).await?),
    };
    let dead_letter = webhook.spec.dead_letter.as_ref().map(|it| it.webhook_ref.name.clone());
    let is_missing =
        |name: &String| !context.table.exists(&Named { namespace: namespace.clone(), name: name.clone() });
    Ok(Found { secrets, generated, known, no_dead_letter: dead_letter.filter(is_missing) })
}

async fn get(api: &Api<Secret>, name: &str) -> Result<Option<Secret>, Error> {
    api.get_opt(name).await.map_err(|source| Error::Read { secret: name.to_owned(), source: source.into() })
}

/// A signing Secret with a new key. It is created only where the rest of the webhook is valid.
fn generate(webhook: &Webhook, name: &str) -> Result<Secret, Error> {
    Ok(owned::secret(webhook, name, SIGNING_KEY, &signing_key::generate()?))
}

/// The key before, as a former operator stored it.
async fn stored(api: &Api<Secret>, webhook: &Webhook) -> Result<Option<PreviousKey>, Error> {
    let Some(secret) = get(api, &owned::previous_name(webhook)).await? else { return Ok(None) };
    if !owned::is_owned(&secret, webhook) {
        return Ok(None);
    }
    Ok(read_previous(&secret))
}

fn read_previous(secret: &Secret) -> Option<PreviousKey> {
    let until: jiff::Timestamp = secret.annotations().get(owned::EXPIRES_AT)?.parse().ok()?;
    let value = secret.data.as_ref()?.get(SIGNING_KEY)?;
    let text = std::str::from_utf8(&value.0).ok()?;
    Some(PreviousKey { secret: SecretString::from(text), until: Time::from_millis(until.as_millisecond()) })
}
