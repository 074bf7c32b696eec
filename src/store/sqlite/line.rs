//! Lines: deliveries of a webhook that go one after the other.
//!
//! Of each line at most one delivery is pending, and is with the driver. The others are parked: they
//! take no room in memory, and the oldest of them is released in the transaction that ends the one before.

use hookwright_engine::delivery::State;
use hookwright_engine::ordering::Line;
use rusqlite::{Connection, OptionalExtension, params};

use super::commit::Commit;
use super::row::{self, DeliveryRow, select_deliveries};

/// Whether a line has deliveries that have not ended, in a state.
pub(super) const TAKEN: &str = "SELECT EXISTS (
        SELECT 1 FROM deliveries INDEXED BY deliveries_in_line
        WHERE state <= 0 AND webhook = ?1 AND line = ?2 AND state >= ?3
    )";

pub(super) const NEXT: &str = select_deliveries!(
    "FROM deliveries INDEXED BY deliveries_in_line
    WHERE state <= 0 AND webhook = ?1 AND line = ?2 AND state = -1 ORDER BY id LIMIT 1"
);

pub(super) const PARKED: &str = select_deliveries!(
    "FROM deliveries INDEXED BY deliveries_in_line
    WHERE state <= 0 AND line IS NOT NULL AND webhook = ?1 AND state = -1 LIMIT ?2"
);

impl Commit<'_> {
    /// Whether a delivery that joins a line now has to wait for others.
    pub(super) fn is_taken(&self, webhook: i64, line: Option<Line>) -> rusqlite::Result<bool> {
        line.map_or(Ok(false), |line| has(self.connection, webhook, line, row::PARKED))
    }

    /// A delivery of a line has ended: it is the turn of the oldest that waits, unless another one of
    /// the line is pending.
    pub(super) fn release(&mut self, webhook: i64, line: Option<Line>) -> rusqlite::Result<()> {
        let Some(line) = line else { return Ok(()) };
        if has(self.connection, webhook, line, row::PENDING)? {
            return Ok(());
        }
        let Some(parked) = next(self.connection, webhook, line)? else { return Ok(()) };
        let state = State::Pending { due: self.now };
        let released = DeliveryRow { state, parked: false, at: self.now, ..parked };
        self.change(&parked, &released)?;
        self.announce(None, &[released])
    }
}

/// Whether a line has a delivery that has not ended and is in this state or a later one.
fn has(connection: &Connection, webhook: i64, line: Line, state: i64) -> rusqlite::Result<bool> {
    connection.prepare_cached(TAKEN)?.query_row(params![webhook, row::place(line), state], |row| row.get(0))
}

fn next(connection: &Connection, webhook: i64, line: Line) -> rusqlite::Result<Option<DeliveryRow>> {
    connection
        .prepare_cached(NEXT)?
        .query_row(params![webhook, row::place(line)], DeliveryRow::read)
        .optional()
}

/// Parked deliveries of a webhook, at most so many.
pub(super) fn parked(
    connection: &Connection,
    webhook: i64,
    limit: usize,
) -> rusqlite::Result<Vec<DeliveryRow>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection.prepare_cached(PARKED)?.query_map(params![webhook, limit], DeliveryRow::read)?.collect()
}
