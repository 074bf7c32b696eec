//! How much of the database's size is in use, and what may still be added.
//!
//! Publishing is refused a little before the quota is reached: what is left is for records of
//! attempts, which end deliveries, which retention can then remove.

use rusqlite::Connection;

use super::file;
use crate::store::Command;
use crate::store::queue::Request;

/// The reserve for everything but publishes: this part of the quota, at most [`MAX_RESERVE`].
const RESERVE_PART: u64 = 16;
const MAX_RESERVE: u64 = 64 * 1024 * 1024;
/// Room is scarce when less than this part of it is free.
const SCARCE_PART: u64 = 16;

/// The limits, in pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    page_size: u64,
    /// For everything; SQLite itself keeps it.
    all: u64,
    /// For publishes.
    publishing: u64,
}

/// How many pages there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pages {
    pub used: u64,
    pub free: u64,
}

/// About how many bytes a transaction takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    requests: u64,
    commands: u64,
}

impl Need {
    pub(super) fn of<'a>(
        commands: impl Iterator<Item = &'a Command>,
        requests: impl Iterator<Item = &'a Request>,
    ) -> Self {
        /// A row of `attempts`, and what its delivery may take in more indexes.
        const ROW: usize = 256;
        let size = |command: &Command| match command {
            Command::Record(record) => {
                ROW + record.attempt.as_ref().map_or(0, |attempt| attempt.response.len())
            }
            Command::Load { .. }
            | Command::CancelWebhook(_)
            | Command::CancelOthers(_)
            | Command::Gone { .. } => ROW,
        };
        Self {
            requests: requests.map(|request| request.size() as u64).sum(),
            commands: commands.map(|command| size(command) as u64).sum(),
        }
    }
}

impl Quota {
    pub(super) fn new(connection: &Connection, max_bytes: u64) -> rusqlite::Result<Self> {
        let page_size = file::page_size(connection)?;
        let reserve = (max_bytes / RESERVE_PART).min(MAX_RESERVE);
        Ok(Self { page_size, all: max_bytes / page_size, publishing: (max_bytes - reserve) / page_size })
    }

    /// How much may be in use before publishing is refused, in bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.in_bytes(self.publishing)
    }

    pub(super) const fn in_bytes(&self, pages: u64) -> u64 {
        pages * self.page_size
    }

    /// How many bytes publishes may still take.
    pub(super) fn room(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let used = Pages::read(connection)?.used;
        Ok(self.in_bytes(self.publishing.saturating_sub(used)))
    }

    /// Whether there is room for a transaction.
    pub(super) fn has(&self, connection: &Connection, need: Need) -> rusqlite::Result<bool> {
        let used = self.in_bytes(Pages::read(connection)?.used);
        let Need { requests, commands } = need;
        let publishing = requests == 0 || used + requests <= self.in_bytes(self.publishing);
        Ok(publishing && used + requests + commands <= self.in_bytes(self.all))
    }

    /// Whether room is to be made before it is needed.
    pub(super) fn is_scarce(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let used = Pages::read(connection)?.used;
        Ok(used > self.publishing - self.publishing / SCARCE_PART)
    }
}

impl Pages {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        connection
            .prepare_cached(
                "SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count",
            )?
            .query_row([], |row| {
                let (all, free) = (row.get::<_, u32>(0)?, row.get::<_, u32>(1)?);
                Ok(Self { used: u64::from(all.saturating_sub(free)), free: u64::from(free) })
            })
    }
}
