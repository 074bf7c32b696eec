//! What users ask for with `WebhookDelivery` objects, and the status of all of them.
//!
//! ```text
//! watch ─► locate: the delivery that the object shows, made now where a user asks for it
//!            │      (store: at most once per UID of the object and per event id)
//!            ▼
//!          obey: spec.canceled, annotation retry-requested-at
//!            ▼
//!          show: projector::delivery_status ─► writer; delete after the TTL, unless it would come back
//! ```
//!
//! An object that a user created is a request: it is sent once, and where it is deleted before its
//! delivery ended, the delivery is canceled, as long as the operator sees it go. An object with the
//! label `hookwright.dev/delivery` is a view: it shows a delivery and is never the reason to send
//! one. Canceling and retrying work on both.

mod locate;
mod obey;
mod reconcile;

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt, future};
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Config, Controller};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::crd::WebhookDelivery;
use crate::delivery::Change;
use crate::projector::objects::Reference;
use crate::projector::{Objects, Writer, readable, scopes};
use crate::{delivery, store};

/// Changes closer together than this are one, so that requests that are answered at once need no
/// status that says they are under way.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// Objects looked at at a time; most of them wait for the budget of writes.
const CONCURRENCY: u16 = 256;

/// What the controller works with.
#[derive(Clone)]
pub struct Options {
    /// Where the objects are watched.
    pub client: Client,
    /// In which namespaces; all, where there is none.
    pub namespaces: Vec<String>,
    /// Who sends.
    pub delivery: delivery::Handle,
    /// Who knows what was sent.
    pub store: store::Handle,
    /// Who is told which objects there are.
    pub objects: Objects,
    /// Who writes.
    pub writer: Writer,
    /// The time.
    pub clock: Clock,
    /// The largest event sent, in bytes.
    pub max_event_bytes: usize,
}

/// The objects of one watch; one that cannot be read does not hide the others.
type Watched = Api<DeserializeGuard<WebhookDelivery>>;

/// What every look at an object works with.
struct Context {
    client: Client,
    delivery: delivery::Handle,
    store: store::Handle,
    objects: Objects,
    writer: Writer,
    clock: Clock,
    max_event_bytes: usize,
}

/// Follows the `WebhookDelivery` objects until `shutdown`.
pub async fn run(options: Options, shutdown: CancellationToken) {
    let Options { client, namespaces, delivery, store, objects, writer, clock, max_event_bytes } = options;
    let (departed, departures) = mpsc::unbounded_channel();
    let apis: Vec<Watched> = scopes(&client, &namespaces);
    let context = Arc::new(Context { client, delivery, store, objects, writer, clock, max_event_bytes });
    let scopes = apis.into_iter().enumerate().map(|(scope, api)| {
        let namespace = namespaces.get(scope).cloned();
        follow(scope, namespace, api, Arc::clone(&context), departed.clone(), shutdown.clone())
    });
    let scopes = future::join_all(scopes);
    tokio::join!(scopes, shutdown.run_until_cancelled(obey::cancel_departed(departures, &context)));
}

/// Follows the objects of one watch.
async fn follow(
    scope: usize,
    namespace: Option<String>,
    api: Watched,
    context: Arc<Context>,
    departed: mpsc::UnboundedSender<Uuid>,
    shutdown: CancellationToken,
) {
    let (reader, writer) = reflector::store();
    let objects = context.objects.clone();
    let watched = readable(watcher(api, watcher::Config::default()).default_backoff())
        .modify(slim)
        .inspect_ok(move |event| {
            for uid in objects.observe(scope, event) {
                // Nobody listens when the operator ends.
                let _ = departed.send(uid);
            }
        })
        .reflect(writer)
        .applied_objects();
    let changed = changed(context.delivery.changes(), context.objects.clone())
        .filter(move |it| ready(namespace.is_none() || it.namespace == namespace));
    Controller::for_stream(watched, reader)
        .with_config(Config::default().debounce(DEBOUNCE).concurrency(CONCURRENCY))
        .reconcile_on(changed)
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(reconcile::reconcile, reconcile::after_error, context)
        .for_each(|result| {
            if let Err(error) = result {
                // A look that failed has said so itself; this is about the watch, or a deleted object.
                tracing::debug!(%error, "failed to follow the delivery objects, trying again");
            }
            ready(())
        })
        .await;
}

/// The objects that show a delivery to which something happened.
fn changed(
    changes: broadcast::Receiver<Change>,
    objects: Objects,
) -> impl Stream<Item = Reference> + Send + 'static {
    let heard: BoxStream<'static, Vec<Reference>> =
        stream::unfold((changes, objects), |(mut changes, objects)| async move {
            let references = match changes.recv().await {
                Ok(change) => objects.heard(&change),
                Err(broadcast::error::RecvError::Lagged(_)) => objects.lagged(),
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            Some((references, (changes, objects)))
        })
        .boxed();
    heard.flat_map(stream::iter)
}

/// What is not needed is not kept: the data of an event that was sent is in the log, and of those who wrote fields only the
/// names are asked for.
fn slim(object: &mut WebhookDelivery) {
    object.metadata.managed_fields.iter_mut().flatten().for_each(|entry| entry.fields_v1 = None);
    let sent = object.status.as_ref().is_some_and(|status| status.id.is_some());
    if let Some(event) = object.spec.event.as_mut().filter(|_| sent) {
        event.data = None;
        event.metadata = None;
    }
}
