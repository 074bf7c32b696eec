//! The engine without a cluster, fed from a folder of manifests.
//!
//! ```text
//! folder ─ watch ─► manifests ─┬─ table: Webhook, Secret ─► endpoints ─► driver
//! REST API ─ shelf ─► kept ────┴─ sends: WebhookDelivery ─► deliveries, each once
//! driver ─ changes ─► screen
//! ```
//!
//! The webhooks of the folder are changed in the folder. Those that the REST API makes are kept in
//! the database; where the folder has one of that name, it counts. Webhooks pass the same door as in a cluster, and keep their identity as long as they keep their
//! name. A file that cannot be read counts as unchanged.

mod catalog;
mod folder;
mod kept;
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

use crate::api::webhooks::catalog::Error as Refusal;
use crate::clock::Clock;
use crate::crd::Webhook;
use crate::{delivery, store};
use catalog::{Change, Request};
pub use catalog::{Shelf, Shelving, shelf};
pub use folder::{Error, Folder};
use kept::KeptWebhooks;
use manifest::Identity;
use sends::Sends;
use table::{Table, webhook_id};

/// Changes closer together than this are one: editors write files in several steps.
const SETTLE: Duration = Duration::from_millis(200);
/// After how long a delivery is tried again that the store could not take.
const RETRY: Duration = Duration::from_secs(5);

/// What standalone mode works with.
#[derive(Debug)]
pub struct Options {
    /// The manifests.
    pub folder: Folder,
    /// Where the webhooks are shown, and changes of them are asked for.
    pub shelving: Shelving,
    /// The webhooks that the store has.
    pub kept: Vec<store::Kept>,
    /// Who is told of the webhooks.
    pub delivery: delivery::Handle,
    /// Who knows what was sent.
    pub store: store::Handle,
    /// The time.
    pub clock: Clock,
    /// The largest event sent, in bytes.
    pub max_event_bytes: usize,
}

/// Follows a folder, and carries out what the REST API asks for.
#[derive(Debug)]
pub struct Standalone {
    folder: Folder,
    kept: KeptWebhooks,
    shelving: Shelving,
    delivery: delivery::Handle,
    clock: Clock,
    table: Table,
    sends: Sends,
    /// What was wrong with the files when they were read last.
    unreadable: Vec<String>,
    /// What was wrong at the last look, and was reported then.
    reported: BTreeSet<String>,
    unfinished: bool,
    changes: mpsc::Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl Standalone {
    /// Tells the driver of all webhooks, and begins to follow changes of the folder.
    pub fn start(options: Options) -> Result<Self, Error> {
        let Options { folder, shelving, kept, delivery, store, clock, max_event_bytes } = options;
        let (watcher, changes) = folder.watch()?;
        let mut standalone = Self {
            folder,
            kept: KeptWebhooks::read(store.clone(), kept).map_err(Error::Manifest)?,
            shelving,
            sends: Sends::new(delivery.clone(), store, max_event_bytes),
            delivery,
            clock,
            table: Table::default(),
            unreadable: Vec::new(),
            reported: BTreeSet::new(),
            unfinished: true,
            changes,
            _watcher: watcher,
        };
        let problems = standalone.apply(None);
        standalone.report(problems);
        standalone.delivery.synced(standalone.table.ids());
        Ok(standalone)
    }

    /// Follows the folder and the REST API until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let following = async {
            let mut problems = self.apply(None);
            loop {
                problems.extend(self.send().await);
                self.report(problems);
                problems = self.next().await;
            }
        };
        Box::pin(shutdown.run_until_cancelled(following)).await; // Large, and once.
    }

    /// Waits until there is something to do, and does it, but for what is to be sent.
    async fn next(&mut self) -> Vec<String> {
        tokio::select! {
            Some(()) = self.changes.recv() => {
                while let Ok(Some(())) = timeout(SETTLE, self.changes.recv()).await {}
                self.unreadable = self.folder.reload().unwrap_or_else(|error| vec![error.to_string()]);
                self.apply(None)
            }
            Some(Request { identity, change, answer }) = self.shelving.asked() => {
                let made = self.carry_out(identity.clone(), change).await;
                let problems = self.apply(Some(&identity));
                drop(answer.send(made)); // Whoever does not wait any more needs no answer.
                problems
            }
            () = sleep(RETRY), if self.unfinished => self.apply(None),
        }
    }

    /// Changes a webhook that is kept in the database.
    async fn carry_out(&mut self, identity: Identity, change: Change) -> Result<Webhook, Refusal> {
        if let Some(file) = self.folder.file_of(&identity) {
            return Err(Refusal::Owned { manager: file.to_owned(), field: String::new() });
        }
        let now = self.clock.now();
        match change {
            Change::Create(webhook, key) => self.kept.create(identity, *webhook, key, now).await,
            Change::Update(current, spec) => self.kept.update(identity, &current, *spec, now).await,
            Change::SetKey(key) => self.kept.set_key(identity, key, now).await,
            Change::Delete => self.kept.delete(&identity).await,
        }
    }

    /// Tells the driver of all webhooks, or of the one that alone may have changed; answers what is
    /// wrong with any.
    fn apply(&mut self, only: Option<&Identity>) -> Vec<String> {
        let (mut manifests, mut problems) = self.folder.manifests();
        problems.extend(self.unreadable.iter().cloned());
        problems.extend(self.kept.enter(&mut manifests));
        self.shelving.put(manifests.webhooks.values().map(|(_, webhook)| *webhook));
        let plan = self.table.plan(&manifests, self.clock.now());
        let only = only.map(webhook_id);
        for endpoint in plan.upsert.into_iter().filter(|it| only.is_none_or(|only| it.id == only)) {
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
        let (mut manifests, _) = self.folder.manifests();
        self.kept.enter(&mut manifests);
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
