//! What the log knows, as objects: the status of every `Webhook`, and a bounded view of its
//! deliveries as `WebhookDelivery` objects.
//!
//! ```text
//! changes (hints) ─┐
//! watch of Webhook ┴► board: what is shown, and whose turn it is
//!                       │ one webhook at a time
//!                       ▼
//!        store ─ read ─► visit: plan views, project status ─► writer (budget) ─► API server
//! ```
//!
//! Nothing is kept that the log does not know: a look at a webhook compares what the log says with
//! what the cluster shows. So a restart, a lost hint and an API server that was away for a while
//! end the same way: with the next look. The statuses of `WebhookDelivery` objects are written by
//! [`crate::controller::webhook_delivery`], whoever made them.

mod board;
pub mod delivery_status;
pub mod objects;
mod pace;
pub mod view;
pub mod views;
mod visit;
pub mod webhook_status;
pub mod writer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt};
use kube::core::DeserializeGuard;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client};
use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::crd::Webhook;
use crate::delivery::Change;
use crate::{delivery, store};
use board::Board;
pub use objects::Objects;
pub use writer::Writer;

/// How often webhooks that show less than they should are looked at.
const INCOMPLETE_PERIOD: Duration = Duration::from_mins(1);
/// How often every webhook is looked at, whatever was heard: views expire, and hints may be lost.
const SWEEP_PERIOD: Duration = Duration::from_mins(10);
/// The longest wait for a turn, when none is known.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// The shortest and the longest pause after the API server or the store failed.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What the projector works with.
#[derive(Clone)]
pub struct Options {
    /// Where the webhooks are watched.
    pub client: Client,
    /// In which namespaces; all, where there is none.
    pub namespaces: Vec<String>,
    /// Most views in all.
    pub max_views: usize,
    /// What there is to show.
    pub store: store::Handle,
    /// Who says that it changed.
    pub delivery: delivery::Handle,
    /// The `WebhookDelivery` objects that exist.
    pub objects: Objects,
    /// Who writes.
    pub writer: Writer,
    /// The time.
    pub clock: Clock,
}

/// Shows what the log knows.
pub struct Projector {
    client: Client,
    namespaces: Vec<String>,
    changes: broadcast::Receiver<Change>,
    visits: visit::Visits,
    board: Shared,
}

/// The board, and a bell that rings when it changes.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<(Mutex<Board>, Notify)>);

impl Shared {
    // Every change is whole before the lock is left, even by a panic.
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the board.
    fn change(&self, change: impl FnOnce(&mut Board, Instant)) {
        let before = self.lock().pace.next();
        change(&mut self.lock(), Instant::now());
        if self.lock().pace.next() != before {
            self.0.1.notify_one();
        }
    }
}

impl Projector {
    /// Hears of changes from now on.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let Options { client, namespaces, max_views, store, delivery, objects, writer, clock } = options;
        let board = Shared::default();
        let changes = delivery.changes();
        let visits =
            visit::Visits { board: board.clone(), max_views, store, delivery, objects, writer, clock };
        Self { client, namespaces, changes, visits, board }
    }

    /// Shows what the log knows until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { client, namespaces, changes, visits, board } = self;
        let work = async {
            tokio::join!(
                watch_webhooks(webhooks(&client, &namespaces), &board),
                hear(changes, &board),
                tick(&board),
                turns(&visits, &board),
            )
        };
        shutdown.run_until_cancelled(work).await;
    }
}

type Watched = (usize, Result<Event<Webhook>, watcher::Error>);

/// The events of a watch without the objects that this version cannot read: one of them must not
/// hide the others.
pub fn readable<K>(
    events: impl Stream<Item = watcher::Result<Event<DeserializeGuard<K>>>> + Send + 'static,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static
where
    K: Send + 'static,
{
    events.filter_map(|event| {
        let readable = match event {
            Ok(Event::Apply(object)) => object.0.ok().map(|object| Ok(Event::Apply(object))),
            Ok(Event::Delete(object)) => object.0.ok().map(|object| Ok(Event::Delete(object))),
            Ok(Event::InitApply(object)) => object.0.ok().map(|object| Ok(Event::InitApply(object))),
            Ok(Event::Init) => Some(Ok(Event::Init)),
            Ok(Event::InitDone) => Some(Ok(Event::InitDone)),
            Err(error) => Some(Err(error)),
        };
        std::future::ready(readable)
    })
}

/// The watches of all namespaces.
fn webhooks(client: &Client, namespaces: &[String]) -> SelectAll<BoxStream<'static, Watched>> {
    let apis: Vec<Api<DeserializeGuard<Webhook>>> = scopes(client, namespaces);
    let watches = apis.into_iter().enumerate().map(|(scope, api)| {
        let events = watch(api, watcher::Config::default()).default_backoff();
        readable(events).map(move |event| (scope, event)).boxed()
    });
    futures::stream::select_all(watches)
}

/// One API for each namespace that is served, or one for all.
#[must_use]
pub fn scopes<K>(client: &Client, namespaces: &[String]) -> Vec<Api<K>>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    if namespaces.is_empty() {
        return vec![Api::all(client.clone())];
    }
    namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
}

async fn watch_webhooks(mut events: SelectAll<BoxStream<'static, Watched>>, board: &Shared) {
    while let Some((watch, event)) = events.next().await {
        match event {
            Ok(event) => board.change(|board, now| board.observe(watch, &event, now)),
            Err(error) => tracing::warn!(%error, "failed to watch webhooks, trying again"),
        }
    }
}

async fn hear(mut changes: broadcast::Receiver<Change>, board: &Shared) {
    loop {
        match changes.recv().await {
            Ok(change) => board.change(|board, now| board.heard(&change, now)),
            Err(broadcast::error::RecvError::Lagged(_)) => board.change(Board::mark_all),
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

async fn tick(board: &Shared) {
    let mut incomplete = interval(INCOMPLETE_PERIOD);
    let mut sweep = interval(SWEEP_PERIOD);
    incomplete.set_missed_tick_behavior(MissedTickBehavior::Delay);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = incomplete.tick() => board.change(Board::mark_incomplete),
            _ = sweep.tick() => board.change(Board::mark_all),
        }
    }
}

/// Looks at one webhook after the other, each at its turn.
async fn turns(visits: &visit::Visits, board: &Shared) {
    let mut pause = PAUSE.0;
    loop {
        let now = Instant::now();
        let turn = board.lock().pace.take(now);
        let Some(webhook) = turn else {
            let next = board.lock().pace.next().unwrap_or(now + MAX_WAIT);
            tokio::select! {
                () = sleep_until(next) => {}
                () = board.0.1.notified() => {}
            }
            continue;
        };
        match visits.visit(webhook).await {
            Ok(()) => pause = PAUSE.0,
            Err(error) => {
                tracing::warn!(%webhook, %error, "failed to show a webhook's deliveries, trying again");
                board.change(|board, now| board.pace.again(webhook, PAUSE.1, now));
                if error.is_outage() {
                    // Others would fare no better.
                    board.change(|board, now| board.pace.again(webhook, pause, now));
                    sleep_until(Instant::now() + pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
    }
}
