//! Turns the objects of a cluster into what the engine knows, and says in their status what came
//! of it.
//!
//! ```text
//! watch Webhooks ─────────┐                                             ┌──► delivery::Handle
//!                         ├─► dereference → validate → plan → apply ────┼──► Secrets that webhooks own
//! poll or watch Secrets ──┘   (values)        (pure)  (pure)            └──► status, Events
//! ```
//!
//! There is no finalizer: a deletion is seen by the watch, or, after a disconnect or a restart, by
//! the object's absence from a complete list. Events are taken once every watch is complete and
//! every webhook was looked at, so that none is missed.

pub mod catalog;
mod webhook;
pub mod webhook_delivery;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use kube::core::NamespaceResourceScope;
use kube::runtime::events::{Recorder, Reporter};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::delivery;
use crate::metrics::Metrics;
pub use webhook::secrets::{Replaced, SecretChanges};

/// Who owns what the controller applies.
pub const FIELD_MANAGER: &str = "hookwright-controller";

/// What the controller looks after, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespaces whose webhooks are in force; empty for all.
    pub namespaces: BTreeSet<String>,
    /// The name of this process, for Kubernetes Events: the pod's name.
    pub instance: Option<String>,
    /// How changes of Secrets are noticed.
    pub secret_changes: SecretChanges,
    /// Who tells of keys that this process has replaced.
    pub replaced: Replaced,
}

/// The controller, ready to run.
pub struct Service {
    context: Arc<webhook::Context>,
    watches: Vec<Watch>,
}

/// What one watch covers.
#[derive(Clone, Debug)]
enum Watch {
    All,
    Namespace(String),
}

impl Watch {
    fn namespace(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Namespace(namespace) => Some(namespace.clone()),
        }
    }

    fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        match self {
            Self::All => Api::all(client.clone()),
            Self::Namespace(namespace) => Api::namespaced(client.clone(), namespace),
        }
    }
}

impl Service {
    /// A controller that tells `engine` what it finds through `client`.
    #[must_use]
    pub fn new(
        client: Client,
        engine: delivery::Handle,
        clock: Clock,
        metrics: Arc<Metrics>,
        options: Options,
    ) -> Self {
        let Options { namespaces, instance, secret_changes, replaced } = options;
        let watches: Vec<_> = match namespaces.len() {
            0 => vec![Watch::All],
            _ => namespaces.into_iter().map(Watch::Namespace).collect(),
        };
        let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance };
        let context = Arc::new(webhook::Context {
            table: webhook::Table::new(watches.len(), engine.clone()),
            engine,
            recorder: Recorder::new(client.clone(), reporter),
            client,
            clock,
            metrics,
            secret_changes,
            replaced,
        });
        Self { context, watches }
    }

    /// Runs until `shutdown`, then lets the looks under way end. Never fails: an API server that
    /// is away is asked again, and deliveries go on meanwhile.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { context, watches } = self;
        let mut running = JoinSet::new();
        for (scope, watch) in watches.into_iter().enumerate() {
            running.spawn(webhook::run(Arc::clone(&context), scope, watch, shutdown.clone()));
        }
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a watch of the controller ended");
            }
        }
    }
}
