//! The store on SQLite: one writer thread, a few readers beside it.
//!
//! Why what is answered is durable: the writer commits with `synchronous=FULL`, so that a commit
//! returns after the write-ahead log is on stable storage, and answers afterwards. What waits
//! while one commit is under way goes into the next one together. Transactions that hold only
//! records of attempts do not wait for the disk: losing one costs a repeated request, never an
//! event, and the next commit that waits takes them along, as they are in the same file.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::queue::Queue;
use super::stats::Counters;
use super::{Error, Handle, Notices, Retention};
use crate::clock::Clock;

mod asked;
mod backup;
mod by_hand;
mod commit;
mod dead_letter;
mod fault;
mod file;
mod kept;
mod ledger;
mod line;
mod listing;
mod publish;
mod quota;
pub(super) mod reader;
mod record;
mod redrive;
mod retention;
mod row;
mod schema;
#[cfg(test)]
mod tests;
mod unfinished;
mod writer;

pub use backup::{backup, backup_to, restore};

/// How many notices may wait for the driver before the writer waits for it.
const MAX_NOTICES: usize = 1024;

/// How to open the store.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database's file; it and its directory are made where there is none.
    pub path: PathBuf,
    /// How long the log is kept.
    pub retention: Retention,
    /// The time.
    pub clock: Clock,
}

/// The running store. [`Service::shutdown`] ends it in order; dropped, it runs on until the last
/// [`Handle`] is dropped too.
#[derive(Debug)]
pub struct Service {
    queue: Queue,
    readers: reader::Readers,
    writer: JoinHandle<()>,
}

/// Opens the store and starts its writer.
pub fn open(options: Options) -> Result<(Handle, Notices, Service), Error> {
    let (lock, connection) = file::open(&options.path)?;
    start(options, lock, connection)
}

fn start(
    options: Options,
    lock: file::Lock,
    connection: Connection,
) -> Result<(Handle, Notices, Service), Error> {
    let Options { path, retention, clock } = options;
    let readers = reader::Readers::open(&path)?;
    let (queue, messages) = Queue::new();
    let (notices, notified) = mpsc::channel(MAX_NOTICES);
    let counters = Arc::new(Counters::default());
    let writer = writer::Writer::new(writer::Parts {
        lock,
        connection,
        path,
        retention,
        clock,
        messages,
        notices,
        counters: Arc::clone(&counters),
    })?;
    let writer = std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || writer.run())
        .map_err(|error| Error::Io { action: "start the store's writer", detail: error.to_string() })?;
    let handle = Handle { queue: queue.clone(), readers: readers.clone(), counters };
    Ok((handle, notified, Service { queue, readers, writer }))
}

impl Service {
    /// Carries out what waits, answers it, and closes the database. Nothing is taken afterwards.
    /// The driver's [`Notices`] must be drained meanwhile, or dropped.
    pub async fn shutdown(self) -> Result<(), Error> {
        let Self { queue, readers, writer } = self;
        queue.close();
        readers.close().await;
        let action = "end the store's writer";
        tokio::task::spawn_blocking(|| writer.join())
            .await
            .map_err(|error| Error::Io { action, detail: error.to_string() })?
            .map_err(|_| Error::Io { action, detail: "it panicked".to_owned() })
    }
}
