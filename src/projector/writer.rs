//! The edge to the API server: every write of statuses and views, within one budget.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::NamespaceResourceScope;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use crate::crd::condition::{Claim, Holds};
use crate::crd::{Webhook, WebhookDelivery, WebhookDeliveryStatus, WebhookStatus};
use crate::metrics::{Metrics, StatusObject};

/// Who owns the fields that are written here.
const FIELD_MANAGER: &str = "hookwright-projector";
/// Longest note of an Event: the API server takes 1024 bytes, and a character has at most 4.
const MAX_NOTE: usize = 1024 / 4;
/// How long the API server may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes to the API server. Clones share the budget.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    recorder: Recorder,
    budget: Arc<DefaultDirectRateLimiter>,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

/// Which object is written to; another one of the same name is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: Uuid,
}

impl Target {
    /// This object, if it exists in a cluster.
    #[must_use]
    pub fn of<K: Resource>(object: &K) -> Option<Self> {
        let uid = Uuid::try_parse(object.meta().uid.as_deref()?).ok()?;
        Some(Self { namespace: object.namespace()?, name: object.name_any(), uid })
    }
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is done.
    Done,
    /// The object does not exist any more.
    Gone,
}

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused or could not be reached.
    #[error("failed to {action} {kind} {namespace}/{name}: {source}")]
    Api {
        /// What was attempted.
        action: &'static str,
        /// On which kind of object.
        kind: &'static str,
        /// In which namespace.
        namespace: String,
        /// On which object.
        name: String,
        /// What happened.
        source: Box<kube::Error>,
    },
    /// The API server did not answer in time.
    #[error("failed to {action} {kind} {namespace}/{name}: no answer within {} seconds", PATIENCE.as_secs())]
    Timeout {
        /// What was attempted.
        action: &'static str,
        /// On which kind of object.
        kind: &'static str,
        /// In which namespace.
        namespace: String,
        /// On which object.
        name: String,
    },
}

impl Error {
    /// Whether the API server cannot be reached, so that other writes would fail as well.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Api { source, .. } => match &**source {
                kube::Error::Api(status) => status.code == 429 || status.code >= 500,
                _ => true,
            },
            Self::Timeout { .. } => true,
        }
    }
}

impl Writer {
    /// A writer of at most so many writes per second.
    #[must_use]
    pub fn new(client: Client, writes_per_second: u32, metrics: Arc<Metrics>) -> Self {
        let per_second = NonZeroU32::new(writes_per_second).unwrap_or(NonZeroU32::MIN);
        let recorder = Recorder::new(client.clone(), FIELD_MANAGER.into());
        Self {
            client,
            recorder,
            budget: Arc::new(RateLimiter::direct(Quota::per_second(per_second))),
            metrics,
        }
    }

    /// Replaces the projector's part of a webhook's status.
    pub async fn webhook_status(&self, target: &Target, status: &WebhookStatus) -> Result<Written, Error> {
        let written = self.status::<Webhook>("Webhook", target, status).await;
        self.metrics.status_written(StatusObject::Webhook, written.is_ok());
        written
    }

    /// Publishes an Event about a webhook. One that cannot be published is only logged: the status
    /// says the same.
    pub async fn announce(&self, webhook: &Target, claim: &Claim) {
        let Target { namespace, name, uid } = webhook;
        let Claim { about: _, holds, reason, message } = claim;
        let object = ObjectReference {
            api_version: Some(Webhook::api_version(&()).into_owned()),
            kind: Some(Webhook::kind(&()).into_owned()),
            namespace: Some(namespace.clone()),
            name: Some(name.clone()),
            uid: Some(uid.to_string()),
            ..ObjectReference::default()
        };
        let event = Event {
            type_: match holds {
                Holds::True => EventType::Normal,
                Holds::False | Holds::Unknown => EventType::Warning,
            },
            reason: reason.as_str().to_owned(),
            note: Some(message.chars().take(MAX_NOTE).collect()),
            action: "Deliver".to_owned(),
            secondary: None,
        };
        let publish = self.recorder.publish(&event, &object);
        match self.ask("publish an Event about", "Webhook", namespace, name, publish).await {
            Ok(Ok(())) => {}
            Ok(Err(refusal)) => tracing::warn!(%refusal, namespace, name, "failed to publish an Event"),
            Err(error) => tracing::warn!(%error, "failed to publish an Event"),
        }
    }

