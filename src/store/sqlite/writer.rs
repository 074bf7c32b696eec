//! The writer: takes what waits, commits it together, then tells the driver and answers.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use hookwright_engine::id::Sequence;
use hookwright_engine::time::Time;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::mpsc::Sender;
use tracing::{error, info, warn};

use super::commit::{Commit, Progress};
use super::ledger::Ledger;
use super::quota::{Pages, Quota};
use super::retention::{Reason, STEP, Step, Walk};
use super::{fault, file};
use crate::clock::Clock;
use crate::store::queue::{Message, Place, Request};
use crate::store::stats::{Counters, add, set};
use crate::store::{Command, Error, Notice, Retention};

/// How many requests go into one transaction.
const MAX_REQUESTS: usize = 1024;
/// How many bytes of requests go into one transaction; the last one may exceed it.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// How many commands go into one transaction.
const MAX_COMMANDS: usize = 1024;
/// How often an idle writer looks for something to remove.
const IDLE: Duration = Duration::from_secs(1);
/// How long commands that failed wait until they are tried again.
const RETRY: Duration = Duration::from_millis(250);

/// What a writer is made of.
pub(super) struct Parts {
    pub lock: file::Lock,
    pub connection: Connection,
    pub path: PathBuf,
    pub retention: Retention,
    pub clock: Clock,
    pub messages: Receiver<Message>,
    pub notices: Sender<Notice>,
    pub counters: Arc<Counters>,
}

/// The one that writes.
pub(super) struct Writer {
    parts: Parts,
    sequence: Sequence,
    quota: Quota,
    walk: Walk,
    /// Commands that are not carried out yet, in order, each with its place in the queue.
    backlog: VecDeque<(Command, Place)>,
    /// The last transaction failed.
    failing: bool,
    /// Commits wait for the disk (`synchronous=FULL`).
    waits: bool,
    /// Waiting for the disk has failed. What was written before without waiting may be lost although
    /// the next wait succeeds, so all of the log is to be written to another file first.
    suspect: bool,
}

/// What is taken from the queue at once.
#[derive(Default)]
struct Batch {
    requests: Vec<(Request, Place)>,
    bytes: usize,
    rows: usize,
    /// Nothing comes behind it.
    last: bool,
}

impl Batch {
    const fn is_full(&self, commands: usize) -> bool {
        self.last
            || self.requests.len() >= MAX_REQUESTS
            || self.bytes >= MAX_BYTES
            || commands >= MAX_COMMANDS
    }
}

/// What a transaction did, to be told once it is committed.
struct Committed {
    notices: Vec<Notice>,
    /// Commands carried out, from the begin of the backlog.
    commands: usize,
}

impl Writer {
    pub(super) fn new(parts: Parts) -> Result<Self, Error> {
        let failed = fault::at(&parts.path, "read the database");
        let last = last_number(&parts.connection).map_err(&failed)?;
        let quota = Quota::new(&parts.connection, parts.retention.max_bytes).map_err(&failed)?;
        set(&parts.counters.quota_bytes, quota.bytes());
        quota.show(Pages::read(&parts.connection).map_err(&failed)?, &parts.counters);
        Ok(Self {
            sequence: Sequence::after(last),
            quota,
            walk: Walk::new(parts.retention),
            backlog: VecDeque::new(),
            failing: false,
            waits: true,
            suspect: false,
            parts,
        })
    }

    /// Works until it is told to end, or nobody is left to tell it anything.
    pub(super) fn run(mut self) {
        loop {
            let Batch { requests, rows, bytes: _, last } = self.gather();
            if !requests.is_empty() || !self.backlog.is_empty() {
                self.write(requests);
            }
            if last {
                return self.close();
            }
            self.remove(rows);
        }
    }

    /// Waits for something to do and takes all that waits, within bounds.
    fn gather(&mut self) -> Batch {
        let mut batch = Batch::default();
        let commands = self.backlog.len();
        let wait = match (self.backlog.is_empty(), self.failing) {
            (false, true) => RETRY,
            (false, false) => Duration::ZERO,
            (true, _) if self.walk.is_due(self.parts.clock.now()) => Duration::ZERO,
            (true, _) => IDLE,
        };
        match self.parts.messages.recv_timeout(wait) {
            Ok(message) => self.take(message, &mut batch),
            Err(RecvTimeoutError::Timeout) => return batch,
            Err(RecvTimeoutError::Disconnected) => batch.last = true,
        }
        while !batch.is_full(self.backlog.len() - commands) {
            match self.parts.messages.try_recv() {
                Ok(message) => self.take(message, &mut batch),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => batch.last = true,
            }
        }
        batch
    }

    fn take(&mut self, message: Message, batch: &mut Batch) {
        match message {
            Message::Request(request, place) => {
                batch.bytes += request.size();
                batch.rows += request.rows();
                batch.requests.push((*request, place));
            }
            Message::Commands(commands, mut places) => {
                let single = commands.into_iter().filter_map(|command| Some((command, places.split(1)?)));
                self.backlog.extend(single);
            }
            Message::Shutdown => batch.last = true,
        }
    }

    /// Commits requests together with the commands that wait. Where that fails, nothing of it has
    /// happened: the requests are refused, the commands stay.
    fn write(&mut self, mut requests: Vec<(Request, Place)>) {
        add(&self.parts.counters.requests, requests.len());
        match self.commit(&mut requests) {
            Ok(committed) => self.tell(committed, requests),
            Err(error) => {
                self.fail(&error);
                let alone = requests.is_empty();
                for (request, _place) in requests {
                    request.refuse(error.clone());
                }
                // Without the requests, which may be what has no room.
                if !alone && !self.backlog.is_empty() {
                    match self.commit(&mut []) {
                        Ok(committed) => self.tell(committed, Vec::new()),
                        Err(error) => self.fail(&error),
                    }
                }
            }
        }
    }

