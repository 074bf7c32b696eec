//! The webhooks of the REST API, as objects of the cluster.
//!
//! Everything is written by server-side apply without force: what another manager owns stays as
//! it is, and the caller learns who that is.

mod ownership;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, Preconditions};
use kube::core::{DeserializeGuard, Status};
use kube::{Api, Client, Resource, ResourceExt};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{FIELD_MANAGER as CONTROLLER, Replaced};
use crate::api::webhooks::catalog::{Catalog, Error, Page};
use crate::crd::endpoint::FieldError;
use crate::crd::{Webhook, WebhookSpec};

/// Who owns what the REST API applies.
pub const FIELD_MANAGER: &str = "hookwright-api";

/// The `Webhook` objects of a cluster.
#[derive(Clone)]
pub struct Objects {
    client: Client,
    namespaces: BTreeSet<String>,
    replaced: Replaced,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("namespaces", &self.namespaces).finish_non_exhaustive()
    }
}

impl Objects {
    /// The objects in these namespaces; in all, where none is named.
    #[must_use]
    pub fn new(client: Client, namespaces: impl IntoIterator<Item = String>) -> Self {
        Self { client, namespaces: namespaces.into_iter().collect(), replaced: Replaced::default() }
    }

    /// Tells of the keys that are replaced here.
    #[must_use]
    pub fn replaced(&self) -> Replaced {
        self.replaced.clone()
    }

    fn webhooks(&self, namespace: &str) -> Result<Api<Webhook>, Error> {
        if self.namespaces.is_empty() || self.namespaces.contains(namespace) {
            return Ok(Api::namespaced(self.client.clone(), namespace));
        }
        Err(Error::NotFound(format!("the namespace {namespace} is not served here")))
    }

    fn secrets(&self, webhook: &Webhook) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &webhook.namespace().unwrap_or_default())
    }

    async fn make(&self, webhook: Webhook, key: Option<SecretString>) -> Result<Webhook, Error> {
        let webhooks = self.webhooks(&webhook.namespace().unwrap_or_default())?;
        let secrets = self.secrets(&webhook);
        let name = webhook.name_any();
        // Before the webhook, so that the controller finds it and does not generate another.
        let secret = key.map(|key| secret(&webhook, &key));
        if let Some(secret) = &secret {
            apply(&secrets, &secret.name_any(), secret, Force::No).await?;
        }
        let spec = serde_json::to_value(&webhook.spec).map_err(|error| unavailable(&error))?;
        let made = apply(&webhooks, &name, &manifest(&webhook, &spec), Force::No).await;
        let Some(mut secret) = secret else { return made };
        match made {
            Ok(made) => {
                secret.metadata.owner_references = made.controller_owner_ref(&()).map(|owner| vec![owner]);
                apply(&secrets, &secret.name_any(), &secret, Force::No).await?;
                Ok(made)
            }
            Err(error) => {
                if let Err(left) = secrets.delete(&secret.name_any(), &DeleteParams::default()).await {
                    tracing::warn!(%error, %left, "a Secret is left of a webhook that was refused");
                }
                Err(error)
            }
        }
    }

    async fn page(&self, namespace: &str, limit: u32, cursor: Option<&str>) -> Result<Page, Error> {
        self.webhooks(namespace)?;
        let all: Api<DeserializeGuard<Webhook>> = Api::namespaced(self.client.clone(), namespace);
        let mut params = ListParams::default().limit(limit);
        params.continue_token = cursor.map(str::to_owned);
        let page = all.list(&params).await.map_err(|error| match error {
            kube::Error::Api(status) if cursor.is_some() && matches!(status.code, 400 | 410) => Error::Cursor,
            error => failed(error),
        })?;
        let next = page.metadata.continue_.filter(|token| !token.is_empty());
        // What cannot be read has no place here; its status says so.
        Ok(Page { webhooks: page.items.into_iter().filter_map(|guard| guard.0.ok()).collect(), next })
    }

    async fn change(&self, current: &Webhook, spec: &WebhookSpec) -> Result<Webhook, Error> {
        let webhooks = self.webhooks(&current.namespace().unwrap_or_default())?;
        let to_value = |spec| serde_json::to_value(spec).map_err(|error| unavailable(&error));
        let (before, wanted) = (to_value(&current.spec)?, to_value(spec)?);
        let applied = ownership::to_apply(&wanted, &before, current.managed_fields());
        let mut manifest = manifest(current, &applied);
        manifest["metadata"]["resourceVersion"] = current.resource_version().into();
        manifest["metadata"]["uid"] = current.uid().into();
        let params = PatchParams { dry_run: true, ..PatchParams::apply(FIELD_MANAGER).validation_strict() };
        let name = current.name_any();
        let tried = webhooks.patch(&name, &params, &Patch::Apply(&manifest)).await.map_err(failed)?;
        // What is left out is removed only where nobody else owns it.
        if let Some(path) = ownership::difference(&to_value(&tried.spec)?, &wanted) {
            let owner = ownership::owner(current.managed_fields(), &path);
            let manager = owner.unwrap_or("another manager").to_owned();
            return Err(Error::Owned { manager, field: path.join(".") });
        }
        apply(&webhooks, &name, &manifest, Force::No).await
    }

    async fn sign_with(&self, webhook: &Webhook, key: &SecretString) -> Result<(), Error> {
        let secrets = self.secrets(webhook);
        let secret = secret(webhook, key);
        let name = secret.name_any();
        let applied = match apply(&secrets, &name, &secret, Force::No).await {
            // The controller only ever creates it.
            Err(Error::Owned { manager, .. }) if manager == CONTROLLER => {
                apply(&secrets, &name, &secret, Force::Yes).await
            }
            applied => applied,
        };
        applied.map(|_| self.replaced.tell(webhook))
    }

    async fn remove(&self, webhook: &Webhook) -> Result<(), Error> {
        let preconditions = Preconditions { uid: webhook.uid(), resource_version: None };
        let params = DeleteParams::default().preconditions(preconditions);
        let webhooks = self.webhooks(&webhook.namespace().unwrap_or_default())?;
        webhooks.delete(&webhook.name_any(), &params).await.map_err(failed).map(drop)
    }
}

