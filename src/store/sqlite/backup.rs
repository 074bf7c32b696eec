//! Copies of the database: taken while it is in use, and put in its place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::Connection;

use super::{fault, file, reader, schema};
use crate::store::Error;

/// Writes a copy of the database in use, as of one commit, and answers its size in bytes.
///
/// It needs no room on the disk but for what is committed meanwhile, as the write-ahead log cannot be cut back before it ends.
pub fn backup(path: &Path, to: &mut impl Write) -> Result<u64, Error> {
    let connection = reader::connect(path).map_err(fault::at(path, "open the database"))?;
    copy(&connection, to).map_err(|error| match error {
        Failure::Read(error) => fault::at(path, "read the database")(error),
        Failure::Write(error) => Error::Io { action: "write the backup", detail: error.to_string() },
    })
}

/// Writes a copy of the database to a new file, which is its owner's alone.
pub fn backup_to(path: &Path, to: &Path) -> Result<u64, Error> {
    let failed = |error: io::Error| Error::Io {
        action: "write the backup",
        detail: format!("{error} ({})", to.display()),
    };
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(to).map_err(failed)?;
    let written = backup(path, &mut file).and_then(|bytes| {
        file.sync_all().and_then(|()| file::sync_directory_of(to)).map_err(failed)?;
        Ok(bytes)
    });
    if written.is_err() {
        // It would be taken for a backup. What is to be said is why there is none.
        drop(fs::remove_file(to));
    }
    written
}

/// Puts a copy in the place of the database, which must not be in use. One that is there already stays unless `replace`.
pub fn restore(path: &Path, from: &mut impl Read, replace: bool) -> Result<u64, Error> {
    let failed = |action| {
        move |error: io::Error| Error::Io { action, detail: format!("{error} ({})", path.display()) }
    };
    file::create_directory(path).map_err(failed("create the database's directory"))?;
    let _lock = file::lock(path)?;
    if !replace && fs::metadata(path).is_ok_and(|found| found.len() > 0) {
        return Err(Error::Exists(path.display().to_string()));
    }
    let copy = file::beside(path, ".restored");
    let restored = receive(&copy, from).and_then(|bytes| {
        for log in ["-wal", "-shm"] {
            remove(&file::beside(path, log))
                .map_err(failed("remove the log of the database that was there"))?;
        }
        fs::rename(&copy, path)
            .and_then(|()| file::sync_directory_of(path))
            .map_err(failed("put the backup in place"))?;
        Ok(bytes)
    });
    if restored.is_err() {
        drop(remove(&copy));
    }
    restored
}

/// Why there is no copy.
enum Failure {
    Read(rusqlite::Error),
    Write(io::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read(error)
    }
}

/// A statement sees one commit, and so does a copy that is read by one.
fn copy(connection: &Connection, to: &mut impl Write) -> Result<u64, Failure> {
    let mut pages = connection.prepare("SELECT data FROM sqlite_dbpage ORDER BY pgno")?;
    let mut pages = pages.query([])?;
    let mut bytes = 0;
    while let Some(page) = pages.next()? {
        let page = page.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        to.write_all(page).map_err(Failure::Write)?;
        bytes += page.len() as u64;
    }
    to.flush().map_err(Failure::Write)?;
    Ok(bytes)
}

/// Writes down what comes, and sees that it is a database of ours, whole.
fn receive(copy: &Path, from: &mut impl Read) -> Result<u64, Error> {
    let failed = |error: io::Error| Error::Io {
        action: "write the database",
        detail: format!("{error} ({})", copy.display()),
    };
    let mut file = File::options();
    let mut file = file.create(true).truncate(true).write(true).mode(0o600).open(copy).map_err(failed)?;
    let bytes = io::copy(from, &mut file).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    drop(file);
    let connection = file::connect(copy).map_err(fault::at(copy, "open the backup"))?;
    schema::check(&connection, copy)?;
    file::sound(&connection, copy, "PRAGMA integrity_check(1)", "check the backup")?;
    // The last connection takes its log and index with it.
    connection.close().map_err(|(_, error)| fault::at(copy, "close the backup")(error))?;
    Ok(bytes)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
