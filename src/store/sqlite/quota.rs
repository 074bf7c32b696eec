//! How much of the database's size is in use, and what may still be added.
//!
//! Publishing is refused a little before the quota is reached: what is left is for records of
//! attempts, which end deliveries, which retention can then remove. Records are written even where
//! that is used up, as nothing would ever end otherwise, but without what receivers answered.

use rusqlite::Connection;

use super::file;
use crate::store::stats::{Counters, set};

/// The reserve for everything but publishes: this part of the quota, at most [`MAX_RESERVE`].
const RESERVE_PART: u64 = 16;
const MAX_RESERVE: u64 = 64 * 1024 * 1024;
/// Room is scarce when less than this part of it is free.
const SCARCE_PART: u64 = 16;

/// The limits, in pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    page_size: u64,
    /// For everything.
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

    /// Shows what is in use.
    pub(super) fn show(&self, pages: Pages, counters: &Counters) {
        set(&counters.used_bytes, self.in_bytes(pages.used));
        set(&counters.free_bytes, self.in_bytes(pages.free));
    }

    const fn in_bytes(&self, pages: u64) -> u64 {
        pages * self.page_size
    }

    /// How many bytes publishes may still take.
    pub(super) fn room(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let used = Pages::read(connection)?.used;
        Ok(self.in_bytes(self.publishing.saturating_sub(used)))
    }

    /// Whether publishes that take about so many bytes have room.
    pub(super) fn has(&self, connection: &Connection, bytes: u64) -> rusqlite::Result<bool> {
        Ok(bytes == 0 || bytes <= self.room(connection)?)
    }

    /// Whether even the reserve is used up.
    pub(super) fn is_exceeded(&self, connection: &Connection) -> rusqlite::Result<bool> {
        Ok(Pages::read(connection)?.used > self.all)
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
