//! The schema: a list of steps, of which the database counts those it has seen in `user_version`.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::fault;
use crate::store::Error;

/// The steps, oldest first. One that was released is never changed; a change is a new step.
pub(super) const STEPS: &[&str] = &[include_str!("schema/1.sql")];

/// Brings the database to the version that `steps` lead to, each step in its own transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), Error> {
    let found = version(connection).map_err(fault::at(path, "read the database's schema version"))?;
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let Some(missing) = usize::try_from(found).ok().and_then(|found| steps.get(found..)) else {
        return Err(Error::Newer { path: path.display().to_string(), found, known });
    };
    for (sql, version) in missing.iter().zip(found + 1..) {
        step(connection, sql, version).map_err(fault::at(path, "migrate the database"))?;
    }
    Ok(())
}

/// Sees that it is a database of ours that this version can use.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), Error> {
    let found = version(connection).map_err(fault::at(path, "read the database's schema version"))?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let path = path.display().to_string();
    match found {
        ..=0 => Err(Error::Damaged { path, detail: "it is no database of Hookwright".to_owned() }),
        found if found > known => Err(Error::Newer { path, found, known }),
        _ => Ok(()),
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn step(connection: &mut Connection, sql: &str, version: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(sql)?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_database_takes_the_steps_it_misses_and_keeps_its_rows() {
        let mut connection = Connection::open_in_memory().unwrap();
        let path = Path::new("log.db");
        migrate(&mut connection, path, STEPS).unwrap();
        connection.execute("INSERT INTO webhooks (uid) VALUES (x'01')", []).unwrap();

        let steps = [STEPS, &["ALTER TABLE webhooks ADD COLUMN note TEXT NOT NULL DEFAULT 'none'"]].concat();
        migrate(&mut connection, path, &steps).unwrap();
        migrate(&mut connection, path, &steps).unwrap();
        let note: String = connection.query_row("SELECT note FROM webhooks", [], |row| row.get(0)).unwrap();
        assert_eq!(note, "none");
        assert_eq!(version(&connection).unwrap(), i64::try_from(steps.len()).unwrap());

        let refused = migrate(&mut connection, path, STEPS).unwrap_err();
        assert!(matches!(refused, Error::Newer { found, known, .. } if found == known + 1), "{refused}");
    }

    #[test]
    fn a_step_that_fails_leaves_nothing_behind() {
        let mut connection = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE a (x)"];
        migrate(&mut connection, Path::new("log.db"), &steps).unwrap_err();
        assert_eq!(version(&connection).unwrap(), 1);
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1);
    }
}
