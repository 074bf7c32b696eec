//! The engine without a cluster, fed from a folder of manifests.
//!
//! ```text
//! folder ─ watch ─► manifests ─┬─ table: Webhook, Secret ─► endpoints ─► driver
//!                              └─ sends: WebhookDelivery ─► deliveries, each once
//! driver ─ changes ─► screen
//! ```
//!
//! Webhooks pass the same door as in a cluster, and keep their identity as long as they keep their
//! name. A file that cannot be read counts as unchanged.

mod catalog;
mod folder;
mod manifest;
pub mod screen;
mod sends;
mod table;

use std::collections::BTreeSet;
use std::time::Duration;

use notify::RecommendedWatcher;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::{delivery, store};
pub use catalog::{Shelf, Shelving, shelf};
pub use folder::{Error, Folder};
use sends::Sends;
use table::Table;

/// Changes closer together than this are one: editors write files in several steps.
const SETTLE: Duration = Duration::from_millis(200);
/// After how long a delivery is tried again that the store could not take.
const RETRY: Duration = Duration::from_secs(5);

/// What standalone mode works with.
#[derive(Debug)]
pub struct Options {
    /// The manifests.
    pub folder: Folder,
    /// Where the webhooks are shown.
    pub shelving: Shelving,
    /// Who is told of the webhooks.
    pub delivery: delivery::Handle,
    /// Who knows what was sent.
    pub store: store::Handle,
    /// The time.
    pub clock: Clock,
    /// The largest event sent, in bytes.
    pub max_event_bytes: usize,
}

/// Follows a folder.
#[derive(Debug)]
pub struct Standalone {
    folder: Folder,
    shelving: Shelving,
    delivery: delivery::Handle,
    clock: Clock,
    table: Table,
    sends: Sends,
    /// What was wrong at the last look, and was reported then.
    reported: BTreeSet<String>,
    unfinished: bool,
    changes: mpsc::Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl Standalone {
    /// Tells the driver of all webhooks in the folder, and begins to follow its changes.
    pub fn start(options: Options) -> Result<Self, Error> {
        let Options { folder, shelving, delivery, store, clock, max_event_bytes } = options;
        let (watcher, changes) = folder.watch()?;
        let mut standalone = Self {
            folder,
            shelving,
            sends: Sends::new(delivery.clone(), store, max_event_bytes),
            delivery,
            clock,
            table: Table::default(),
            reported: BTreeSet::new(),
            unfinished: true,
            changes,
            _watcher: watcher,
        };
        let problems = standalone.apply();
        standalone.report(problems);
        standalone.delivery.synced(standalone.table.ids());
        Ok(standalone)
    }

    /// Follows the folder until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let following = async {
            let mut problems = self.apply();
            loop {
                problems.extend(self.send().await);
                self.report(problems);
                problems = self.next().await;
            }
        };
        shutdown.run_until_cancelled(following).await;
    }

    /// Waits until there is something to do, then takes over what the folder holds.
    async fn next(&mut self) -> Vec<String> {
        tokio::select! {
            Some(()) = self.changes.recv() => {
                while let Ok(Some(())) = timeout(SETTLE, self.changes.recv()).await {}
                let mut problems =
                    self.folder.reload().unwrap_or_else(|error| vec![error.to_string()]);
                problems.extend(self.apply());
                problems
            }
            () = sleep(RETRY), if self.unfinished => self.apply(),
        }
    }

    /// Tells the driver of the webhooks as the folder holds them; answers what is wrong with them.
    fn apply(&mut self) -> Vec<String> {
        let (manifests, mut problems) = self.folder.manifests();
        self.shelving.put(manifests.webhooks.iter().map(|(identity, (_, webhook))| (*identity, *webhook)));
        let plan = self.table.plan(&manifests, self.clock.now());
        for endpoint in plan.upsert {
            self.delivery.upsert(endpoint);
        }
        for webhook in plan.remove {
            self.delivery.remove(webhook);
        }
        problems.extend(plan.problems);
        problems
    }

    /// Sends what `WebhookDelivery` manifests ask for; answers what is wrong with them.
    async fn send(&mut self) -> Vec<String> {
        let (manifests, _) = self.folder.manifests();
        let report = self.sends.settle(&manifests).await;
        self.unfinished = report.unfinished;
        report.problems
    }

    /// Shows what is wrong, each problem once while it lasts.
    fn report(&mut self, problems: Vec<String>) {
        let problems: BTreeSet<String> = problems.into_iter().collect();
        for problem in problems.difference(&self.reported) {
            screen::note(&format!("{} ! {problem}", screen::now()));
        }
        self.reported = problems;
    }
}

#[cfg(test)]
mod tests;
