//! The rows of `webhooks` that one transaction touches: read once, counted in memory, written once.

use std::collections::{HashMap, hash_map};

use hookwright_engine::id::{DeliveryId, WebhookId};
use hookwright_engine::streak::Streak;
use hookwright_engine::time::Time;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::row;
use crate::store::Group;

/// A row of `webhooks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub webhook: WebhookId,
    pub pending: i64,
    pub retrying: i64,
    pub delivered: i64,
    pub failed: i64,
    pub last: Option<DeliveryId>,
    pub last_failure: Option<(DeliveryId, u32)>,
    pub gone_generation: Option<i64>,
    pub streak: Option<Streak>,
    pub removed: bool,
}

impl Account {
    const fn new(webhook: WebhookId) -> Self {
        Self {
            webhook,
            pending: 0,
            retrying: 0,
            delivered: 0,
            failed: 0,
            last: None,
            last_failure: None,
            gone_generation: None,
            streak: None,
            removed: false,
        }
    }

    /// A delivery of the webhook is new (`from` is `None`), or has changed its group.
    pub(super) fn moved(&mut self, from: Option<Group>, to: Group) {
        if let Some(count) = from.and_then(|from| self.count(from)) {
            *count -= 1;
        }
        if let Some(count) = self.count(to) {
            *count += 1;
        }
    }

    const fn count(&mut self, group: Group) -> Option<&mut i64> {
        match group {
            Group::Pending => Some(&mut self.pending),
            Group::Retrying => Some(&mut self.retrying),
            Group::Delivered => Some(&mut self.delivered),
            Group::Failed => Some(&mut self.failed),
            Group::Canceled => None,
        }
    }
}

/// Accounts by their number.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    numbers: HashMap<WebhookId, i64>,
    entries: HashMap<i64, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// As it was read.
    stored: Account,
    account: Account,
}

impl Entry {
    const fn new(stored: Account) -> Self {
        Self { stored, account: stored }
    }
}

impl Ledger {
    /// The number of a webhook, a new one where it has none.
    pub(super) fn open(&mut self, connection: &Connection, webhook: WebhookId) -> rusqlite::Result<i64> {
        if let Some(number) = self.find(connection, webhook)? {
            return Ok(number);
        }
        connection
            .prepare_cached("INSERT INTO webhooks (uid) VALUES (?1)")?
            .execute([webhook.uid().as_bytes()])?;
        let number = connection.last_insert_rowid();
        self.numbers.insert(webhook, number);
        self.entries.insert(number, Entry::new(Account::new(webhook)));
        Ok(number)
    }

    /// The number of a webhook, if it has one.
    pub(super) fn find(
        &mut self,
        connection: &Connection,
        webhook: WebhookId,
    ) -> rusqlite::Result<Option<i64>> {
        if let Some(number) = self.numbers.get(&webhook) {
            return Ok(Some(*number));
        }
        let number = number(connection, webhook)?;
        self.numbers.extend(number.map(|number| (webhook, number)));
        Ok(number)
    }

    /// The account with this number, to be changed.
    pub(super) fn account(&mut self, connection: &Connection, number: i64) -> rusqlite::Result<&mut Account> {
        let entry = match self.entries.entry(number) {
            hash_map::Entry::Occupied(occupied) => occupied.into_mut(),
            hash_map::Entry::Vacant(vacant) => vacant.insert(Entry::new(read(connection, number)?)),
        };
        Ok(&mut entry.account)
    }

    /// Writes back the accounts that have changed.
    pub(super) fn write(self, connection: &Connection) -> rusqlite::Result<()> {
        let mut update = connection.prepare_cached(
            "UPDATE webhooks SET pending = ?2, retrying = ?3, delivered = ?4, failed = ?5, last = ?6,
                 last_failure = ?7, last_failure_attempt = ?8, gone_generation = ?9, removed = ?10,
                 failing_generation = ?11, failing_since = ?12, failing_last = ?13, failing_attempts = ?14
             WHERE number = ?1",
        )?;
        for (number, Entry { stored, account }) in self.entries {
            if account == stored {
                continue;
            }
            let Account {
                webhook: _,
                pending,
                retrying,
                delivered,
                failed,
                last,
                last_failure,
                gone_generation,
                streak,
                removed,
            } = account;
            update.execute(params![
                number,
                pending,
                retrying,
                delivered,
                failed,
                last.map(row::number),
                last_failure.map(|(id, _)| row::number(id)),
                last_failure.map(|(_, attempt)| attempt),
                gone_generation,
                removed,
                streak.map(|streak| streak.generation),
                streak.map(|streak| streak.since.as_millis()),
                streak.map(|streak| streak.last.as_millis()),
                streak.map(|streak| streak.attempts),
            ])?;
        }
        Ok(())
    }
}

/// The number of a webhook, if it has one.
pub(super) fn number(connection: &Connection, webhook: WebhookId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT number FROM webhooks WHERE uid = ?1")?
        .query_row([webhook.uid().as_bytes()], |row| row.get(0))
        .optional()
}

/// The account with this number.
pub(super) fn read(connection: &Connection, number: i64) -> rusqlite::Result<Account> {
    connection
        .prepare_cached(
            "SELECT uid, pending, retrying, delivered, failed, last, last_failure, last_failure_attempt,
                    gone_generation, removed, failing_generation, failing_since, failing_last, failing_attempts
             FROM webhooks WHERE number = ?1",
        )?
        .query_row([number], |row| {
            let delivery = |column| {
                row.get::<_, Option<i64>>(column)
                    .map(|id| id.map(|number| DeliveryId::from_u64(number.cast_unsigned())))
            };
            Ok(Account {
                webhook: row::webhook_id(row, 0)?,
                pending: row.get(1)?,
                retrying: row.get(2)?,
                delivered: row.get(3)?,
                failed: row.get(4)?,
                last: delivery(5)?,
                last_failure: delivery(6)?.zip(row.get(7)?),
                gone_generation: row.get(8)?,
                removed: row.get(9)?,
                streak: streak(row)?,
            })
        })
}

/// From the columns `failing_generation`, `failing_since`, `failing_last`, `failing_attempts`.
fn streak(row: &Row<'_>) -> rusqlite::Result<Option<Streak>> {
    let Some(generation) = row.get(10)? else { return Ok(None) };
    let time = |column| row.get(column).map(Time::from_millis);
    Ok(Some(Streak { generation, since: time(11)?, last: time(12)?, attempts: row.get(13)? }))
}
