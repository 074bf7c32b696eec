//! The program in standalone mode.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::Arc;

use axum::http::{Method, StatusCode};
use hookwright_testbed::{Folder, Output, Process, Signal};
use serde_json::Value;

use super::DEADLINE;

/// A running process on a folder of manifests. What it printed is shown when the test fails.
pub struct Standalone {
    process: Process,
    folder: Arc<Folder>,
    arguments: Vec<String>,
    starts: u32,
}

impl Standalone {
    /// Starts it on these files, with further arguments, and waits until it serves requests.
    pub async fn start(files: &[(&str, &str)], arguments: &[&str]) -> Self {
        // The HTTP client of the tests wants one chosen; another test may have done so.
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = Folder::temporary().unwrap();
        fs::create_dir(folder.path().join("manifests")).unwrap();
        for (name, text) in files {
            fs::write(folder.path().join("manifests").join(name), text).unwrap();
        }
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let process = start(&folder, &arguments, 1).await;
        Self { process, folder, arguments, starts: 1 }
    }

    /// The folder of its manifests.
    pub fn manifests(&self) -> PathBuf {
        self.folder.path().join("manifests")
    }

    /// The folder of its database.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes one of its manifests.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.manifests().join(name), text).unwrap();
    }

    /// The address of its API. A new one after each start.
    pub fn url(&self) -> String {
        url(&self.process.log()).unwrap()
    }

    /// Publishes an event and answers what is said to it.
    pub async fn publish(&self, event: &Value) -> Value {
        let url = format!("{}/v1/events", self.url());
        let answer = reqwest::Client::new().post(url).json(event).send().await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    }

    /// Calls its API, and tells what the answer was: null where it has no body.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.url());
        let request = reqwest::Client::new().request(method, url);
        let request = body.map_or(request.try_clone().unwrap(), |body| request.json(body));
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    /// Posts these bytes to its API, and tells what the answer was.
    pub async fn send(&self, path: &str, content_type: &str, body: Vec<u8>) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.url());
        let request = reqwest::Client::new().post(url).header("Content-Type", content_type).body(body);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Waits until it has printed this.
    pub async fn prints(&mut self, text: &str) {
        let printed = async |process: &Process| process.log().contains(text);
        if let Err(error) = self.process.until("printing", DEADLINE, printed).await {
            panic!("waited for '{text}': {error}");
        }
    }

    /// What it says when it is asked whether it takes events.
    pub async fn ready(&self) -> StatusCode {
        let url = format!("{}/readyz", self.url());
        reqwest::get(url).await.unwrap().status()
    }

    /// Asks it to end.
    pub fn terminate(&mut self) {
        self.process.signal(Signal::Terminate).unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(&mut self) -> (ExitStatus, String) {
        self.terminate();
        self.ended().await
    }

    /// Waits until it has ended; answers how, and what it had printed.
    pub async fn ended(&mut self) -> (ExitStatus, String) {
        (self.process.ended(DEADLINE).await.unwrap(), self.process.log())
    }

    /// Starts it again, on the same manifests and data.
    pub async fn restart(&mut self) {
        self.starts += 1;
        self.process = start(&self.folder, &self.arguments, self.starts).await;
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("standalone printed:\n{}", self.process.log());
        }
    }
}

async fn start(folder: &Arc<Folder>, arguments: &[String], nth: u32) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwright"));
    command.arg("standalone").arg(folder.path().join("manifests"));
    command.args(["--listen", "127.0.0.1:0", "--data"]).arg(folder.path().join("data")).args(arguments);
    let mut process = Process::start(folder, &format!("standalone-{nth}"), &command, Output::Log).unwrap();
    let serves = process.until("listening", DEADLINE, async |process| url(&process.log()).is_some());
    serves.await.unwrap_or_else(|error| panic!("{error}"));
    process
}

/// The address in what it printed, once the line is complete.
fn url(printed: &str) -> Option<String> {
    let (_, rest) = printed.split_once("listening on ")?;
    Some(rest.split_once('\n')?.0.to_owned())
}
