//! The API as an application reaches it.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::DEADLINE;

/// Where the API is, and who calls it.
pub struct Service {
    url: String,
    token: String,
}

impl Service {
    pub fn new(url: &str, token: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), token: token.to_owned() }
    }

    /// Runs a curl command as its documentation shows it, with our address and token, and reads the answer.
    pub async fn curl(&self, command: &str) -> Value {
        let command =
            command.replace("https://api.pcf.example.com", &self.url).replace("YOUR_TOKEN", &self.token);
        let mut bash = Command::new("bash");
        output(bash.args(["-c", &format!("{} --silent --show-error --fail-with-body", command.trim_end())]))
            .await
    }

    /// Publishes an event.
    pub async fn publish(&self, event: &str) -> Value {
        self.curl(&format!(
            r#"curl -X POST https://api.pcf.example.com/v1/events \
              -H "Authorization: Bearer YOUR_TOKEN" -H "Content-Type: application/json" -d '{event}'"#
        ))
        .await
    }

    /// Makes one of the calls of the JavaScript client, which must succeed, and answers the body.
    pub async fn fetch(&self, call: &str, arguments: &[Value]) -> Value {
        let answer = self.run(call, arguments).await;
        assert_eq!(answer["ok"], true, "{call}: {answer}");
        answer["body"].clone()
    }

    /// Makes one of the calls of the JavaScript client.
    pub async fn run(&self, call: &str, arguments: &[Value]) -> Value {
        let mut node = Command::new("node");
        node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/cookbook/client.mjs")).arg(call);
        node.args(arguments.iter().map(Value::to_string)).env("API", &self.url).env("TOKEN", &self.token);
        output(&mut node).await
    }
}

/// The webhook of this id in a list.
pub fn find<'a>(listed: &'a Value, id: &Value) -> Option<&'a Value> {
    listed["data"].as_array().unwrap().iter().find(|webhook| webhook["id"] == *id)
}

async fn output(command: &mut Command) -> Value {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(DEADLINE, command.output()).await.expect("an answer in time").unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {stdout}{stderr}");
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"))
}