    fn fail(&mut self, error: &Error) {
        add(&self.parts.counters.failures, 1);
        set(&self.parts.counters.backlog, self.backlog.len() as u64);
        if !self.failing {
            self.failing = true;
            error!(%error, backlog = self.backlog.len(), "failed to write; requests are refused until it works again");
        }
    }

    /// Tells the driver and those who wait what is committed now.
    fn tell(&mut self, committed: Committed, requests: Vec<(Request, Place)>) {
        if self.failing {
            self.failing = false;
            info!("writing works again");
        }
        let Committed { notices, commands } = committed;
        self.backlog.drain(..commands);
        add(&self.parts.counters.commands, commands);
        set(&self.parts.counters.backlog, self.backlog.len() as u64);
        for notice in notices {
            // Without a driver nobody needs to be told: it reads everything when it starts.
            drop(self.parts.notices.blocking_send(notice));
        }
        for (request, _place) in requests {
            request.answer();
        }
    }

    fn commit(&mut self, requests: &mut [(Request, Place)]) -> Result<Committed, Error> {
        self.try_commit(requests).map_err(|error| {
            self.suspect |= fault::is_failed_sync(&error);
            fault::at(&self.parts.path, "write to the database")(error)
        })
    }

    fn try_commit(&mut self, requests: &mut [(Request, Place)]) -> rusqlite::Result<Committed> {
        self.prepare(!requests.is_empty())?;
        let now = self.parts.clock.now();
        let counters = &self.parts.counters;
        let backlog = self.backlog.iter().take(MAX_COMMANDS).map(|(command, _)| command);
        let need = requests.iter().map(|(request, _)| request.size() as u64).sum();
        let transaction = begin(&self.parts.connection)?;
        let removed = self.walk.make_room(&transaction, now, || self.quota.has(&transaction, need))?;
        let mut commit = Commit {
            connection: &transaction,
            sequence: &mut self.sequence,
            now,
            room: self.quota.room(&transaction)?,
            refused: 0,
            sheds: self.quota.is_exceeded(&transaction)?,
            ledger: Ledger::default(),
            notices: Vec::new(),
        };
        let mut commands = 0;
        for command in backlog {
            match commit.command(command)? {
                Progress::Done => commands += 1,
                Progress::More => break,
            }
        }
        for (request, _) in requests {
            commit.request(request)?;
        }
        let (notices, refused) = commit.finish()?;
        let pages = Pages::read(&transaction)?;
        transaction.commit()?;
        add(&counters.commits, 1);
        add(&counters.syncs, usize::from(self.waits));
        add(&counters.refused, refused);
        add(&counters.removed, removed);
        self.quota.show(pages, counters);
        Ok(Committed { notices, commands })
    }

    /// Readies the connection for a transaction that waits for the disk, or for one that does not.
    fn prepare(&mut self, waits: bool) -> rusqlite::Result<()> {
        if self.suspect {
            checkpoint(&self.parts.connection)?;
            self.suspect = false;
        }
        if self.waits != waits {
            let level = if waits { "FULL" } else { "NORMAL" };
            self.parts.connection.pragma_update(None, "synchronous", level)?;
            self.waits = waits;
        }
        Ok(())
    }

    /// Removes a little of what is old, or of what has ended where room gets scarce: more than the
    /// last batch has added.
    fn remove(&mut self, added: usize) {
        let now = self.parts.clock.now();
        if !self.walk.is_due(now) {
            return;
        }
        match self.try_remove(now, STEP.max(2 * added)) {
            Ok(step) => {
                add(&self.parts.counters.removed, step.removed);
                self.walk.advance(step, now);
            }
            Err(error) => {
                let error = fault::at(&self.parts.path, "remove old deliveries")(error);
                warn!(%error, "failed to apply the retention; trying again later");
                self.walk.postpone(now);
            }
        }
    }

    fn try_remove(&mut self, now: Time, rows: usize) -> rusqlite::Result<Step> {
        self.prepare(false)?;
        let transaction = begin(&self.parts.connection)?;
        let reason = if self.quota.is_scarce(&transaction)? { Reason::Size } else { Reason::Age };
        let step = self.walk.step(&transaction, now, reason, rows)?;
        transaction.commit()?;
        Ok(step)
    }

    fn close(mut self) {
        while !self.backlog.is_empty() && !self.failing {
            self.write(Vec::new());
        }
        if !self.backlog.is_empty() {
            warn!(commands = self.backlog.len(), "ended without writing what could not be written");
        }
        // Otherwise the next one to open the database does it.
        let Parts { connection, lock, .. } = self.parts;
        if let Err(error) = checkpoint(&connection) {
            warn!(%error, "failed to copy the write-ahead log into the database");
        }
        drop(connection);
        drop(lock);
    }
}

fn begin(connection: &Connection) -> rusqlite::Result<Transaction<'_>> {
    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
}

/// Copies the whole write-ahead log into the database's file, waits for that to be on the disk, and
/// empties the log.
fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(code, Some("a reader holds the log".to_owned())));
    }
    Ok(())
}

/// The highest number handed out so far.
fn last_number(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .query_row(
            "SELECT max(coalesce((SELECT max(key) FROM events), 0), coalesce((SELECT max(id) FROM deliveries), 0))",
            [],
            |row| row.get::<_, i64>(0),
        )
        .map(i64::cast_unsigned)
}
