//! Copies of the database.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{AMPLE, Clock, Error, closed, event, file, open, options};
use crate::store::sqlite::{backup, backup_to, restore};

fn copy_of(directory: &Path) -> Vec<u8> {
    let mut copy = Vec::new();
    let bytes = backup(&file(directory), &mut copy).unwrap();
    assert_eq!(bytes, copy.len() as u64);
    copy
}

#[tokio::test]
async fn a_copy_that_is_taken_amid_commits_has_all_that_was_answered_before() {
    let directory = tempfile::tempdir().unwrap();
    let (handle, notices, service) = open(directory.path(), AMPLE, Clock::system());
    drop(notices);
    for number in 0..50 {
        handle.publish(event(&format!("before_{number}"), &[1, 2])).await.unwrap();
    }
    let path = directory.path().to_owned();
    let copying = tokio::task::spawn_blocking(move || copy_of(&path));
    for number in 0..50 {
        handle.publish(event(&format!("during_{number}"), &[1, 2])).await.unwrap();
    }
    let copy = copying.await.unwrap();
    service.shutdown().await.unwrap();

    let restored = tempfile::tempdir().unwrap();
    restore(&file(restored.path()), &mut &copy[..], false).unwrap();
    let (handle, _notices, service) = open(restored.path(), AMPLE, Clock::system());
    for number in 0..50 {
        let again = handle.publish(event(&format!("before_{number}"), &[1, 2])).await.unwrap();
        assert!(again.duplicate, "before_{number} is not in the copy");
    }
    drop(handle);
    service.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_used_or_there_already_stays_as_it_is() {
    let directory = closed().await;
    let copy = copy_of(directory.path());
    let path = file(directory.path());
    assert!(matches!(restore(&path, &mut &copy[..], false), Err(Error::Exists(_))));
    let (handle, _notices, service) = open(directory.path(), AMPLE, Clock::system());
    assert!(matches!(restore(&path, &mut &copy[..], true), Err(Error::InUse(_))));
    drop(handle);
    service.shutdown().await.unwrap();
    restore(&path, &mut &copy[..], true).unwrap();
    assert_eq!(copy_of(directory.path()), copy);
}

#[tokio::test]
async fn what_is_no_whole_database_of_ours_is_not_put_in_place() {
    let copy = copy_of(closed().await.path());
    let mut newer = copy.clone();
    newer[60..64].copy_from_slice(&1000_u32.to_be_bytes()); // user_version
    let whole = copy.len() as u64;
    let half = &mut copy.take(whole / 2);
    for (what, from) in [
        ("nothing", &mut std::io::empty() as &mut dyn Read),
        ("a text", &mut &b"not a database at all"[..]),
        ("the half of one", half),
        ("one of a later version", &mut &newer[..]),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut from = from;
        let refused = restore(&file(directory.path()), &mut from, false).unwrap_err();
        assert!(matches!(refused, Error::Damaged { .. } | Error::Newer { .. }), "{what}: {refused}");
        let left = fs::read_dir(file(directory.path()).parent().unwrap()).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["log.db.lock"], "{what}");
    }
    let database = tempfile::tempdir().unwrap();
    assert!(matches!(restore(&file(database.path()), &mut &newer[..], true), Err(Error::Newer { .. })));
}

#[tokio::test]
async fn a_file_that_is_made_is_its_owners_alone_and_takes_the_place_of_no_other() {
    let directory = closed().await;
    let to = directory.path().join("copy.db");
    backup_to(&file(directory.path()), &to).unwrap();
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&to).unwrap();
    assert!(backup_to(&file(directory.path()), &to).is_err());
    assert_eq!(fs::read(&to).unwrap(), before);
    let none = directory.path().join("none").join("log.db");
    assert!(backup_to(&none, &directory.path().join("other.db")).is_err());
    assert!(!directory.path().join("other.db").exists());
    assert!(super::super::open(options(directory.path(), AMPLE, Clock::system())).is_ok());
}