impl Catalog for Objects {
    fn create(&self, webhook: Webhook, key: Option<SecretString>) -> BoxFuture<'_, Result<Webhook, Error>> {
        self.make(webhook, key).boxed()
    }

    fn list<'a>(
        &'a self,
        namespace: &'a str,
        limit: u32,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Page, Error>> {
        self.page(namespace, limit, cursor).boxed()
    }

    fn get<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, Result<Webhook, Error>> {
        async move { self.webhooks(namespace)?.get(name).await.map_err(failed) }.boxed()
    }

    fn update<'a>(
        &'a self,
        current: &'a Webhook,
        spec: &'a WebhookSpec,
    ) -> BoxFuture<'a, Result<Webhook, Error>> {
        self.change(current, spec).boxed()
    }

    fn set_key<'a>(
        &'a self,
        webhook: &'a Webhook,
        key: &'a SecretString,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.sign_with(webhook, key).boxed()
    }

    fn delete<'a>(&'a self, webhook: &'a Webhook) -> BoxFuture<'a, Result<(), Error>> {
        self.remove(webhook).boxed()
    }
}

/// Whether to take over what others own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Force {
    No,
    Yes,
}

async fn apply<K>(
    api: &Api<K>,
    name: &str,
    object: &(impl serde::Serialize + fmt::Debug),
    force: Force,
) -> Result<K, Error>
where
    K: Clone + serde::de::DeserializeOwned + fmt::Debug,
{
    let params = PatchParams::apply(FIELD_MANAGER).validation_strict();
    let params = if force == Force::Yes { params.force() } else { params };
    api.patch(name, &params, &Patch::Apply(object)).await.map_err(failed)
}

fn manifest(webhook: &Webhook, spec: &Value) -> Value {
    json!({
        "apiVersion": Webhook::api_version(&()),
        "kind": Webhook::kind(&()),
        "metadata": { "name": webhook.metadata.name, "namespace": webhook.metadata.namespace },
        "spec": spec,
    })
}

/// The Secret of a signing key, owned by its webhook where that has an identity.
fn secret(webhook: &Webhook, key: &SecretString) -> Secret {
    let place = webhook.signing_key();
    let value = ByteString(key.expose_secret().as_bytes().to_vec());
    Secret {
        metadata: ObjectMeta {
            name: Some(place.name),
            namespace: webhook.namespace(),
            owner_references: webhook.controller_owner_ref(&()).map(|owner| vec![owner]),
            labels: Some([("app.kubernetes.io/managed-by".to_owned(), "hookwright".to_owned())].into()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(place.key, value)])),
        ..Secret::default()
    }
}

fn unavailable(error: &impl ToString) -> Error {
    Error::Unavailable(error.to_string())
}

fn failed(error: kube::Error) -> Error {
    match error {
        kube::Error::Api(status) => refused(*status),
        error => Error::Unavailable(format!("failed to reach the API server: {error}")),
    }
}

/// What an answer of the API server means here.
fn refused(status: Status) -> Error {
    let causes = status.details.as_ref().map_or(&[][..], |details| &details.causes);
    match status.code {
        404 => Error::NotFound(status.message),
        409 => match causes.iter().find(|cause| cause.reason == "FieldManagerConflict") {
            Some(cause) => Error::Owned {
                // The message is: conflict with "manager" using …, or with subresource …
                manager: cause.message.split('"').nth(1).unwrap_or("another manager").to_owned(),
                field: cause.field.clone(),
            },
            None => Error::Changed,
        },
        400 | 422 => Error::Invalid(match causes {
            [] => vec![FieldError { field: String::new(), detail: status.message }],
            causes => causes
                .iter()
                .map(|cause| FieldError { field: cause.field.clone(), detail: cause.message.clone() })
                .collect(),
        }),
        403 => Error::Forbidden(status.message),
        _ => Error::Unavailable(format!("the API server answered: {}", status.message)),
    }
}
