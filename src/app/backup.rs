//! Copies of the queue.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::Error;
use super::core::DATABASE;
use crate::{config, store};

/// What stands for the standard output, or input.
const STANDARD: &str = "-";

/// Copies the database, whether or not an operator uses it.
pub fn backup(settings: &config::Backup) -> Result<(), Error> {
    let config::Backup { data, file } = settings;
    let database = data.join(DATABASE);
    let bytes = if file.as_os_str() == STANDARD {
        store::backup(&database, &mut io::stdout().lock())?
    } else {
        store::backup_to(&database, file)?
    };
    report(format_args!("copied {bytes} bytes of {}", database.display()))
}

/// Puts a copy in the place of the database.
pub fn restore(settings: &config::Restore) -> Result<(), Error> {
    let config::Restore { data, file, replace } = settings;
    let database = data.join(DATABASE);
    let bytes = if file.as_os_str() == STANDARD {
        store::restore(&database, &mut io::stdin().lock(), *replace)?
    } else {
        store::restore(&database, &mut open(file)?, *replace)?
    };
    report(format_args!("restored {bytes} bytes to {}", database.display()))
}

fn open(file: &Path) -> Result<File, Error> {
    File::open(file).map_err(|source| Error::Backup { file: file.to_owned(), source })
}

/// Says so on stderr, as stdout may be the copy.
fn report(done: std::fmt::Arguments<'_>) -> Result<(), Error> {
    writeln!(io::stderr(), "{done}").map_err(Error::Stdout)
}
