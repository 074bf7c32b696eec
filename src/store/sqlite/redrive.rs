//! Making all failed deliveries of a webhook due again, a stretch of them in each transaction.

use hookwright_engine::delivery::{Kind, State};
use hookwright_engine::id::{DeliveryId, WebhookId};
use hookwright_engine::pattern::EventType;
use hookwright_engine::time::Time;
use rusqlite::{Connection, named_params, params};

use super::asked::Age;
use super::commit::Commit;
use super::ledger;
use super::row::{self, DeliveryRow, select_deliveries};
use crate::store::{Asked, Selection, Stretch};

/// How many deliveries one transaction looks at.
pub(super) const CHUNK: usize = 1000;

/// Failed and dead-lettered ones; those of tests are none that anybody waits for.
pub(super) const COUNT: &str = "SELECT count(*) FROM deliveries AS d INDEXED BY deliveries_unwell
    WHERE webhook = :webhook AND state > 1 AND state < 4 AND kind < 2 AND id >= :since AND id < :until
    AND (:type IS NULL OR EXISTS (SELECT 1 FROM events WHERE key = d.event AND type = :type))";

const STRETCH: &str = select_deliveries!(
    "FROM deliveries INDEXED BY deliveries_unwell
    WHERE webhook = ?1 AND state > 1 AND id >= ?2 AND id < ?3 ORDER BY id LIMIT ?4"
);

impl Commit<'_> {
    /// Retries a stretch of what failed: the first one, or the one behind `after`.
    pub(super) fn redrive(
        &mut self,
        webhook: WebhookId,
        selection: &Selection,
        asked: Option<&Asked>,
        after: Option<&Stretch>,
    ) -> rusqlite::Result<Stretch> {
        let asked_at = match (after, asked.map(|asked| self.note(asked)).transpose()?) {
            (Some(stretch), _) => stretch.asked_at,
            (None, Some(Age::Known(at))) => at,
            (None, Some(Age::New) | None) => self.now,
        };
        let Some(number) = self.ledger.find(self.connection, webhook)? else {
            return Ok(Stretch { count: 0, asked_at, last: None });
        };
        let after = after.and_then(|stretch| stretch.last);
        let rows = unwell(self.connection, number, selection, after)?;
        let last = rows.last().filter(|_| rows.len() == CHUNK).map(|row| row.id);
        let mut due = Vec::new();
        for row in rows {
            if self.is_selected(&row, selection, asked_at)? {
                due.push(self.make_due(&row)?);
            }
        }
        self.announce(None, &due)?;
        let count = due.len() as u64;
        Ok(Stretch { count, asked_at, last })
    }

    /// What failed since it was asked for is left alone: otherwise there would be no end of it.
    fn is_selected(
        &self,
        row: &DeliveryRow,
        selection: &Selection,
        asked_at: Time,
    ) -> rusqlite::Result<bool> {
        let failed = match row.state {
            State::Failed | State::DeadLettered => row.at <= asked_at,
            State::Pending { .. } | State::Delivered | State::Canceled => false,
        };
        let wanted = match row.kind {
            Kind::Event | Kind::DeadLetter => failed,
            Kind::Test => false,
        };
        let Some(event_type) = selection.event_type.as_ref().filter(|_| wanted) else { return Ok(wanted) };
        self.connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM events WHERE key = ?1 AND type = ?2)")?
            .query_row(params![row::key(row.event), event_type.as_str()], |row| row.get(0))
    }
}

/// How many deliveries a redrive would make due now.
pub(super) fn count(
    connection: &Connection,
    webhook: WebhookId,
    selection: &Selection,
) -> rusqlite::Result<u64> {
    let Some(number) = ledger::number(connection, webhook)? else { return Ok(0) };
    let (since, until) = bounds(selection);
    let count: i64 = connection.prepare_cached(COUNT)?.query_row(
        named_params! {
            ":webhook": number,
            ":since": since,
            ":until": until,
            ":type": selection.event_type.as_ref().map(EventType::as_str),
        },
        |row| row.get(0),
    )?;
    Ok(count.cast_unsigned())
}

fn unwell(
    connection: &Connection,
    webhook: i64,
    selection: &Selection,
    after: Option<DeliveryId>,
) -> rusqlite::Result<Vec<DeliveryRow>> {
    let (since, until) = bounds(selection);
    let from = after.map_or(since, |after| since.max(row::number(after) + 1));
    connection
        .prepare_cached(STRETCH)?
        .query_map(
            params![webhook, from, until, i64::try_from(CHUNK).unwrap_or(i64::MAX)],
            DeliveryRow::read,
        )?
        .collect()
}

/// The ids between which deliveries were made.
fn bounds(selection: &Selection) -> (i64, i64) {
    let first = |time| row::number(DeliveryId::first_at(time));
    (first(selection.since.unwrap_or(Time::MIN)), selection.until.map_or(i64::MAX, first))
}
