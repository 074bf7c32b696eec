//! How states and attempts stand in columns, and back.

use std::time::Duration;

use hookwright_engine::attempt::{Attempt, Failure, FailureReason, Fault, Outcome};
use hookwright_engine::delivery::{Kind, Pending, State};
use hookwright_engine::id::{BatchId, DeliveryId, EventKey, WebhookId};
use hookwright_engine::ordering::Line;
use hookwright_engine::time::Time;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::store::{Delivery, Group};

/// The `state` column.
pub(super) const PARKED: i64 = -1;
pub(super) const PENDING: i64 = 0;
pub(super) const DELIVERED: i64 = 1;
pub(super) const FAILED: i64 = 2;
pub(super) const DEAD_LETTERED: i64 = 3;
pub(super) const CANCELED: i64 = 4;

/// A row of `deliveries`.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeliveryRow {
    pub id: DeliveryId,
    pub event: EventKey,
    /// `webhooks.number`.
    pub webhook: i64,
    pub state: State,
    /// It is pending, but not its turn in its line.
    pub parked: bool,
    pub attempts: u32,
    pub budget_from: u32,
    /// When it is due, or when it ended.
    pub at: Time,
    pub kind: Kind,
    pub dead_letter_of: Option<DeliveryId>,
    pub line: Option<Line>,
    pub batch: Option<BatchId>,
    pub size: u32,
}

/// The query of what [`DeliveryRow::read`] reads, from this table on.
macro_rules! select_deliveries {
    ($from:literal) => {
        concat!(
            "SELECT id, event, webhook, state, attempts, budget_from, at, kind, dead_letter_of, line, batch, size ",
            $from
        )
    };
}
pub(super) use select_deliveries;

const FIND: &str = select_deliveries!("FROM deliveries WHERE id = ?1");

impl DeliveryRow {
    pub(super) fn find(connection: &Connection, id: DeliveryId) -> rusqlite::Result<Option<Self>> {
        connection.prepare_cached(FIND)?.query_row([number(id)], Self::read).optional()
    }

    /// From the columns of [`select_deliveries`].
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: delivery_id(row, 0)?,
            event: event_key(row, 1)?,
            webhook: row.get(2)?,
            state: state(row, 3, 6)?,
            parked: is_parked(row, 3)?,
            attempts: row.get(4)?,
            budget_from: row.get(5)?,
            at: time(row, 6)?,
            kind: kind(row, 7)?,
            dead_letter_of: optional_id(row, 8)?,
            line: row.get::<_, Option<i64>>(9)?.map(|line| Line::from_u64(line.cast_unsigned())),
            batch: batch(row, 10)?,
            size: row.get(11)?,
        })
    }

    pub(super) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Self { id, event, webhook, attempts, budget_from, at, kind, dead_letter_of, .. } = *self;
        let Self { line, batch, size, .. } = *self;
        connection
            .prepare_cached(
                "INSERT INTO deliveries
                     (id, event, webhook, state, attempts, budget_from, at, kind, dead_letter_of, line, batch, size)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(params![
                number(id),
                key(event),
                webhook,
                self.code(),
                attempts,
                budget_from,
                at.as_millis(),
                code_of_kind(kind),
                dead_letter_of.map(number),
                line.map(place),
                batch_number(batch),
                size,
            ])?;
        Ok(())
    }

    pub(super) fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        // The rest never changes.
        let Self { id, attempts, budget_from, at, batch, .. } = *self;
        connection
            .prepare_cached(
                "UPDATE deliveries SET state = ?2, attempts = ?3, budget_from = ?4, at = ?5, batch = ?6
                 WHERE id = ?1",
            )?
            .execute(params![
                number(id),
                self.code(),
                attempts,
                budget_from,
                at.as_millis(),
                batch_number(batch),
            ])?;
        Ok(())
    }

    const fn code(&self) -> i64 {
        if self.parked { PARKED } else { code(self.state) }
    }

    /// How it is counted.
    pub(super) const fn group(&self) -> Group {
        match self.state {
            State::Pending { .. } if self.attempts == 0 => Group::Pending,
            State::Pending { .. } => Group::Retrying,
            State::Delivered => Group::Delivered,
            State::Failed | State::DeadLettered => Group::Failed,
            State::Canceled => Group::Canceled,
        }
    }

    /// What the engine must know of it, were it due at `at`.
    pub(super) const fn pending(&self, webhook: WebhookId) -> Pending {
        let Self { id, event, attempts, budget_from, at, kind, line, batch, size, .. } = *self;
        Pending { id, event, webhook, attempts, budget_from, kind, due: at, line, batch, size }
    }
}

