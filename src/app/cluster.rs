//! What runs in a cluster only: the controllers, and the projector.

use std::sync::Arc;

use kube::{Client, Config};

use super::Error;
use super::core::Core;
use crate::controller::{self, Replaced, SecretChanges, webhook_delivery};
use crate::projector::{self, Objects, Projector, Writer};

/// Talks to the cluster this runs in, or to that of `KUBECONFIG`. Whether it answers is seen later:
/// deliveries do not wait for it.
pub(super) async fn client() -> Result<Client, Error> {
    let config = Config::infer().await.map_err(Error::Cluster)?;
    Ok(Client::try_from(config)?)
}

/// What is set of it, and who tells it of what the API does.
pub(super) struct Settings {
    /// Most views of deliveries.
    pub(super) max_views: usize,
    pub(super) secret_changes: SecretChanges,
    pub(super) replaced: Replaced,
}

/// Tells the core what the objects of these namespaces say, and shows in them what came of it.
pub(super) fn attach(
    core: &mut Core,
    client: Client,
    namespaces: Vec<String>,
    writer: Writer,
    settings: Settings,
) {
    let Settings { max_views, secret_changes, replaced } = settings;
    let objects = Objects::new(namespaces.len().max(1));
    let projector = Projector::new(projector::Options {
        client: client.clone(),
        namespaces: namespaces.clone(),
        max_views,
        store: core.store.clone(),
        delivery: core.delivery.clone(),
        objects: objects.clone(),
        writer: writer.clone(),
        clock: core.clock.clone(),
    });
    let deliveries = webhook_delivery::Options {
        client: client.clone(),
        namespaces: namespaces.clone(),
        delivery: core.delivery.clone(),
        store: core.store.clone(),
        objects,
        writer,
        clock: core.clock.clone(),
        max_event_bytes: core.max_event_bytes,
    };
    let webhooks = controller::Service::new(
        client,
        core.delivery.clone(),
        core.clock.clone(),
        Arc::clone(&core.metrics),
        // The name of the pod, where there is one.
        controller::Options {
            namespaces: namespaces.into_iter().collect(),
            instance: std::env::var("HOSTNAME").ok(),
            secret_changes,
            replaced,
        },
    );
    core.work(|shutdown| async {
        webhooks.run(shutdown).await;
        Ok(())
    });
    core.work(|shutdown| async {
        webhook_delivery::run(deliveries, shutdown).await;
        Ok(())
    });
    core.observe(|shutdown| projector.run(shutdown));
}
