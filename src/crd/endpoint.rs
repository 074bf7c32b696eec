//! The one door from a `Webhook` manifest to the engine's endpoint: every bound is checked here,
//! wherever the manifest came from.
//!
//! There always is an endpoint. One whose manifest is invalid or unresolved is held: its events
//! queue until the manifest, or the Secret, is put right.

mod authorization;
mod check;
mod filters;
mod oauth2;
mod receiver;
mod tls;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hookwright_engine::endpoint::{Endpoint, Hold, PreviousKey, Receiver, Target};
use hookwright_engine::id::WebhookId;

pub use self::receiver::MAX_SIGNING_KEY;
use super::secret::{SecretKey, Secrets, Unresolved};
use super::webhook::{
    Authorization, DEFAULT_OVERLAP_SECONDS, MAX_OVERLAP_SECONDS, SecretKeyRef, Tls, Webhook,
};

/// The key of a signing Secret that holds the signing key, unless the manifest names another.
pub const SIGNING_KEY: &str = "secret";

/// What a manifest comes to.
#[derive(Clone, Debug)]
pub struct Built {
    /// The endpoint: held where there is no receiver, or where the user suspended it.
    pub endpoint: Endpoint,
    /// Where its events go, suspended or not, or why they cannot.
    pub receiver: Result<Arc<Receiver>, Problem>,
}

/// Why nothing can be sent to a webhook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The manifest is wrong: only another manifest helps.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A Secret is missing or unusable: heals with the Secret.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
}

impl Problem {
    /// What this means for the webhook's events.
    #[must_use]
    pub const fn hold(&self) -> Hold {
        match self {
            Self::Invalid(_) => Hold::Invalid,
            Self::Unresolved(_) => Hold::Unresolved,
        }
    }
}

/// Everything that is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Invalid(pub Vec<FieldError>);

impl Invalid {
    /// Whether nothing but the filters is wrong.
    #[must_use]
    pub fn is_of_filters(&self) -> bool {
        self.0.iter().all(|error| error.field.starts_with("spec.filters."))
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Its path: `spec.retry.maxAttempts`.
    pub field: String,
    /// What is wrong, and what is expected.
    pub detail: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.detail)
    }
}

impl Webhook {
    /// The key of the Secret that holds the signing key.
    #[must_use]
    pub fn signing_key(&self) -> SecretKey {
        let explicit = self.spec.signing.as_ref().and_then(|signing| signing.secret_ref.as_ref());
        let name = self.metadata.name.as_deref().unwrap_or_default();
        SecretKey {
            name: explicit.map_or_else(|| format!("{name}-signing"), |secret| secret.name.clone()),
            key: explicit.and_then(|secret| secret.key.as_deref()).unwrap_or(SIGNING_KEY).to_owned(),
        }
    }

    /// Whether the signing key is generated where it does not exist.
    #[must_use]
    pub fn generates_signing_key(&self) -> bool {
        self.spec.signing.as_ref().is_none_or(|signing| signing.secret_ref.is_none())
    }

    /// How long the previous signing key signs beside a new one.
    #[must_use]
    pub fn signing_overlap(&self) -> Duration {
        let rotation = self.spec.signing.as_ref().and_then(|signing| signing.rotation.as_ref());
        let seconds = rotation.and_then(|rotation| rotation.overlap_seconds);
        Duration::from_secs(seconds.unwrap_or(DEFAULT_OVERLAP_SECONDS).min(MAX_OVERLAP_SECONDS).into())
    }

    /// Every key of a Secret that the webhook needs.
    #[must_use]
    pub fn references(&self) -> BTreeSet<SecretKey> {
        let headers = self.spec.request.iter().flat_map(|request| &request.headers);
        let sources = headers.filter_map(|header| header.value_from.as_ref()).chain(&self.spec.url_from);
        let tls = self.spec.tls.iter().flat_map(Tls::references);
        let values = sources.map(|source| SecretKey::from(&source.secret_key_ref));
        let authorization = self.spec.request.iter().filter_map(|request| request.authorization.as_ref());
        let authorization = authorization.flat_map(Authorization::references);
        values.chain(tls).chain(authorization).chain([self.signing_key()]).collect()
    }

    /// The endpoint of this webhook, whose identity is `id`. `secrets` are the values of its
    /// [`references`](Self::references); `previous` is the signing key before this one, while it
    /// signs beside it.
    #[must_use]
    pub fn endpoint(&self, id: WebhookId, secrets: &Secrets, previous: Option<PreviousKey>) -> Built {
        let name = self.metadata.name.as_deref().unwrap_or_default();
        let checked = check::check(name, &self.spec);
        let receiver = checked
            .plan
            .map_err(Problem::from)
            .and_then(|plan| Ok(Arc::new(plan.resolve(&self.signing_key(), secrets, previous)?)));
        let target = match &receiver {
            Err(problem) => Target::Held(problem.hold()),
            Ok(_) if self.spec.suspend => Target::Held(Hold::Suspended),
            Ok(receiver) => Target::Receiver(Arc::clone(receiver)),
        };
        let endpoint = Endpoint {
            id,
            namespace: self.metadata.namespace.as_deref().unwrap_or("default").into(),
            name: name.into(),
            generation: self.metadata.generation.unwrap_or_default(),
            events: checked.events,
            filter: checked.filter,
            retry: checked.retry,
            batch: checked.batch,
            max_in_flight: checked.max_in_flight,
            ordering: checked.ordering,
            rate_limit: checked.rate_limit,
            breaker: checked.breaker,
            dead_letter: checked.dead_letter,
            target,
        };
        Built { endpoint, receiver }
    }
}

impl From<&SecretKeyRef> for SecretKey {
    fn from(reference: &SecretKeyRef) -> Self {
        Self { name: reference.name.clone(), key: reference.key.clone() }
    }
}

#[cfg(test)]
mod tests;