    /// Replaces the status of a delivery's object.
    pub async fn delivery_status(
        &self,
        target: &Target,
        status: &WebhookDeliveryStatus,
    ) -> Result<Written, Error> {
        let written = self.status::<WebhookDelivery>(DELIVERY, target, status).await;
        self.metrics.status_written(StatusObject::WebhookDelivery, written.is_ok());
        written
    }

    /// Creates a view. `None`: there is one already.
    pub async fn create(&self, view: &WebhookDelivery) -> Result<Option<WebhookDelivery>, Error> {
        let (namespace, name) = (view.namespace().unwrap_or_default(), view.name_any());
        let api: Api<WebhookDelivery> = Api::namespaced(self.client.clone(), &namespace);
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match self.ask("create", DELIVERY, &namespace, &name, api.create(&params, view)).await? {
            Ok(created) => Ok(Some(created)),
            Err(status) if status.reason == "AlreadyExists" => Ok(None),
            Err(status) => Err(refused("create", DELIVERY, namespace, name, status)),
        }
    }

    /// Deletes the object of a delivery, if it exists.
    pub async fn delete(&self, target: &Target) -> Result<(), Error> {
        let Target { namespace, name, uid } = target;
        let api: Api<WebhookDelivery> = Api::namespaced(self.client.clone(), namespace);
        let preconditions = Preconditions { uid: Some(uid.to_string()), resource_version: None };
        let params = DeleteParams::default().preconditions(preconditions);
        match self.ask("delete", DELIVERY, namespace, name, api.delete(name, &params)).await? {
            Ok(_) => Ok(()),
            Err(status) if is_gone(&status) => Ok(()),
            Err(status) => Err(refused("delete", DELIVERY, namespace.clone(), name.clone(), status)),
        }
    }

    async fn status<K>(
        &self,
        kind: &'static str,
        target: &Target,
        status: &impl Serialize,
    ) -> Result<Written, Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let Target { namespace, name, uid } = target;
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let patch = json!({
            "apiVersion": K::api_version(&()), "kind": kind,
            "metadata": { "name": name, "uid": uid.to_string() }, "status": status,
        });
        // By force: whoever else writes these fields knows less of them.
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let action = "write the status of";
        let patch = Patch::Apply(&patch);
        match self.ask(action, kind, namespace, name, api.patch_status(name, &params, &patch)).await? {
            Ok(_) => Ok(Written::Done),
            Err(status) if is_gone(&status) => Ok(Written::Gone),
            Err(status) => Err(refused(action, kind, namespace.clone(), name.clone(), status)),
        }
    }

    /// Waits for the budget, then for the answer: what was asked for, or the API server's refusal.
    async fn ask<T>(
        &self,
        action: &'static str,
        kind: &'static str,
        namespace: &str,
        name: &str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<Result<T, Box<kube::core::Status>>, Error> {
        self.budget.until_ready().await;
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        match timeout(PATIENCE, request).await {
            Ok(Ok(answer)) => Ok(Ok(answer)),
            Ok(Err(kube::Error::Api(status))) => Ok(Err(status)),
            Ok(Err(source)) => Err(Error::Api { action, kind, namespace, name, source: Box::new(source) }),
            Err(_) => Err(Error::Timeout { action, kind, namespace, name }),
        }
    }
}

const DELIVERY: &str = "WebhookDelivery";

/// Not there any more, or another one of the same name is.
fn is_gone(status: &kube::core::Status) -> bool {
    status.code == 404 || status.code == 409
}

fn refused(
    action: &'static str,
    kind: &'static str,
    namespace: String,
    name: String,
    status: Box<kube::core::Status>,
) -> Error {
    Error::Api { action, kind, namespace, name, source: Box::new(kube::Error::Api(status)) }
}
