//! The unfinished deliveries of whole webhooks: read in pages, canceled in chunks.

use std::collections::HashSet;

use hookwright_engine::delivery::Position;
use hookwright_engine::id::{DeliveryId, WebhookId};
use hookwright_engine::time::Time;
use rusqlite::{Connection, params};

use super::commit::{Commit, Progress};
use super::line;
use super::row::{self, DeliveryRow, select_deliveries};
use crate::store::{Notice, Page};

/// How many deliveries one transaction cancels for a command.
const CANCEL_CHUNK: usize = 1000;

/// Behind no position at all.
const BEGIN: Position = Position { due: Time::MIN, batch: None, id: DeliveryId::from_u64(0) };

pub(super) const PAGE: &str = select_deliveries!(
    "FROM deliveries INDEXED BY deliveries_unfinished
    WHERE state = 0 AND webhook = ?1 AND (at, batch, id) > (?2, ?3, ?4) ORDER BY at, batch, id LIMIT ?5"
);

impl Commit<'_> {
    /// Reads a page of unfinished deliveries, as they stand in this transaction.
    pub(super) fn load(
        &mut self,
        webhook: WebhookId,
        after: Option<Position>,
        limit: usize,
    ) -> rusqlite::Result<()> {
        let mut page = Page::default();
        if let Some(number) = self.ledger.find(self.connection, webhook)? {
            let account = self.ledger.account(self.connection, number)?;
            (page.gone_generation, page.streak) = (account.gone_generation, account.streak);
            let mut rows = unfinished(self.connection, number, after, limit.saturating_add(1))?;
            page.more = rows.len() > limit;
            rows.truncate(limit);
            page.pending = rows.iter().map(|row| row.pending(webhook)).collect();
        }
        self.notices.push(Notice::Loaded { webhook, page });
        Ok(())
    }

    /// The webhook is deleted: cancels a chunk of its unfinished deliveries.
    pub(super) fn cancel_webhook(&mut self, webhook: WebhookId) -> rusqlite::Result<Progress> {
        let Some(number) = self.ledger.find(self.connection, webhook)? else { return Ok(Progress::Done) };
        self.ledger.account(self.connection, number)?.removed = true;
        let rows = self.to_cancel(number, CANCEL_CHUNK)?;
        self.cancel_all(&rows)?;
        Ok(if rows.len() == CANCEL_CHUNK { Progress::More } else { Progress::Done })
    }

    /// Only these webhooks are left: cancels a chunk of the unfinished deliveries of others.
    pub(super) fn cancel_others(&mut self, known: &HashSet<WebhookId>) -> rusqlite::Result<Progress> {
        let mut left = CANCEL_CHUNK;
        for (number, webhook) in webhooks(self.connection)? {
            if known.contains(&webhook) {
                continue;
            }
            let account = self.ledger.account(self.connection, number)?;
            account.removed = true;
            if account.pending + account.retrying == 0 {
                continue;
            }
            let rows = self.to_cancel(number, left)?;
            self.cancel_all(&rows)?;
            left -= rows.len();
            if left == 0 {
                return Ok(Progress::More);
            }
        }
        Ok(Progress::Done)
    }

    /// Unfinished deliveries, at most so many: those first that wait for others, or else they would be
    /// released one after the other.
    fn to_cancel(&self, webhook: i64, limit: usize) -> rusqlite::Result<Vec<DeliveryRow>> {
        let mut rows = line::parked(self.connection, webhook, limit)?;
        rows.extend(unfinished(self.connection, webhook, None, limit - rows.len())?);
        Ok(rows)
    }
}

fn unfinished(
    connection: &Connection,
    webhook: i64,
    after: Option<Position>,
    limit: usize,
) -> rusqlite::Result<Vec<DeliveryRow>> {
    let Position { due, batch, id } = after.unwrap_or(BEGIN);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(PAGE)?
        .query_map(
            params![webhook, due.as_millis(), row::batch_number(batch), row::number(id), limit],
            DeliveryRow::read,
        )?
        .collect()
}

/// The webhooks that are not known to be deleted, or not rid of their unfinished deliveries yet.
fn webhooks(connection: &Connection) -> rusqlite::Result<Vec<(i64, WebhookId)>> {
    connection
        .prepare_cached("SELECT number, uid FROM webhooks WHERE NOT removed OR pending + retrying > 0")?
        .query_map([], |row| Ok((row.get(0)?, row::webhook_id(row, 1)?)))?
        .collect()
}
