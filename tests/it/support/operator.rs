//! The operator as a process.

use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitStatus},
    sync::Arc,
};

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hookwright_testbed::{Folder, Output, Process, Signal};

use serde_json::Value;
use tokio::time::timeout;

use super::{Cluster, DEADLINE, Namespace};

/// What the operator says once it serves requests; its address follows.
const LISTENING: &str = "listening on ";

/// A running operator that serves one namespace, called by somebody who may do everything. Its log is shown when the test fails.
pub struct Operator {
    process: Process,
    folder: Arc<Folder>,
    command: Command,
    starts: u32,
    url: String,
    client: reqwest::Client,
}

impl Operator {
    /// Starts it with the rights that the chart gives it and with further arguments, and waits until it serves requests.
    pub async fn start(cluster: &Cluster, namespace: &Namespace<'_>, arguments: &[&str]) -> Self {
        Self::start_as(cluster, namespace, &cluster.operator_token().await, arguments).await
    }

    /// Starts it as the service account that has this token.
    pub async fn start_as(
        cluster: &Cluster,
        namespace: &Namespace<'_>,
        token: &str,
        arguments: &[&str],
    ) -> Self {
        let folder = Folder::temporary().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookwright"));
        command
            .args(["operator", "--listen", "127.0.0.1:0", "--namespace", namespace.name(), "--data"])
            .arg(folder.path().join("data"))
            .args(arguments)
            .env("KUBECONFIG", kubeconfig(cluster, &folder, token));
        Self::run(cluster, folder, command).await
    }

    /// How the pod of the release `hookwright` in this namespace starts it.
    pub async fn released_arguments(home: &Namespace<'_>) -> Vec<String> {
        let arguments = "--output=jsonpath={.spec.template.spec.containers[0].args}";
        let shown = home.kubectl(&["get", "statefulset/hookwright", arguments]).await.success();
        serde_json::from_str(&shown).unwrap()
    }

    /// Starts it as that pod would: with the arguments of its container, as its service account.
    pub async fn start_as_released(cluster: &Cluster, home: &Namespace<'_>) -> Self {
        let token = home.token("hookwright", None).await;
        let arguments = Self::released_arguments(home).await;
        let folder = Folder::temporary().unwrap();
        let data = folder.path().join("data");
        // What pods of one machine cannot share.
        let own = [
            ("--listen=", "--listen=127.0.0.1:0".to_owned()),
            ("--data=", format!("--data={}", data.display())),
        ];
        let arguments = arguments.iter().map(|argument| {
            let replaced = own.iter().find(|(flag, _)| argument.starts_with(flag));
            replaced.map_or(argument, |(_, ours)| ours)
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookwright"));
        command.args(arguments).env("KUBECONFIG", kubeconfig(cluster, &folder, &token));
        Self::run(cluster, folder, command).await
    }

    async fn run(cluster: &Cluster, folder: Arc<Folder>, command: Command) -> Self {
        let (process, url) = start(&folder, &command, 1).await;
        let client = client(&cluster.token().await);
        Self { process, folder, command, starts: 1, url, client }
    }

    /// The address of its API, such as `http://127.0.0.1:40123`. A new one after each start.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file of its database, to be touched only while it does not run.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("data/hookwright.db")
    }

    /// Calls it with a token of somebody who may do everything.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Its `/metrics` page.
    pub async fn metrics(&self) -> String {
        let answer = self.client.get(format!("{}/metrics", self.url)).send().await.unwrap();
        answer.error_for_status().unwrap().text().await.unwrap()
    }

    /// Publishes an event, and tells what the answer was.
    pub async fn publish(&self, namespace: &Namespace<'_>, event: &Value) -> (StatusCode, Value) {
        let url = format!("{}/v1/events?namespace={}", self.url, namespace.name());
        let answer = self.client.post(url).json(event).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Reads from its API what must be there.
    pub async fn get(&self, namespace: &Namespace<'_>, path: &str) -> Value {
        let url = format!("{}{path}?namespace={}", self.url, namespace.name());
        let answer = self.client.get(url).send().await.unwrap().error_for_status().unwrap();
        answer.json().await.unwrap()
    }

    /// Calls its API, and tells what the answer was: null where it has no body.
    pub async fn call(
        &self,
        namespace: &Namespace<'_>,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let url = format!("{}{path}?namespace={}", self.url, namespace.name());
        let request = self.client.request(method, url);
        let request = body.map_or(request.try_clone().unwrap(), |body| request.json(body));
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    /// Runs another one on the same data, which must end by itself.
    pub async fn second(&self) -> std::process::Output {
        let mut command = tokio::process::Command::new(self.command.get_program());
        command.args(self.command.get_args()).kill_on_drop(true);
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        timeout(DEADLINE, command.output()).await.expect("the second operator goes on").unwrap()
    }

    /// What it has logged since it was started last.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Asks it to end, and waits until it has.
    pub async fn sigterm(&mut self) -> ExitStatus {
        self.end(Signal::Terminate).await
    }

    /// Ends it at once, as a crash would.
    pub async fn kill(&mut self) -> ExitStatus {
        self.end(Signal::Kill).await
    }

    /// Starts it again, on the same data.
    pub async fn restart(&mut self) {
        self.starts += 1;
        (self.process, self.url) = start(&self.folder, &self.command, self.starts).await;
    }

    async fn end(&mut self, signal: Signal) -> ExitStatus {
        self.process.signal(signal).unwrap();
        self.process.ended(DEADLINE).await.unwrap()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the operator logged:\n{}", self.log());
        }
    }
}

/// Writes a kubeconfig of the service account that has this token.
pub fn kubeconfig(cluster: &Cluster, folder: &Folder, token: &str) -> PathBuf {
    let admin = fs::read_to_string(cluster.kubeconfig()).unwrap();
    let (cluster_of_it, _) = admin.split_once("users:").unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let text = format!("{cluster_of_it}users:\n  - name: admin\n    user: {{token: {token}}}\n");
    fs::write(&kubeconfig, text).unwrap();
    kubeconfig
}

/// A client that presents a bearer token.
pub fn client(token: &str) -> reqwest::Client {
    // The client wants a provider of cryptography chosen; another test may have done so.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    bearer.set_sensitive(true);
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
    reqwest::Client::builder().default_headers(headers).build().unwrap()
}

async fn start(folder: &Arc<Folder>, command: &Command, nth: u32) -> (Process, String) {
    let mut process = Process::start(folder, &format!("operator-{nth}"), command, Output::Log).unwrap();
    let serves = process.until("listening", DEADLINE, async |process| url(&process.log()).is_some());
    serves.await.unwrap_or_else(|error| panic!("{error}"));
    let url = url(&process.log()).unwrap();
    (process, url)
}

/// The address in a log, once its line is complete.
fn url(log: &str) -> Option<String> {
    let (_, rest) = log.split_once(LISTENING)?;
    let end = rest.find(|c: char| c.is_whitespace() || c == '"')?;
    Some(rest[..end].to_owned())
}
