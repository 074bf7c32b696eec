//! Nothing is left behind, however it ends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use hookwright_testbed::{Error, Folder, Output, Process, Signal};
use tokio::time::{Instant, sleep};

const DEADLINE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_killed_cluster_leaves_no_process_and_no_file() {
    let mut cluster = Cluster::start().await;
    assert!(!processes_naming(&cluster.data).is_empty());
    cluster.process.signal(Signal::Kill).unwrap(); // it cannot clean up itself
    cluster.process.ended(DEADLINE).await.unwrap();
    let deadline = Instant::now() + DEADLINE;
    while cluster.leftovers() != Vec::<String>::new() {
        assert!(Instant::now() < deadline, "still there: {:?}", cluster.leftovers());
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_terminated_cluster_has_cleaned_up_when_it_ends() {
    let mut cluster = Cluster::start().await;
    cluster.process.signal(Signal::Terminate).unwrap();
    assert!(cluster.process.ended(DEADLINE).await.unwrap().success());
    assert_eq!(cluster.leftovers(), Vec::<String>::new());
}

#[tokio::test]
async fn a_program_can_end_in_peace_and_its_status_is_kept() {
    let folder = Folder::temporary().unwrap();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "trap 'exit 7' TERM; echo trapped; while :; do sleep 0.01; done"]);
    let mut process = Process::start(&folder, "peace", &command, Output::Log).unwrap();
    process.until("trapped", DEADLINE, async |process| process.log() == "trapped\n").await.unwrap();
    process.signal(Signal::Terminate).unwrap();
    assert_eq!(process.ended(DEADLINE).await.unwrap().code(), Some(7));
}

#[tokio::test]
async fn a_program_that_ends_too_early_shows_its_log() {
    let folder = Folder::temporary().unwrap();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "echo no disk; exit 3"]);
    let mut process = Process::start(&folder, "early", &command, Output::Log).unwrap();
    let error = process.until("ready", DEADLINE, async |_| false).await.unwrap_err();
    assert!(
        matches!(&error, Error::Ended { status, log, .. } if status.code() == Some(3) && log == "no disk\n")
    );
}

#[test]
fn a_folder_goes_with_the_last_process_in_it() {
    let folder = Folder::temporary().unwrap();
    let path = folder.path().to_owned();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "while :; do sleep 0.01; done", path.to_str().unwrap()]);
    let process = Process::start(&folder, "last", &command, Output::Log).unwrap();
    drop(folder);
    assert!(path.exists());
    drop(process);
    assert!(!path.exists());
    assert_eq!(processes_naming(&path), Vec::<String>::new());
}

#[test]
fn a_folder_is_not_taken_from_somebody_else() {
    let folder = Folder::temporary().unwrap();
    let error = Folder::create(folder.path()).unwrap_err().to_string();
    assert!(error.contains(folder.path().to_str().unwrap()), "{error}");
    assert!(folder.path().exists());
}

/// The `cluster` program, once it has said where its kubeconfig is.
struct Cluster {
    process: Process,
    folder: PathBuf,
    data: PathBuf,
}

impl Cluster {
    async fn start() -> Self {
        let home = Folder::temporary().unwrap();
        let folder = home.path().join("cluster");
        let mut command = Command::new(env!("CARGO_BIN_EXE_cluster"));
        command.arg(&folder);
        let mut process = Process::start(&home, "cluster", &command, Output::Log).unwrap();
        process
            .until("introduced", DEADLINE, async |process| process.log().contains("Ctrl-C"))
            .await
            .unwrap();
        let log = process.log();
        let kubeconfig = value(&log, "export KUBECONFIG=");
        let key = value(&fs::read_to_string(kubeconfig).unwrap(), "client-key: ");
        Self { process, folder, data: key.parent().unwrap().to_owned() }
    }

    fn leftovers(&self) -> Vec<String> {
        let mut leftovers = processes_naming(&self.data);
        let folders = [&self.folder, &self.data];
        leftovers.extend(folders.iter().filter(|path| path.exists()).map(|path| path.display().to_string()));
        leftovers
    }
}

/// The rest of the line that begins with `key`, indented or not.
fn value(text: &str, key: &str) -> PathBuf {
    PathBuf::from(text.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap())
}

/// The command lines that contain a path.
fn processes_naming(path: &Path) -> Vec<String> {
    let path = path.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("cmdline"));
    let lines = processes.filter_map(|cmdline| fs::read(cmdline).ok()); // gone since, or no process
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(path)).collect()
}
