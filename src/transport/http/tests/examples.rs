//! The example receivers in other languages accept what we send, and nothing else.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::*;

struct Example {
    url: String,
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Example {
    /// Starts an example that fails first; `None` where its language is not installed, which the
    /// project's own checks do not put up with.
    async fn start(program: &str, path: &str) -> Option<Self> {
        let process = Command::new(program)
            .arg(format!("{}/examples/receivers/{path}", env!("CARGO_MANIFEST_DIR")))
            .args(["--fail-first", "1"])
            .env("WEBHOOK_SECRET", SECRET)
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut process = match process {
            Ok(process) => process,
            Err(error) if std::env::var_os("CI").is_none() => {
                tracing::warn!(%error, "skipped: {program} is not installed");
                return None;
            }
            Err(error) => panic!("{program} is needed to run {path}: {error}"),
        };
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().unwrap();
        let url = first.strip_prefix("listening on ").unwrap().to_owned();
        Some(Self { url, lines, _process: process })
    }
}

async fn accepts_what_is_genuine(program: &str, path: &str) {
    let Some(mut example) = Example::start(program, path).await else { return };
    let http = http();
    let send = async |secret: &str| {
        let mut request = request(&format!("{}/hook", example.url));
        let receiver = Arc::make_mut(&mut request.receiver);
        receiver.signing.current = secret.into();
        let attempt = http.send(request).await;
        let status = attempt.outcome.status().unwrap_or_else(|| panic!("{}", attempt.outcome));
        (status, String::from_utf8(attempt.response).unwrap())
    };
    assert_eq!(send("another secret").await.0, 401);
    assert_eq!(send(SECRET).await.0, 500, "fails first, as told");
    let (status, answer) = send(SECRET).await;
    assert_eq!((status, answer.replace(' ', "").as_str()), (200, r#"{"received":true}"#));
    assert_eq!(example.lines.next_line().await.unwrap().unwrap(), "received test.ping evt_1 attempt 1");
}

#[tokio::test]
async fn the_example_in_node_accepts_what_is_genuine() {
    accepts_what_is_genuine("node", "node/receiver.mjs").await;
}

#[tokio::test]
async fn the_example_in_python_accepts_what_is_genuine() {
    accepts_what_is_genuine("python3", "python/receiver.py").await;
}
