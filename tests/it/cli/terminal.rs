//! What is shown on a terminal, which a pseudo-terminal of Python's is, and what elsewhere.

use std::process::Command;

use serde_json::json;

use super::{Ended, command, ended, files};
use crate::support::Standalone;

/// Runs a program on a terminal, and passes on what it writes there.
const TERMINAL: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

async fn on_terminal(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut python = Command::new("python3");
    python
        .args(["-c", TERMINAL, env!("CARGO_BIN_EXE_hookwright")])
        .args(arguments)
        .stdin(std::process::Stdio::null());
    python.env_remove("NO_COLOR").env("TERM", "xterm-256color").envs(environment.iter().copied());
    ended(python).await
}

#[tokio::test]
async fn a_terminal_sees_colours_and_progress_and_nobody_else() {
    let webhook = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Webhook", "metadata": { "name": "orders" },
        "spec": { "url": "http://127.0.0.1:1/", "events": ["*"], "suspend": true },
    });
    let standalone = Standalone::start(&[("a.yaml", &webhook.to_string())], &[]).await;
    let api = standalone.url();
    let events: String = (1..=25)
        .map(|n| json!({ "id": format!("evt_{n}"), "type": "a", "data": {} }).to_string() + "\n")
        .collect();
    let (_folder, paths) = files(&[("events", &events)]);
    let send = ["send", &paths[0], "--server", &api];

    let plain = ended(command(&send)).await;
    assert_eq!(plain.stderr, "25 of 25 events sent\n");
    assert_eq!(plain.success().lines().filter(|line| line.contains(" accepted, for 1 webhook")).count(), 25);
    let again = ended(command(&send)).await.success();
    assert_eq!(again.lines().filter(|line| line.contains(" accepted, as it was before")).count(), 25);

    let bar = on_terminal(&send, &[]).await.success();
    assert!(bar.contains("0 of 25 events sent") && bar.contains('\r'), "{bar:?}");
    let dumb = on_terminal(&send, &[("TERM", "dumb")]).await.success();
    assert!(dumb.contains("25 of 25 events sent") && !dumb.contains('\u{1b}'), "{dumb:?}");

    let table = ["deliveries", "orders", "--server", &api];
    let coloured = on_terminal(&table, &[]).await.success();
    assert!(coloured.contains('\u{1b}'), "{coloured:?}");
    for environment in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = on_terminal(&table, &[environment]).await.success();
        assert!(plain.contains("evt_25") && !plain.contains('\u{1b}'), "{environment:?}: {plain:?}");
    }
}
