//! The `hookwright` process, and its API.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::Result;

/// A running process; killed when it is dropped.
pub struct Hookwright {
    process: Child,
    url: String,
    client: reqwest::Client,
    /// What it prints, until somebody shows it.
    lines: Option<Lines<BufReader<ChildStdout>>>,
    shown: Option<JoinHandle<()>>,
}

/// What a publish is answered with.
#[derive(Debug, Deserialize)]
pub struct Accepted {
    pub id: String,
    pub deliveries: Vec<String>,
}

/// A delivery as the API shows it.
#[derive(Debug, Deserialize)]
pub struct Delivery {
    pub webhook_id: String,
    pub event_id: String,
    pub event_type: String,
    pub outcome: String,
    pub delivered: bool,
    pub attempts: u32,
    pub response_code: Option<u16>,
    pub response_time_ms: Option<u64>,
    pub next_retry_at: Option<String>,
}

impl Hookwright {
    /// Starts `hookwright standalone` on a folder, and waits until it takes events.
    pub async fn start(manifests: &Path) -> Result<Self> {
        let program = program()?;
        let mut process = Command::new(&program)
            .arg("standalone")
            .arg(manifests)
            .args(["--listen", "127.0.0.1:0", "--egress-allow", "127.0.0.0/8"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", program.display()))?;
        let stdout = process.stdout.take().ok_or("hookwright has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let url = lines
            .next_line()
            .await?
            .and_then(|line| line.strip_prefix("listening on ").map(str::to_owned))
            .ok_or("hookwright ended before it was ready")?;
        drop(rustls::crypto::ring::default_provider().install_default());
        Ok(Self { process, url, client: reqwest::Client::new(), lines: Some(lines), shown: None })
    }

    /// Shows what it says of attempts, from the first.
    pub fn show(&mut self) {
        self.shown = self.lines.take().map(|lines| tokio::spawn(show(lines)));
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Publishes an event.
    pub async fn publish(&self, event: String) -> Result<Accepted> {
        let request = self.client.post(format!("{}/v1/events", self.url));
        let response = request.header("content-type", "application/json").body(event).send().await?;
        if !response.status().is_success() {
            return Err(response.text().await?.into());
        }
        Ok(response.json().await?)
    }

    /// Waits until a delivery has ended, which it must do well.
    pub async fn ended(&self, delivery: &str, patience: Duration) -> Result<Delivery> {
        let url = format!("{}/v1/webhooks/deliveries/{delivery}", self.url);
        let deadline = Instant::now() + patience;
        loop {
            let found: Delivery = self.client.get(&url).send().await?.error_for_status()?.json().await?;
            if found.delivered {
                return Ok(found);
            }
            if found.next_retry_at.is_none() && found.attempts > 0 || Instant::now() > deadline {
                return Err(format!("delivery {delivery} ended {}", found.outcome).into());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Tells the process to end, and waits until it has.
    pub async fn stop(mut self) -> Result<()> {
        let id = self.process.id().ok_or("hookwright has ended by itself")?;
        Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        let status = self.process.wait().await?;
        if let Some(shown) = self.shown {
            shown.await?;
        }
        if !status.success() {
            return Err(format!("hookwright ended with {status}").into());
        }
        Ok(())
    }
}

/// Shows what hookwright says of attempts.
async fn show(mut lines: Lines<BufReader<ChildStdout>>) {
    while let Ok(Some(line)) = lines.next_line().await {
        println!("  {line}");
    }
}

/// The program beside this one: `target/debug/examples/demo` and `target/debug/hookwright`.
fn program() -> io::Result<PathBuf> {
    let demo = std::env::current_exe()?;
    let profile = demo.ancestors().nth(2).ok_or(io::ErrorKind::NotFound)?;
    Ok(profile.join("hookwright"))
}
