//! What SQLite's errors mean for those who asked.

use std::path::Path;

use rusqlite::{ErrorCode, ffi};

use crate::store::Error;

/// Says what failed, for `map_err`: `action` completes "failed to …".
pub(super) fn at(path: &Path, action: &'static str) -> impl Fn(rusqlite::Error) -> Error + use<> {
    let path = path.to_owned();
    move |error| classify(&path, action, &error)
}

fn classify(path: &Path, action: &'static str, error: &rusqlite::Error) -> Error {
    let damaged = || Error::Damaged { path: path.display().to_string(), detail: error.to_string() };
    match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..) => damaged(),
        _ => match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Error::Full(format!("failed to {action}: {error}")),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(),
            _ => Error::Io { action, detail: format!("{} ({})", error, path.display()) },
        },
    }
}

/// Whether the error says that written data may not have reached the disk although a later
/// `fsync` will not report it again.
pub(super) fn is_failed_sync(error: &rusqlite::Error) -> bool {
    let failed = [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC];
    error.sqlite_error().is_some_and(|error| failed.contains(&error.extended_code))
}
