//! Accepting events: once per event id, and once per origin.

use std::sync::Arc;
use std::time::Duration;

use hookwright_engine::delivery::{Kind, State};
use hookwright_engine::event::{Event, Fingerprint};
use hookwright_engine::id::{BatchId, DeliveryId, EventId, EventKey, WebhookId};
use hookwright_engine::trace::Trace;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::commit::Commit;
use super::row::{self, DeliveryRow};
use crate::store::{Error, Notice, Publish, PublishError, Receipt, Target};

/// How long an event id is remembered, at least.
pub(super) const REMEMBERED: Duration = Duration::from_hours(24);

/// An event accepted earlier under the same id.
struct Known {
    key: EventKey,
    fanout: u32,
    fingerprint: Fingerprint,
}

impl Known {
    fn deliveries(&self) -> Vec<DeliveryId> {
        let first = self.key.as_u64() + 1;
        (first..first + u64::from(self.fanout)).map(DeliveryId::from_u64).collect()
    }
}

impl Commit<'_> {
    /// Accepts an event and makes its deliveries, unless that was done before.
    pub(super) fn publish(
        &mut self,
        publish: &Publish,
        fingerprint: Fingerprint,
        size: u64,
    ) -> rusqlite::Result<Result<Receipt, PublishError>> {
        if let Some(receipt) = self.asked_before(publish.origin)? {
            return Ok(Ok(receipt));
        }
        if let Some(id) = &publish.draft.id
            && let Some(known) = self.known(&publish.namespace, id)?
        {
            let recent = self.now.since(known.key.time()) < REMEMBERED;
            match (known.fingerprint == fingerprint, publish.origin) {
                (true, Some(origin)) => return self.send_known(publish, id, &known, origin).map(Ok),
                (true, None) if recent => {
                    let deliveries = known.deliveries();
                    return Ok(Ok(Receipt { event_id: id.clone(), deliveries, duplicate: true }));
                }
                (false, _) if recent => return Ok(Err(PublishError::Conflict(id.clone()))),
                (_, _) => {} // Forgotten: the id may be used anew.
            }
        }
        if size > self.room {
            self.refused += 1;
            let detail = "there is nothing left to remove that has ended; raise the quota, or let receivers \
                          take what waits for them";
            return Ok(Err(Error::Full(detail.to_owned()).into()));
        }
        self.room -= size;
        self.accept(publish, fingerprint).map(Ok)
    }

    /// Sends the event of a delivery once more.
    pub(super) fn replay(
        &mut self,
        of: DeliveryId,
        target: Target,
        origin: Uuid,
    ) -> rusqlite::Result<Option<DeliveryId>> {
        if let Some((delivery, _)) = by_origin(self.connection, origin)? {
            return Ok(Some(delivery));
        }
        let Some(of) = DeliveryRow::find(self.connection, of)? else { return Ok(None) };
        self.send_again(of.event, target, Kind::Event, origin).map(Some)
    }

    fn asked_before(&self, origin: Option<Uuid>) -> rusqlite::Result<Option<Receipt>> {
        let Some(origin) = origin else { return Ok(None) };
        let Some((delivery, event)) = by_origin(self.connection, origin)? else { return Ok(None) };
        let event_id = self
            .connection
            .prepare_cached("SELECT id FROM events WHERE key = ?1")?
            .query_row([row::key(event)], |row| row::parsed(row, 0))?;
        Ok(Some(Receipt { event_id, deliveries: vec![delivery], duplicate: true }))
    }

    /// The latest event under this id.
    fn known(&self, namespace: &str, id: &EventId) -> rusqlite::Result<Option<Known>> {
        self.connection
            .prepare_cached(
                "SELECT key, fanout, fingerprint FROM events
                 WHERE id = ?1 AND namespace = ?2 ORDER BY key DESC LIMIT 1",
            )?
            .query_row([id.as_str(), namespace], |row| {
                Ok(Known {
                    key: row::event_key(row, 0)?,
                    fanout: row.get(1)?,
                    fingerprint: Fingerprint(row.get(2)?),
                })
            })
            .optional()
    }

    fn accept(&mut self, publish: &Publish, fingerprint: Fingerprint) -> rusqlite::Result<Receipt> {
        let Publish { namespace, draft, targets, kind, origin } = publish;
        let key = EventKey::from_u64(self.sequence.next(self.now));
        let id = draft.id.clone().unwrap_or_else(|| EventId::generated(key));
        let event = Arc::new(draft.accept(id.clone(), self.now));
        self.connection
            .prepare_cached(
                "INSERT INTO events (key, id, namespace, type, fanout, fingerprint, payload, trace)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                row::key(key),
                id.as_str(),
                namespace,
                event.event_type.as_str(),
                i64::try_from(targets.len()).unwrap_or(i64::MAX),
                fingerprint.0,
                &*event.payload,
                event.trace.map(Trace::to_bytes),
            ])?;
        let size = u32::try_from(event.payload.len()).unwrap_or(u32::MAX);
        let rows = targets
            .iter()
            .map(|target| self.deliver(key, size, *target, *kind, *origin))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let deliveries = rows.iter().map(|row| row.id).collect();
        self.announce(Some((key, event)), &rows)?;
        Ok(Receipt { event_id: id, deliveries, duplicate: false })
    }

    /// An event that was accepted before is to be sent to a webhook: the delivery there is, or a new one.
    fn send_known(
        &mut self,
        publish: &Publish,
        id: &EventId,
        known: &Known,
        origin: Uuid,
    ) -> rusqlite::Result<Receipt> {
        let mut deliveries = Vec::with_capacity(publish.targets.len());
        for target in &publish.targets {
            if let Some(delivery) = self.sent_to(known, target.webhook)? {
                note_origin(self.connection, origin, delivery, known.key, false)?;
                deliveries.push(delivery);
            } else {
                self.restore_payload(publish, id, known.key)?;
                deliveries.push(self.send_again(known.key, *target, publish.kind, origin)?);
            }
        }
        Ok(Receipt { event_id: id.clone(), deliveries, duplicate: true })
    }

    /// The first delivery of an event to a webhook, if the log still knows it.
    fn sent_to(&mut self, known: &Known, target: WebhookId) -> rusqlite::Result<Option<DeliveryId>> {
        let Some(webhook) = self.ledger.find(self.connection, target)? else { return Ok(None) };
        let key = row::key(known.key);
        self.connection
            .prepare_cached(
                "SELECT id FROM deliveries WHERE id > ?1 AND id <= ?1 + ?2 AND webhook = ?3
                 UNION ALL
                 SELECT d.id FROM origins o JOIN deliveries d ON d.id = o.delivery
                 WHERE o.event = ?1 AND d.webhook = ?3
                 LIMIT 1",
            )?
            .query_row(params![key, known.fanout, webhook], |row| row::delivery_id(row, 0))
            .optional()
    }

    /// Retention may have kept only the event's id.
    fn restore_payload(&self, publish: &Publish, id: &EventId, key: EventKey) -> rusqlite::Result<()> {
        let event = publish.draft.accept(id.clone(), key.time());
        self.connection
            .prepare_cached("UPDATE events SET payload = ?2 WHERE key = ?1 AND payload IS NULL")?
            .execute(params![row::key(key), &*event.payload])?;
        Ok(())
    }

    fn send_again(
        &mut self,
        event: EventKey,
        target: Target,
        kind: Kind,
        origin: Uuid,
    ) -> rusqlite::Result<DeliveryId> {
        let size = self
            .connection
            .prepare_cached("SELECT ifnull(length(payload), 0) FROM events WHERE key = ?1")?
            .query_row([row::key(event)], |row| row.get(0))?;
        let row = self.deliver(event, size, target, kind, Some(origin))?;
        self.announce(None, &[row])?;
        Ok(row.id)
    }

    /// Makes a delivery, due now. One that somebody asked for by itself waits for no others.
    fn deliver(
        &mut self,
        event: EventKey,
        size: u32,
        target: Target,
        kind: Kind,
        origin: Option<Uuid>,
    ) -> rusqlite::Result<DeliveryRow> {
        let row = self.make(event, size, target, kind, None, origin.is_some())?;
        if let Some(origin) = origin {
            note_origin(self.connection, origin, row.id, event, true)?;
        }
        Ok(row)
    }

    /// Makes a delivery, due now, or when it is its turn in its line: in a batch of its own where it
    /// goes `alone`.
    pub(super) fn make(
        &mut self,
        event: EventKey,
        size: u32,
        target: Target,
        kind: Kind,
        dead_letter_of: Option<DeliveryId>,
        alone: bool,
    ) -> rusqlite::Result<DeliveryRow> {
        let Target { webhook, line } = target;
        let webhook = self.ledger.open(self.connection, webhook)?;
        let id = DeliveryId::from_u64(self.sequence.next(self.now));
        let row = DeliveryRow {
            id,
            event,
            webhook,
            state: State::Pending { due: self.now },
            parked: self.is_taken(webhook, line)?,
            attempts: 0,
            budget_from: 0,
            at: self.now,
            kind,
            dead_letter_of,
            line,
            batch: alone.then(|| BatchId::of([id])),
            size,
        };
        row.insert(self.connection)?;
        let account = self.ledger.account(self.connection, row.webhook)?;
        account.moved(None, row.group());
        account.removed = false;
        Ok(row)
    }

    /// Tells the driver of deliveries that are new, or pending again.
    pub(super) fn announce(
        &mut self,
        event: Option<(EventKey, Arc<Event>)>,
        rows: &[DeliveryRow],
    ) -> rusqlite::Result<()> {
        let (mut pending, mut parked) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            let place = if row.parked { &mut parked } else { &mut pending };
            place.push(self.pending(row)?);
        }
        if !pending.is_empty() {
            self.notices.push(Notice::Accepted { event, pending });
        }
        if !parked.is_empty() {
            self.notices.push(Notice::Parked(parked));
        }
        Ok(())
    }
}

/// An origin has one target; had it more, the first one would count.
fn note_origin(
    connection: &Connection,
    origin: Uuid,
    delivery: DeliveryId,
    event: EventKey,
    made: bool,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO origins (origin, delivery, event, made) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![origin.as_bytes(), row::number(delivery), row::key(event), made])?;
    Ok(())
}

/// The delivery that an origin asked for, and its event.
pub(super) fn by_origin(
    connection: &Connection,
    origin: Uuid,
) -> rusqlite::Result<Option<(DeliveryId, EventKey)>> {
    connection
        .prepare_cached("SELECT delivery, event FROM origins WHERE origin = ?1")?
        .query_row([origin.as_bytes()], |row| Ok((row::delivery_id(row, 0)?, row::event_key(row, 1)?)))
        .optional()
}
