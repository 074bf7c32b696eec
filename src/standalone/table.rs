//! The webhooks, as endpoints of the engine.

use std::collections::{HashMap, HashSet};

use hookwright_engine::endpoint::{Endpoint, PreviousKey};
use hookwright_engine::id::WebhookId;
use hookwright_engine::time::Time;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::folder::Manifests;
use super::manifest::Identity;
use crate::crd::Webhook;
use crate::crd::endpoint::Problem;
use crate::crd::secret::Secrets;

/// What every UID of standalone mode is derived from.
pub(super) const NAMESPACE: Uuid = Uuid::from_u128(0x6d1b_0c2e_5f0a_4c39_9a55_7e1d_70b4_c2f8);

/// The webhooks that the driver was told of, and their signing keys.
#[derive(Debug, Default)]
pub(super) struct Table {
    known: HashMap<WebhookId, Keys>,
}

/// The signing keys of a webhook. Those of the folder are in memory only: after a restart, the previous one
/// no longer signs.
#[derive(Debug, Default)]
struct Keys {
    current: Option<SecretString>,
    previous: Option<PreviousKey>,
}

/// What the driver has to be told.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) upsert: Vec<Endpoint>,
    pub(super) remove: Vec<WebhookId>,
    /// Which webhooks cannot be delivered to, and why.
    pub(super) problems: Vec<String>,
}

/// The webhook of this name: the same after every restart.
pub(super) fn webhook_id(identity: &Identity) -> WebhookId {
    WebhookId::from_uid(Uuid::new_v5(&NAMESPACE, format!("Webhook/{identity}").as_bytes()))
}

impl Table {
    /// Takes over what there is now.
    pub(super) fn plan(&mut self, manifests: &Manifests<'_>, now: Time) -> Plan {
        let mut plan = Plan::default();
        for (&identity, (source, webhook)) in &manifests.webhooks {
            let secrets = secrets(manifests, identity, webhook);
            let keys = self.known.entry(webhook_id(identity)).or_default();
            if let Some(kept) = manifests.keys.get(identity)
                && webhook.generates_signing_key()
            {
                *keys = Keys { current: kept.current.clone(), previous: kept.previous.clone() };
            }
            let (endpoint, problem) = endpoint(identity, webhook, &secrets, keys, now);
            if let Some(problem) = problem {
                plan.problems.push(format!("{source}: Webhook {identity}: {problem}"));
            }
            if let Some(name) = &endpoint.dead_letter {
                let target = Identity { namespace: identity.namespace.clone(), name: name.to_string() };
                if !manifests.webhooks.contains_key(&target) {
                    plan.problems.push(format!(
                        "{source}: Webhook {identity}: spec.deadLetter.webhookRef.name: there is no Webhook {target}; \
                         deliveries that fail end as Failed"
                    ));
                }
            }
            plan.upsert.push(endpoint);
        }
        let present: HashSet<_> = plan.upsert.iter().map(|endpoint| endpoint.id).collect();
        plan.remove = self.known.extract_if(|id, _| !present.contains(id)).map(|(id, _)| id).collect();
        plan
    }

    /// All webhooks.
    pub(super) fn ids(&self) -> HashSet<WebhookId> {
        self.known.keys().copied().collect()
    }
}

/// The values that a webhook takes from the Secrets of its namespace; its signing key, where it is kept.
fn secrets(manifests: &Manifests<'_>, identity: &Identity, webhook: &Webhook) -> Secrets {
    let mut secrets = Secrets::new();
    for key in webhook.references() {
        let owner = Identity { namespace: identity.namespace.clone(), name: key.name.clone() };
        if let Some((_, secret)) = manifests.secrets.get(&owner) {
            secrets.add(key, secret);
        }
    }
    if let Some(kept) = manifests.keys.get(identity)
        && let Some(key) = &kept.current
        && webhook.generates_signing_key()
    {
        secrets.insert(webhook.signing_key(), key.clone());
    }
    secrets
}

/// The endpoint of a webhook, and what is wrong with it. Notices a new signing key.
fn endpoint(
    identity: &Identity,
    webhook: &Webhook,
    secrets: &Secrets,
    keys: &mut Keys,
    now: Time,
) -> (Endpoint, Option<String>) {
    let id = webhook_id(identity);
    let built = webhook.endpoint(id, secrets, None);
    let receiver = match built.receiver {
        Ok(receiver) => receiver,
        Err(problem) => return (built.endpoint, Some(explained(&problem, webhook))),
    };
    let current = receiver.signing.current.clone();
    if let Some(before) = keys.current.replace(current.clone())
        && before.expose_secret() != current.expose_secret()
    {
        keys.previous = Some(PreviousKey { secret: before, until: now + webhook.signing_overlap() });
    }
    let previous = keys.previous.clone().filter(|previous| now < previous.until);
    (webhook.endpoint(id, secrets, previous).endpoint, None)
}

/// A problem, and for a missing signing key of the folder what standalone mode does about it: nothing.
/// A generated one would have to be kept on disk, or be another one after every restart.
fn explained(problem: &Problem, webhook: &Webhook) -> String {
    match problem {
        Problem::Unresolved(_) if webhook.generates_signing_key() => format!(
            "{problem} (without a cluster no signing key is generated: add a Secret, and name it in \
             spec.signing.secretRef)"
        ),
        Problem::Unresolved(_) | Problem::Invalid(_) => problem.to_string(),
    }
}

/// Another number for every other spec, and the same after a restart.
pub(super) fn generation(webhook: &Webhook) -> i64 {
    let spec = serde_json::to_vec(&webhook.spec).unwrap_or_default();
    let digest = Sha256::digest(spec);
    digest.iter().take(8).fold(0, |number, &byte| (number << 8) | i64::from(byte))
}