/// The whole of a delivery.
pub(super) fn delivery(connection: &Connection, id: DeliveryId) -> rusqlite::Result<Option<Delivery>> {
    let found = connection
        .prepare_cached(
            "SELECT w.uid, d.event, e.namespace, e.id, e.type, d.state, d.attempts, d.at, d.budget_from,
                    (SELECT origin FROM origins WHERE delivery = d.id AND made = 1), d.kind, d.dead_letter_of,
                    (SELECT id FROM deliveries WHERE dead_letter_of = d.id)
             FROM deliveries d JOIN events e ON e.key = d.event JOIN webhooks w ON w.number = d.webhook
             WHERE d.id = ?1",
        )?
        .query_row([number(id)], |row| {
            let state = state(row, 5, 7)?;
            Ok(Delivery {
                id,
                webhook: webhook_id(row, 0)?,
                event: event_key(row, 1)?,
                namespace: row.get(2)?,
                event_id: parsed(row, 3)?,
                event_type: parsed(row, 4)?,
                created: id.time(),
                state,
                parked: is_parked(row, 5)?,
                attempts: row.get(6)?,
                budget_from: row.get(8)?,
                finished: state.is_final().then_some(time(row, 7)?),
                origin: row.get::<_, Option<[u8; 16]>>(9)?.map(Uuid::from_bytes),
                kind: kind(row, 10)?,
                dead_letter_of: optional_id(row, 11)?,
                dead_letter: optional_id(row, 12)?,
                last_attempt: None,
            })
        })
        .optional()?;
    let Some(delivery) = found else { return Ok(None) };
    let last_attempt = last_attempt(connection, id)?;
    Ok(Some(Delivery { last_attempt, ..delivery }))
}

fn last_attempt(connection: &Connection, id: DeliveryId) -> rusqlite::Result<Option<Attempt>> {
    connection
        .prepare_cached(
            "SELECT number, started, `elapsed_us`, status, `retry_after`, reason, message, response
             FROM attempts WHERE delivery = ?1 ORDER BY number DESC LIMIT 1",
        )?
        .query_row([number(id)], |row| Ok(read_attempt(row)?.1))
        .optional()
}

/// One attempt of a delivery.
pub(super) fn attempt(
    connection: &Connection,
    id: DeliveryId,
    attempt: u32,
) -> rusqlite::Result<Option<Attempt>> {
    connection
        .prepare_cached(
            "SELECT number, started, `elapsed_us`, status, `retry_after`, reason, message, response
             FROM attempts WHERE delivery = ?1 AND number = ?2",
        )?
        .query_row(params![number(id), attempt], |row| Ok(read_attempt(row)?.1))
        .optional()
}

/// All attempts of a delivery, oldest first.
pub(super) fn attempts(connection: &Connection, id: DeliveryId) -> rusqlite::Result<Vec<(u32, Attempt)>> {
    connection
        .prepare_cached(
            "SELECT number, started, `elapsed_us`, status, `retry_after`, reason, message, response
             FROM attempts WHERE delivery = ?1 ORDER BY number",
        )?
        .query_map([number(id)], read_attempt)?
        .collect()
}

/// Appends an attempt, with as much of the response as is to be kept.
pub(super) fn insert_attempt(
    connection: &Connection,
    id: DeliveryId,
    attempt_number: u32,
    attempt: &Attempt,
    response: &[u8],
) -> rusqlite::Result<()> {
    let Attempt { started, elapsed, outcome, response: _ } = attempt;
    let (status, retry_after, reason, message) = match outcome {
        Outcome::Responded { status, retry_after } => (Some(*status), *retry_after, None, None),
        Outcome::Failed(Failure { reason, message }) => {
            (None, None, Some(reason.as_str()), Some(message.as_str()))
        }
        Outcome::Fault(Fault::Store(message)) => (None, None, Some(STORE_FAULT), Some(message.as_str())),
        Outcome::Fault(Fault::Request(message)) => (None, None, Some(REQUEST_FAULT), Some(message.as_str())),
        Outcome::Fault(Fault::Shutdown) => (None, None, Some(SHUTDOWN_FAULT), None),
    };
    connection
        .prepare_cached(
            "INSERT INTO attempts (delivery, number, started, `elapsed_us`, status, `retry_after`, reason, message, response)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            number(id),
            attempt_number,
            started.as_millis(),
            i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX),
            status,
            retry_after.map(Time::as_millis),
            reason,
            message,
            response,
        ])?;
    Ok(())
}

const STORE_FAULT: &str = "StoreFault";
const REQUEST_FAULT: &str = "RequestFault";
const SHUTDOWN_FAULT: &str = "Shutdown";

