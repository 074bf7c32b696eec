//! The webhooks that are kept here, with their signing keys.

use hookwright_engine::endpoint::PreviousKey;
use rusqlite::{Connection, Row, params};
use secrecy::{ExposeSecret, SecretString};

use super::commit::Commit;
use super::row;
use crate::store::{Error, Kept};

impl Commit<'_> {
    /// Writes down a webhook, in place of what was known of it.
    pub(super) fn keep(&mut self, kept: &Kept, size: u64) -> rusqlite::Result<Result<(), Error>> {
        if size > self.room {
            return Ok(Err(Error::Full("there is no room for another webhook".to_owned())));
        }
        self.room -= size;
        let Kept { namespace, name, spec, generation, created, key, previous } = kept;
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO kept_webhooks
                 (namespace, name, spec, generation, created, signing_key, previous_key, previous_until)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                namespace,
                name,
                spec,
                generation,
                created.as_millis(),
                key.as_ref().map(ExposeSecret::expose_secret),
                previous.as_ref().map(|previous| previous.secret.expose_secret()),
                previous.as_ref().map(|previous| previous.until.as_millis()),
            ])?;
        Ok(Ok(()))
    }

    /// Removes a webhook and its signing keys.
    pub(super) fn forget(&mut self, namespace: &str, name: &str) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("DELETE FROM kept_webhooks WHERE namespace = ?1 AND name = ?2")?
            .execute([namespace, name])?;
        Ok(())
    }
}

/// All of them, by namespace and name.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Kept>> {
    connection
        .prepare_cached(
            "SELECT namespace, name, spec, generation, created, signing_key, previous_key, previous_until
             FROM kept_webhooks ORDER BY namespace, name",
        )?
        .query_map([], read)?
        .collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Kept> {
    let secret =
        |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(column)?.map(SecretString::from));
    let previous = match secret(6)? {
        Some(secret) => Some(PreviousKey { secret, until: row::time(row, 7)? }),
        None => None,
    };
    Ok(Kept {
        namespace: row.get(0)?,
        name: row.get(1)?,
        spec: row.get(2)?,
        generation: row.get(3)?,
        created: row::time(row, 4)?,
        key: secret(5)?,
        previous,
    })
}
