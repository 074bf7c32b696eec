//! Reads, beside the writer: each sees one commit, whole.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookwright_engine::attempt::Attempt;
use hookwright_engine::event::Event;
use hookwright_engine::id::{DeliveryId, EventKey, WebhookId};
use hookwright_engine::time::Time;
use hookwright_engine::trace::Trace;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::publish::by_origin;
use super::{fault, kept, ledger, listing, redrive, row};
use crate::store::{Delivery, Error, Kept, Query, Selection, Summary};

/// How many reads run at once; further ones wait.
const CONNECTIONS: u32 = 4;
/// How long a read waits for a lock. Readers and the writer wait for each other only while a
/// database is opened or closed.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements that a connection keeps prepared; more than there are.
pub(super) const STATEMENTS: usize = 64;

/// Read-only connections, a few.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    path: Arc<Path>,
    slots: Arc<Semaphore>,
    /// As many as there are free slots, until the store is closed.
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let idle = (0..CONNECTIONS)
            .map(|_| connect(path).map_err(fault::at(path, "open the database for reading")))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            path: path.into(),
            slots: Arc::new(Semaphore::new(CONNECTIONS as usize)),
            idle: Arc::new(Mutex::new(idle)),
        })
    }

    /// Ends reading; reads under way are finished.
    pub(super) async fn close(&self) {
        // With every slot in hand, nobody reads.
        let all = self.slots.acquire_many(CONNECTIONS).await;
        self.slots.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        drop(all);
    }

    async fn read<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| Error::Closed)?;
        let Self { path, slots: _, idle } = self.clone();
        let work = move || {
            let pop = || idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            // A read that panicked has taken its connection with it.
            let connection = pop().map_or_else(|| connect(&path), Ok);
            let result = connection.and_then(|connection| {
                let result = connection.unchecked_transaction().and_then(|snapshot| read(&snapshot));
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
                result
            });
            drop(slot);
            result.map_err(fault::at(&path, action))
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::Io { action, detail: error.to_string() })?
    }

    pub(crate) async fn event(&self, key: EventKey) -> Result<Option<Arc<Event>>, Error> {
        self.read("read an event", move |connection| {
            connection
                .prepare_cached(
                    "SELECT id, type, payload, trace FROM events WHERE key = ?1 AND payload IS NOT NULL",
                )?
                .query_row([row::key(key)], |row| {
                    let payload = row.get(2)?;
                    Ok(Arc::new(Event {
                        id: row::parsed(row, 0)?,
                        event_type: row::parsed(row, 1)?,
                        payload,
                        trace: row.get::<_, Option<_>>(3)?.and_then(|bytes| Trace::from_bytes(&bytes)),
                    }))
                })
                .optional()
        })
        .await
    }

    pub(crate) async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, Error> {
        self.read("read a delivery", move |connection| row::delivery(connection, id)).await
    }

    pub(crate) async fn delivery_of(&self, origin: Uuid) -> Result<Option<Delivery>, Error> {
        self.read("read the delivery of an object", move |connection| {
            let Some((id, _)) = by_origin(connection, origin)? else { return Ok(None) };
            row::delivery(connection, id)
        })
        .await
    }

    pub(crate) async fn attempts(&self, id: DeliveryId) -> Result<Vec<(u32, Attempt)>, Error> {
        self.read("read attempts", move |connection| row::attempts(connection, id)).await
    }

    pub(crate) async fn deliveries(&self, webhook: WebhookId, query: Query) -> Result<Vec<Delivery>, Error> {
        self.read("list deliveries", move |connection| {
            let Some(number) = ledger::number(connection, webhook)? else { return Ok(Vec::new()) };
            listing::deliveries(connection, number, &query)
        })
        .await
    }

    pub(crate) async fn kept(&self) -> Result<Vec<Kept>, Error> {
        self.read("read the webhooks that are kept in the database", kept::all).await
    }

    pub(crate) async fn redrivable(&self, webhook: WebhookId, selection: Selection) -> Result<u64, Error> {
        let count = move |connection: &Connection| redrive::count(connection, webhook, &selection);
        self.read("count failed deliveries", count).await
    }

    pub(crate) async fn summary(&self, webhook: WebhookId) -> Result<Summary, Error> {
        self.read("read the summary of a webhook", move |connection| summary(connection, webhook)).await
    }
}

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(PathBuf::from(path), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

pub(super) const NEXT_RETRY: &str = "SELECT min(at) FROM deliveries INDEXED BY deliveries_retrying
    WHERE state <= 0 AND state = 0 AND attempts > 0 AND webhook = ?1";

fn summary(connection: &Connection, webhook: WebhookId) -> rusqlite::Result<Summary> {
    let Some(number) = ledger::number(connection, webhook)? else { return Ok(Summary::default()) };
    let account = ledger::read(connection, number)?;
    let next_retry: Option<i64> =
        connection.prepare_cached(NEXT_RETRY)?.query_row([number], |row| row.get(0))?;
    let last = account.last.map(|id| row::delivery(connection, id)).transpose()?.flatten();
    let last_failure = match account.last_failure {
        Some((id, number)) => row::attempt(connection, id, number)?.map(|attempt| (id, attempt)),
        None => None,
    };
    Ok(Summary {
        pending: account.pending.cast_unsigned(),
        retrying: account.retrying.cast_unsigned(),
        delivered: account.delivered.cast_unsigned(),
        failed: account.failed.cast_unsigned(),
        next_retry: next_retry.map(Time::from_millis),
        last,
        last_failure,
        gone_generation: account.gone_generation,
        streak: account.streak,
    })
}
