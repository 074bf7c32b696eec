//! The database's file: its owner's alone, locked, checked.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tracing::warn;

use super::{fault, reader, schema};
use crate::store::Error;

/// The whole of a database up to this size is checked when it is opened, which takes about a
/// second; of a larger one only what every commit needs. Damage elsewhere shows when it is read.
const CHECKED_WHOLE: u64 = 256 * 1024 * 1024;
/// How long the writer waits for a lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);
/// The write-ahead log is copied into the database once it has so many pages.
const CHECKPOINT_PAGES: u32 = 4000;
/// A write-ahead log that has grown beyond this is cut back, in bytes.
const WAL_LIMIT: u32 = 64 * 1024 * 1024;

/// The lock that keeps other processes off the database; released when dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Takes the database for this process, and makes it where there is none.
pub(super) fn open(path: &Path) -> Result<(Lock, Connection), Error> {
    let failed = |action| {
        move |error: io::Error| Error::Io { action, detail: format!("{error} ({})", path.display()) }
    };
    create_directory(path).map_err(failed("create the database's directory"))?;
    let lock = lock(path)?;
    create(path).map_err(failed("create the database"))?;
    close_to_others(path);
    let mut connection = connect(path).map_err(fault::at(path, "open the database"))?;
    schema::migrate(&mut connection, path, schema::STEPS)?;
    check(&connection, path)?;
    Ok((lock, connection))
}

pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() && !directory.exists() => {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            directory.parent().map_or(Ok(()), sync_directory)
        }
        Some(_) | None => Ok(()),
    }
}

/// The lock is on a file of its own: closing any descriptor of the database's file would drop the
/// locks that SQLite holds on it.
pub(super) fn lock(path: &Path) -> Result<Lock, Error> {
    let name = beside(path, ".lock");
    let failed = |error: io::Error| Error::Io {
        action: "lock the database",
        detail: format!("{error} ({})", name.display()),
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&name)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(path.display().to_string())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// An empty file is an empty database. Its log and index take over the file's mode.
fn create(path: &Path) -> io::Result<()> {
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
        Ok(file) => {
            file.sync_all()?;
            sync_directory_of(path)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Takes from other users what an earlier hand, such as one that copied it here, has let them read:
/// the database may hold secrets. Its log and index are there before it is opened if a process was
/// killed. Another user's file can be used where the group may, but not closed to it.
fn close_to_others(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let name = beside(path, suffix);
        let open = fs::metadata(&name).is_ok_and(|it| it.permissions().mode() & 0o077 != 0);
        if open && let Err(error) = fs::set_permissions(&name, Permissions::from_mode(0o600)) {
            warn!(%error, file = %name.display(), "failed to close the database to other users");
        }
    }
}

/// The file whose name is that of the database and a suffix.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes durable that a file is there.
pub(super) fn sync_directory_of(path: &Path) -> io::Result<()> {
    sync_directory(path.parent().unwrap_or(Path::new("")))
}

/// Makes the entries of a directory durable.
fn sync_directory(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    File::open(directory)?.sync_all()
}

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Nobody else writes; a checkpoint waits for readers.
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(reader::STATEMENTS);
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_LIMIT, |_| Ok(()))?;
    // The schema has no foreign keys: rows are removed together, and a check costs a look-up each.
    connection.pragma_update(None, "foreign_keys", false)?;
    // Free pages are used again rather than given back: the volume is sized for the quota anyway,
    // and moving pages to the end and away costs writes.
    Ok(connection)
}

pub(super) fn page_size(connection: &Connection) -> rusqlite::Result<u64> {
    connection.pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0)).map(u64::from)
}

fn check(connection: &Connection, path: &Path) -> Result<(), Error> {
    let size = path.metadata().map_or(0, |metadata| metadata.len());
    let sql = if size <= CHECKED_WHOLE { "PRAGMA quick_check(1)" } else { "PRAGMA quick_check(webhooks)" };
    sound(connection, path, sql, "check the database")
}

/// Sees what a check of SQLite finds.
pub(super) fn sound(
    connection: &Connection,
    path: &Path,
    sql: &str,
    action: &'static str,
) -> Result<(), Error> {
    let found: String = connection.query_row(sql, [], |row| row.get(0)).map_err(fault::at(path, action))?;
    if found == "ok" {
        return Ok(());
    }
    Err(Error::Damaged { path: path.display().to_string(), detail: found })
}
