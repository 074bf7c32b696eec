//! The conformance suite on SQLite, and what only SQLite has.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::clock::Clock;
use crate::store::conformance::conformance_of;
use crate::store::conformance::log::{AMPLE, Log, event, success, webhook};
use crate::store::{
    Command, Error, Group, Handle, Notices, Options, PublishError, Retention, Service, sqlite,
};

mod backup;
mod plans;

fn open(directory: &Path, retention: Retention, clock: Clock) -> (Handle, Notices, Service) {
    super::open(options(directory, retention, clock)).unwrap()
}

fn options(directory: &Path, retention: Retention, clock: Clock) -> Options {
    Options { path: file(directory), retention, clock }
}

fn file(directory: &Path) -> PathBuf {
    directory.join("data").join("log.db")
}

fn refused(directory: &Path) -> Error {
    super::open(options(directory, AMPLE, Clock::system())).unwrap_err()
}

conformance_of!(open);

/// A database with some hundred events, closed.
async fn closed() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let (handle, notices, service) = open(directory.path(), AMPLE, Clock::system());
    drop(notices);
    for number in 0..300 {
        handle.publish(event(&format!("evt_{number}"), &[1, 2, 3])).await.unwrap();
    }
    service.shutdown().await.unwrap();
    directory
}

#[tokio::test]
async fn the_database_is_its_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let _open = open(directory.path(), AMPLE, Clock::system());
    let path = file(directory.path());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_database_that_others_may_read_is_taken_from_them() {
    let directory = closed().await;
    let path = file(directory.path());
    for mode in [0o644, 0o660, 0o604] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let (_handle, notices, service) = open(directory.path(), AMPLE, Clock::system());
        for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        }
        drop(notices);
        service.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_database_in_use_is_refused_until_it_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let (_handle, notices, service) = open(directory.path(), AMPLE, Clock::system());
    drop(notices);
    let error = refused(directory.path());
    assert!(matches!(&error, Error::InUse(path) if Path::new(path) == file(directory.path())), "{error}");
    service.shutdown().await.unwrap();
    open(directory.path(), AMPLE, Clock::system());
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_untouched() {
    let directory = closed().await;
    let connection = Connection::open(file(directory.path())).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let before = fs::read(file(directory.path())).unwrap();
    assert!(matches!(refused(directory.path()), Error::Newer { found: 99, .. }));
    assert_eq!(fs::read(file(directory.path())).unwrap(), before);
}

#[tokio::test]
async fn what_is_no_database_is_refused_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(directory.path());
    fs::create_dir(path.parent().unwrap()).unwrap();
    let garbage = "not a database, but something that its owner may want to keep".repeat(100);
    fs::write(&path, &garbage).unwrap();
    let error = refused(directory.path());
    assert!(matches!(&error, Error::Damaged { path: named, .. } if Path::new(named) == path), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), garbage);
}

#[tokio::test]
async fn a_damaged_database_is_refused() {
    let directory = closed().await;
    let path = file(directory.path());
    let mut bytes = fs::read(&path).unwrap();
    // The heads of pages in the middle of it.
    for page in bytes.chunks_mut(4096).skip(10).step_by(5) {
        page[..32].iter_mut().for_each(|byte| *byte ^= 0x55);
    }
    fs::write(&path, bytes).unwrap();
    let error = refused(directory.path());
    assert!(matches!(&error, Error::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("move it away"));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_can_be_written_requests_are_refused_and_commands_wait() {
    let mut log = Log::new(open);
    let pending = log.delivery("evt_1", 1).await;
    let other = Connection::open(file(log.directory())).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let record = success(pending, log.clock.now());
    log.handle.command(vec![Command::Record(Box::new(record))]).await.unwrap();
    for id in ["evt_2", "evt_3"] {
        let error = log.try_publish(event(id, &[1])).await.unwrap_err();
        assert!(matches!(error, PublishError::Unavailable(Error::Io { .. })), "{error}");
    }
    assert!(log.handle.retry(pending.id).await.is_err());
    assert!(log.handle.stats().failures > 0);
    assert!(!log.state(pending.id).await.is_final(), "what is durable can be read all the same");

    other.execute_batch("ROLLBACK").unwrap();
    log.until("the record is written", async |handle| {
        handle.delivery(pending.id).await.unwrap().unwrap().state.is_final()
    })
    .await;
    let again = log.publish("evt_2", &[1]).await;
    assert!(!again.duplicate, "nothing of it was written");
    assert_eq!(log.handle.summary(webhook(1)).await.unwrap().pending, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_events_are_refused_whole() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path(), AMPLE, Clock::system());
    let (lock, connection) = sqlite::file::open(&options.path).unwrap();
    // SQLite says the same when the disk is full.
    connection.pragma_update_and_check(None, "max_page_count", 60, |_| Ok(())).unwrap();
    let (handle, notices, service) = sqlite::start(options, lock, connection).unwrap();
    drop(notices);
    let targets: Vec<_> = (0..50).collect();
    let mut accepted = 0_u64;
    let error = loop {
        match handle.publish(event("", &targets)).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, PublishError::Unavailable(Error::Full(_))), "{error}");
    service.shutdown().await.unwrap();

    let (handle, notices, _service) = open(directory.path(), AMPLE, Clock::system());
    drop(notices);
    for target in targets {
        assert_eq!(handle.summary(webhook(target)).await.unwrap().pending, accepted);
    }
    handle.publish(event("", &[1])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_wait_together_share_a_sync_and_records_alone_need_none() {
    let mut log = Log::new(open);
    let pending = log.delivery("evt_1", 1).await;
    let before = log.handle.stats();
    log.handle.command(vec![Command::Record(Box::new(success(pending, log.clock.now())))]).await.unwrap();
    log.until("the record is written", async |handle| handle.stats().commands > before.commands).await;
    assert_eq!(log.handle.stats().syncs, before.syncs);

    let publishes = (0..200).map(|number| log.try_publish(event(&format!("evt_b{number}"), &[1])));
    for receipt in futures::future::join_all(publishes).await {
        receipt.unwrap();
    }
    let after = log.handle.stats();
    assert_eq!(after.requests - before.requests, 200);
    assert!(after.syncs > before.syncs && after.syncs - before.syncs < 150, "{after:?}");
}
