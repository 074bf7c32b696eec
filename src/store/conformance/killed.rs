//! A process that is killed while it publishes: what it was answered is in the log, and no line of
//! deliveries is stuck.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{self, Child, Stdio};
use std::time::Duration;

use hookwright_engine::id::DeliveryId;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::log::{AMPLE, Open, answered, event, lined, record, webhook};
use crate::clock::Clock;
use crate::store::{Command, Handle, Notice, Notices, Publish};

/// Tells the process where the log is.
const DIRECTORY: &str = "HOOKWRIGHT_TEST_LOG";
/// What the process prints before a delivery that was answered.
const ACCEPTED: &str = "accepted ";
const ROUNDS: usize = 3;
/// How many publish at a time, each to a webhook of its own.
const TASKS: u128 = 8;

/// Ends the process whatever becomes of the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // One that has ended already needs no killing.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Kills processes at different moments and looks for what they were answered.
pub(in crate::store) async fn check(open: Open, module: &str) {
    let directory = tempfile::tempdir().unwrap();
    let (_, module) = module.split_once("::").unwrap();
    let test = format!("{module}::publishes_until_it_is_killed");
    let mut accepted = Vec::new();
    for round in 1..=ROUNDS {
        accepted.extend(accepted_until_killed(directory.path(), &test, 100 * round));
        let (handle, notices, service) = open(directory.path(), AMPLE, Clock::system());
        let driver = tokio::spawn(drive(handle.clone(), notices));
        for id in &accepted {
            let delivery = handle.delivery(*id).await.unwrap();
            let delivery = delivery.unwrap_or_else(|| panic!("{id} was answered in round {round} or before"));
            let event = handle.event(delivery.event).await.unwrap();
            assert_eq!(event.unwrap().id, delivery.event_id);
        }
        end_all(&handle).await;
        service.shutdown().await.unwrap();
        driver.await.unwrap();
    }
    assert!(accepted.len() >= 100 * (1 + ROUNDS));
}

/// Has all deliveries sent that wait, one after the other where they stand in line.
async fn end_all(handle: &Handle) {
    let load = |target| Command::Load { webhook: webhook(target), after: None, limit: 10_000 };
    handle.command((0..TASKS).map(load).collect()).await.unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    for target in 0..TASKS {
        while handle.summary(webhook(target)).await.unwrap().pending > 0 {
            assert!(Instant::now() < deadline, "deliveries of webhook {target} are stuck");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The deliveries that a process was answered until it was killed after `number` of them.
fn accepted_until_killed(directory: &Path, test: &str, number: usize) -> Vec<DeliveryId> {
    let child = process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Killed(child);
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut accepted = lines.filter_map(|line| line.strip_prefix(ACCEPTED)?.parse().ok());
    let mut found: Vec<_> = accepted.by_ref().take(number).collect();
    assert_eq!(found.len(), number, "the process ended by itself");
    child.0.kill().unwrap();
    // What it had written until then.
    found.extend(accepted);
    found
}

/// Publishes from several tasks and prints what was answered, while a driver records attempts.
pub(in crate::store) async fn publish_until_killed(open: Open) {
    let directory = std::env::var(DIRECTORY).expect("run by another test");
    let (handle, notices, _service) = open(Path::new(&directory), AMPLE, Clock::system());
    let mut tasks = JoinSet::new();
    tasks.spawn(drive(handle.clone(), notices));
    for task in 0..TASKS {
        let handle = handle.clone();
        tasks.spawn(async move {
            loop {
                let targets = vec![lined(task, (task % 2 == 0).then_some(7))];
                let receipt = handle.publish(Publish { targets, ..event("", &[]) }).await.unwrap();
                // One write, so that the line is whole.
                let line = format!("{ACCEPTED}{}\n", receipt.deliveries[0]);
                std::io::stdout().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

async fn drive(handle: Handle, mut notices: Notices) {
    while let Some(notice) = notices.recv().await {
        let pending = match notice {
            Notice::Accepted { event: _, pending } => pending,
            Notice::Loaded { webhook: _, page } => page.pending,
            Notice::Parked(_) | Notice::Canceled(_) => continue,
        };
        let records = pending.into_iter().map(|pending| {
            let attempt = answered(200, pending.due);
            let record = record(pending, attempt, hookwright_engine::delivery::State::Delivered);
            Command::Record(Box::new(record))
        });
        // Fails where the store is shut down.
        drop(handle.command(records.collect()).await);
    }
}
