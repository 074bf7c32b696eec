//! What users ask for by annotation: done once per value, however often it is read.

use hookwright_engine::time::Time;
use rusqlite::{Connection, OptionalExtension, params};

use super::commit::Commit;
use crate::store::Asked;

/// Whether something was asked for before.
pub(super) enum Age {
    /// It was not.
    New,
    /// It was, then.
    Known(Time),
}

impl Commit<'_> {
    /// Takes note of what was asked for, in the transaction that does it.
    pub(super) fn note(&self, asked: &Asked) -> rusqlite::Result<Age> {
        let Asked { by, value } = asked;
        let known = self
            .connection
            .prepare_cached("SELECT value, at FROM requests WHERE origin = ?1")?
            .query_row([by.as_bytes()], |row| Ok((row.get::<_, String>(0)?, Time::from_millis(row.get(1)?))))
            .optional()?;
        if let Some((_, at)) = known.filter(|(known, _)| known == value) {
            return Ok(Age::Known(at));
        }
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO requests (origin, value, at) VALUES (?1, ?2, ?3)")?
            .execute(params![by.as_bytes(), value, self.now.as_millis()])?;
        Ok(Age::New)
    }
}

/// Forgets what was asked for before that.
pub(super) fn forget(connection: &Connection, before: Time) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM requests WHERE at < ?1")?.execute([before.as_millis()])?;
    Ok(())
}
