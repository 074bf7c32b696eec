//! Where webhooks are kept: as objects of a cluster, or in a folder and the database.

use std::fmt::Debug;

use futures::future::BoxFuture;
use secrecy::SecretString;

use crate::api::error::{Kind, Problem};
use crate::crd::endpoint::FieldError;
use crate::crd::{Webhook, WebhookSpec};

/// Reads and writes the webhooks of a namespace.
pub trait Catalog: Debug + Send + Sync {
    /// Keeps a new webhook, whose metadata has its name and namespace, together with its signing
    /// key unless the spec says where that is. Answers it with its identity.
    fn create(&self, webhook: Webhook, key: Option<SecretString>) -> BoxFuture<'_, Result<Webhook, Error>>;

    /// Webhooks by name, at most `limit`, behind `cursor`.
    fn list<'a>(
        &'a self,
        namespace: &'a str,
        limit: u32,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Page, Error>>;

    /// One webhook.
    fn get<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, Result<Webhook, Error>>;

    /// Gives a webhook this spec; what equals that of `current` is left to whoever owns it.
    /// [`Error::Changed`] when it is not as in `current` any more.
    fn update<'a>(
        &'a self,
        current: &'a Webhook,
        spec: &'a WebhookSpec,
    ) -> BoxFuture<'a, Result<Webhook, Error>>;

    /// Replaces the signing key of a webhook that has one of its own.
    fn set_key<'a>(&'a self, webhook: &'a Webhook, key: &'a SecretString)
    -> BoxFuture<'a, Result<(), Error>>;

    /// Removes a webhook, and no other of its name.
    fn delete<'a>(&'a self, webhook: &'a Webhook) -> BoxFuture<'a, Result<(), Error>>;
}

/// A stretch of the webhooks of a namespace.
#[derive(Debug, Default)]
pub struct Page {
    /// The webhooks, by name.
    pub webhooks: Vec<Webhook>,
    /// Where to go on, while there is more.
    pub next: Option<String>,
}

/// Why a webhook could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such webhook, or no such namespace.
    #[error("{0}")]
    NotFound(String),
    /// Somebody else owns a field, and would set it back.
    #[error("owned by {manager}: change it there, or let {manager} give it up")]
    Owned {
        /// Who.
        manager: String,
        /// The path of the field, as the object has it; empty for all of it.
        field: String,
    },
    /// Somebody else was faster.
    #[error("the webhook has changed meanwhile")]
    Changed,
    /// The spec was refused.
    #[error("the webhook is not valid")]
    Invalid(Vec<FieldError>),
    /// A policy or a bound forbids it.
    #[error("{0}")]
    Forbidden(String),
    /// Not a cursor, or one that is too old.
    #[error("the cursor is unknown or too old: begin again without it")]
    Cursor,
    /// Try again later.
    #[error("{0}")]
    Unavailable(String),
}

impl Error {
    /// The answer to a request; `pointer` tells where the request has a field of the object.
    pub(super) fn problem(self, pointer: impl Fn(&str) -> String) -> Problem {
        let detail = self.to_string();
        match self {
            Self::NotFound(_) => Problem::new(Kind::NotFound, detail),
            Self::Owned { field, .. } if field.is_empty() => Problem::new(Kind::Conflict, detail),
            Self::Owned { field, .. } => Problem::owned(&pointer(&field), &detail),
            Self::Changed => Problem::new(Kind::Conflict, format!("{detail}: read it and try again")),
            Self::Invalid(errors) => {
                Problem::fields(errors.into_iter().map(|error| (pointer(&error.field), error.detail)))
            }
            Self::Forbidden(_) => Problem::new(Kind::Forbidden, detail),
            Self::Cursor => Problem::new(Kind::InvalidField, format!("query parameter cursor: {detail}")),
            Self::Unavailable(_) => {
                tracing::warn!(error = detail, "webhooks could not be read or written");
                Problem::unavailable(detail)
            }
        }
    }
}
