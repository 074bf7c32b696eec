//! Removing what is old, a little at a time: a walk through the events from the oldest on.

use std::time::Duration;

use hookwright_engine::id::{DeliveryId, EventKey};
use hookwright_engine::time::Time;
use rusqlite::{Connection, OptionalExtension, params};

use super::publish::REMEMBERED;
use super::{asked, row};
use crate::store::Retention;

/// How long after one walk the next one begins.
const ROUND: Duration = Duration::from_mins(1);
/// How many rows one step looks at.
pub(super) const STEP: usize = 512;
/// So many steps are taken at once where a publish needs room.
const MAX_STEPS: usize = 16;

/// The walk.
#[derive(Debug)]
pub(super) struct Walk {
    retention: Retention,
    /// Where it goes on; at the begin between two rounds.
    next: EventKey,
    /// When the next round begins; the past while one is under way.
    round: Time,
}

/// What a step came to. Takes effect on the walk once the transaction is committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    next: EventKey,
    /// Deliveries removed.
    pub removed: usize,
    ended: bool,
}

/// What is to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// What is older than the log is kept.
    Age,
    /// Whatever has ended.
    Size,
}

impl Walk {
    pub(super) const fn new(retention: Retention) -> Self {
        Self { retention, next: EventKey::from_u64(0), round: Time::MIN }
    }

    /// Whether there may be something to remove.
    pub(super) fn is_due(&self, now: Time) -> bool {
        now >= self.round
    }

    /// Looks at about `rows` rows behind the place where the last step ended.
    pub(super) fn step(
        &self,
        connection: &Connection,
        now: Time,
        reason: Reason,
        rows: usize,
    ) -> rusqlite::Result<Step> {
        let horizon = match reason {
            Reason::Age => now - self.retention.age,
            Reason::Size => Time::from_millis(i64::MAX),
        };
        step(connection, self.next, horizon, now - REMEMBERED, rows)
    }

    /// Goes on behind a step that was committed.
    pub(super) fn advance(&mut self, step: Step, now: Time) {
        self.next = step.next;
        self.round = if step.ended { now + ROUND } else { Time::MIN };
    }

    /// Begins the next round later.
    pub(super) fn postpone(&mut self, now: Time) {
        self.round = now + ROUND;
    }

    /// Removes what has ended until `enough`, within the transaction that needs the room.
    pub(super) fn make_room(
        &mut self,
        connection: &Connection,
        now: Time,
        mut enough: impl FnMut() -> rusqlite::Result<bool>,
    ) -> rusqlite::Result<usize> {
        let mut removed = 0;
        for _ in 0..MAX_STEPS {
            if enough()? {
                break;
            }
            let step = self.step(connection, now, Reason::Size, STEP)?;
            removed += step.removed;
            // Nothing is lost should the transaction fail: the next round comes by again.
            self.advance(step, now);
        }
        Ok(removed)
    }
}

fn step(
    connection: &Connection,
    from: EventKey,
    horizon: Time,
    remembered: Time,
    rows: usize,
) -> rusqlite::Result<Step> {
    let (mut next, mut removed, mut left) = (from, 0, rows);
    let before = EventKey::first_at(horizon);
    while left > 0 {
        let Some((key, fanout)) = event(connection, next, before)? else {
            remove_webhooks(connection)?;
            asked::forget(connection, remembered)?;
            return Ok(Step { next: EventKey::from_u64(0), removed, ended: true });
        };
        let ended = ended(connection, key, fanout, horizon, left)?;
        for id in &ended {
            remove_delivery(connection, *id)?;
        }
        removed += ended.len();
        if ended.len() == left {
            // Perhaps not all of its deliveries.
            return Ok(Step { next: key, removed, ended: false });
        }
        if !is_needed(connection, key, fanout)? {
            remove_event(connection, key, remembered)?;
        }
        left = left.saturating_sub(1 + usize::try_from(fanout).unwrap_or(usize::MAX));
        next = EventKey::from_u64(key.as_u64() + 1);
    }
    Ok(Step { next, removed, ended: false })
}

/// The first event at or behind `from`, and how many deliveries were made with it.
fn event(
    connection: &Connection,
    from: EventKey,
    before: EventKey,
) -> rusqlite::Result<Option<(EventKey, u32)>> {
    connection
        .prepare_cached("SELECT key, fanout FROM events WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT 1")?
        .query_row([row::key(from), row::key(before)], |row| Ok((row::event_key(row, 0)?, row.get(1)?)))
        .optional()
}

/// Deliveries of an event that ended before `horizon`, but for those that their webhook's summary shows.
fn ended(
    connection: &Connection,
    event: EventKey,
    fanout: u32,
    horizon: Time,
    limit: usize,
) -> rusqlite::Result<Vec<DeliveryId>> {
    connection
        .prepare_cached(
            "SELECT d.id FROM deliveries d JOIN webhooks w ON w.number = d.webhook
             WHERE (d.id > ?1 AND d.id <= ?1 + ?2
                    OR d.id IN (SELECT delivery FROM origins WHERE event = ?1)
                    OR d.id IN (SELECT id FROM deliveries WHERE event = ?1 AND dead_letter_of IS NOT NULL))
             AND d.state > 0 AND d.at < ?3
             AND (w.removed OR d.id IS NOT w.last AND d.id IS NOT w.last_failure)
             LIMIT ?4",
        )?
        .query_map(
            params![row::key(event), fanout, horizon.as_millis(), i64::try_from(limit).unwrap_or(i64::MAX)],
            |row| row::delivery_id(row, 0),
        )?
        .collect()
}

fn is_needed(connection: &Connection, event: EventKey, fanout: u32) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM deliveries WHERE id > ?1 AND id <= ?1 + ?2)
                 OR EXISTS (SELECT 1 FROM origins WHERE event = ?1)
                 OR EXISTS (SELECT 1 FROM deliveries WHERE event = ?1 AND dead_letter_of IS NOT NULL)",
        )?
        .query_row(params![row::key(event), fanout], |row| row.get(0))
}

fn remove_delivery(connection: &Connection, id: DeliveryId) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM attempts WHERE delivery = ?1",
        "DELETE FROM origins WHERE delivery = ?1",
        "DELETE FROM deliveries WHERE id = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([row::number(id)])?;
    }
    Ok(())
}

/// Removes an event, or only its payload while its id must be remembered.
fn remove_event(connection: &Connection, event: EventKey, remembered: Time) -> rusqlite::Result<()> {
    let sql = if event.time() < remembered {
        "DELETE FROM events WHERE key = ?1"
    } else {
        "UPDATE events SET payload = NULL WHERE key = ?1 AND payload IS NOT NULL"
    };
    connection.prepare_cached(sql)?.execute([row::key(event)])?;
    Ok(())
}

/// Removes deleted webhooks without deliveries.
fn remove_webhooks(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM webhooks WHERE removed
             AND NOT EXISTS (SELECT 1 FROM deliveries WHERE webhook = webhooks.number)",
        )?
        .execute([])?;
    Ok(())
}
