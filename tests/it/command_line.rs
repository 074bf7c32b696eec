//! What the program says to who starts it: exit codes, and one line for what went wrong.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};

use hookwright_testbed::Folder;

use crate::support::Standalone;

/// Runs the program to its end.
fn hookwright(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwright"));
    let Output { status, stdout, stderr } = command.args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// Asserts that the program fails with this code and one line that says this.
fn assert_fails(arguments: &[&str], code: i32, says: &str) {
    let (status, stdout, stderr) = hookwright(arguments);
    assert_eq!((status, stdout.as_str()), (code, ""), "{stderr}");
    assert!(stderr.starts_with("hookwright: ") && stderr.contains(says), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn the_definitions_that_are_printed_are_those_in_the_tree() {
    let (status, printed, _) = hookwright(&["crds"]);
    assert_eq!(status, 0);
    for name in ["webhooks", "webhookdeliveries"] {
        let kept = format!("{}/crds/{name}.hookwright.dev.yaml", env!("CARGO_MANIFEST_DIR"));
        assert!(printed.contains(fs::read_to_string(&kept).unwrap().trim()), "{kept} is stale");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = format!("hookwright {}\n", env!("CARGO_PKG_VERSION"));
    for arguments in [["version"], ["--version"]] {
        assert_eq!(hookwright(&arguments), (0, version.clone(), String::new()));
    }
}

#[test]
fn wrong_usage_is_told_from_failure() {
    for arguments in [&["operator", "--wat"] as &[_], &["wat"], &["standalone"], &[]] {
        let (status, stdout, stderr) = hookwright(arguments);
        assert_eq!((status, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.contains("Usage: hookwright"), "{stderr}");
    }
    let folder = Folder::temporary().unwrap();
    let file = folder.path().join("config.yaml");
    fs::write(&file, "listn: 127.0.0.1:0\n").unwrap();
    let file = file.to_str().unwrap();
    assert_fails(&["operator", "--config", file], 2, "unknown key 'listn'; known are listen, ");
    assert_fails(&["operator", "--config", "/nowhere.yaml"], 2, "/nowhere.yaml");
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = Folder::temporary().unwrap();
    let path = folder.path().to_str().unwrap();
    let standalone = |listen: &'static str| ["standalone", path, "--listen", listen];
    assert_fails(&["standalone", "/nowhere"], 1, "failed to read the folder /nowhere: ");
    fs::write(folder.path().join("a.yaml"), "kind: Webhook\nmetadata: {name: a}\napiVersion: v9\n").unwrap();
    assert_fails(
        &standalone("127.0.0.1:0"),
        1,
        "a.yaml, document 1: Webhook default/a: v9 Webhook is not used",
    );
    fs::remove_file(folder.path().join("a.yaml")).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_fails(&["standalone", path, "--listen", &address], 1, &format!("failed to listen on {address}: "));
}

#[test]
fn nothing_is_served_that_everybody_could_call_or_with_files_that_make_no_sense() {
    let folder = Folder::temporary().unwrap();
    let path = folder.path().to_str().unwrap();
    let public = ["standalone", path, "--listen", "0.0.0.0:0"];
    assert_fails(&public, 2, "refused to listen on 0.0.0.0:0 without tokens");
    assert_fails(&[&public[..], &["--token-file", "/nowhere"]].concat(), 1, "failed to read /nowhere: ");
    let tls = ["standalone", path, "--listen", "127.0.0.1:0", "--tls-cert", "/nowhere", "--tls-key", "/else"];
    assert_fails(&tls, 1, "failed to read /nowhere: ");
}

#[tokio::test]
async fn a_database_is_used_by_one_process_at_a_time() {
    let standalone = Standalone::start(&[], &[]).await;
    let data = standalone.data().to_str().unwrap().to_owned();
    let manifests = standalone.manifests().to_str().unwrap().to_owned();
    let arguments = ["standalone", &manifests, "--listen", "127.0.0.1:0", "--data", &data];
    assert_fails(&arguments, 1, "another process uses the database ");
}
