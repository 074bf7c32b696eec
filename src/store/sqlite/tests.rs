//! The conformance suite on SQLite, and what only SQLite has.

use std::path::Path;

use crate::clock::Clock;
use crate::store::conformance::conformance_of;
use crate::store::{Handle, Notices, Options, Retention, Service};

fn open(directory: &Path, retention: Retention, clock: Clock) -> (Handle, Notices, Service) {
    super::open(Options { path: directory.join("log.db"), retention, clock }).unwrap()
}

conformance_of!(open);