/// From the columns number, started, `elapsed_us`, status, `retry_after`, reason, message, response.
fn read_attempt(row: &Row<'_>) -> rusqlite::Result<(u32, Attempt)> {
    let outcome = if let Some(status) = row.get(3)? {
        let retry_after = row.get::<_, Option<i64>>(4)?.map(Time::from_millis);
        Outcome::Responded { status, retry_after }
    } else {
        let reason: String = row.get(5)?;
        let message: String = row.get::<_, Option<_>>(6)?.unwrap_or_default();
        match reason.as_str() {
            STORE_FAULT => Outcome::Fault(Fault::Store(message)),
            REQUEST_FAULT => Outcome::Fault(Fault::Request(message)),
            SHUTDOWN_FAULT => Outcome::Fault(Fault::Shutdown),
            name => {
                let reason = FailureReason::ALL.into_iter().find(|reason| reason.as_str() == name);
                Outcome::Failed(Failure { reason: reason.ok_or_else(|| unknown(5, name))?, message })
            }
        }
    };
    let attempt = Attempt {
        started: time(row, 1)?,
        elapsed: Duration::from_micros(row.get::<_, i64>(2)?.cast_unsigned()),
        outcome,
        response: row.get(7)?,
    };
    Ok((row.get(0)?, attempt))
}

pub(super) const fn code(state: State) -> i64 {
    match state {
        State::Pending { .. } => PENDING,
        State::Delivered => DELIVERED,
        State::Failed => FAILED,
        State::DeadLettered => DEAD_LETTERED,
        State::Canceled => CANCELED,
    }
}

fn state(row: &Row<'_>, state: usize, at: usize) -> rusqlite::Result<State> {
    match row.get(state)? {
        PARKED | PENDING => Ok(State::Pending { due: time(row, at)? }),
        DELIVERED => Ok(State::Delivered),
        FAILED => Ok(State::Failed),
        DEAD_LETTERED => Ok(State::DeadLettered),
        CANCELED => Ok(State::Canceled),
        other => Err(unknown(state, &other.to_string())),
    }
}

const fn code_of_kind(kind: Kind) -> i64 {
    match kind {
        Kind::Event => 0,
        Kind::DeadLetter => 1,
        Kind::Test => 2,
    }
}

fn kind(row: &Row<'_>, column: usize) -> rusqlite::Result<Kind> {
    match row.get(column)? {
        0_i64 => Ok(Kind::Event),
        1 => Ok(Kind::DeadLetter),
        2 => Ok(Kind::Test),
        other => Err(unknown(column, &other.to_string())),
    }
}

fn optional_id(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<DeliveryId>> {
    let number: Option<i64> = row.get(column)?;
    Ok(number.map(|number| DeliveryId::from_u64(number.cast_unsigned())))
}

fn is_parked(row: &Row<'_>, state: usize) -> rusqlite::Result<bool> {
    Ok(row.get::<_, i64>(state)? == PARKED)
}

/// A line as a column holds it.
pub(super) const fn place(line: Line) -> i64 {
    line.as_u64().cast_signed()
}

/// A delivery's id as a column holds it.
pub(super) const fn number(id: DeliveryId) -> i64 {
    id.as_u64().cast_signed()
}

/// An event's key as a column holds it.
pub(super) const fn key(event: EventKey) -> i64 {
    event.as_u64().cast_signed()
}

/// A batch as a column holds it.
pub(super) const fn batch_number(batch: Option<BatchId>) -> i64 {
    match batch {
        Some(batch) => batch.as_u64().cast_signed(),
        None => 0,
    }
}

fn batch(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<BatchId>> {
    row.get::<_, i64>(column).map(|number| BatchId::from_u64(number.cast_unsigned()))
}

pub(super) fn delivery_id(row: &Row<'_>, column: usize) -> rusqlite::Result<DeliveryId> {
    row.get::<_, i64>(column).map(|number| DeliveryId::from_u64(number.cast_unsigned()))
}

pub(super) fn event_key(row: &Row<'_>, column: usize) -> rusqlite::Result<EventKey> {
    row.get::<_, i64>(column).map(|number| EventKey::from_u64(number.cast_unsigned()))
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Time> {
    row.get(column).map(Time::from_millis)
}

pub(super) fn webhook_id(row: &Row<'_>, column: usize) -> rusqlite::Result<WebhookId> {
    row.get(column).map(|uid| WebhookId::from_uid(Uuid::from_bytes(uid)))
}

pub(super) fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|_| unknown(column, text))
}

fn unknown(column: usize, value: &str) -> rusqlite::Error {
    let problem = format!("unknown value '{}'", value.chars().take(64).collect::<String>());
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, problem.into())
}
