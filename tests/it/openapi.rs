//! The REST API against its own description.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hookwright_testbed::{Folder, Output, Process};
use serde_json::{Value, json};

use crate::support::{Receiver, Standalone, webhook};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Only ever waited for by a test that fails.
const DEADLINE: Duration = Duration::from_mins(5);

const SECRET: &str = "
apiVersion: v1
kind: Secret
metadata: { name: key }
stringData: { secret: s3cr3t }
";

#[tokio::test]
async fn every_answer_is_one_that_the_description_has() {
    let folder = Folder::temporary().unwrap();
    let tokens = folder.path().join("tokens");
    fs::write(&tokens, format!("ci: {TOKEN}\n")).unwrap();
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    let receiver = Receiver::start().await;
    let orders = webhook("orders", &receiver, json!({ "signing": { "secretRef": { "name": "key" } } }));
    let files = [("orders.yaml", &*orders), ("key.yaml", SECRET)];
    let standalone = Standalone::start(&files, &["--token-file", tokens.to_str().unwrap()]).await;

    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = project.join("bin/schemathesis");
    assert!(program.exists(), "there is no bin/schemathesis: make tools");
    let mut command = Command::new(program);
    // It leaves things where it runs.
    command.current_dir(folder.path()).arg("--config-file");
    command.arg(project.join("tests/tools/schemathesis/schemathesis.toml"));
    command.arg("run").arg(format!("{}/openapi.json", standalone.url()));
    command.args(["--header", &format!("Authorization: Bearer {TOKEN}")]);
    let mut process = Process::start(&folder, "schemathesis", &command, Output::Log).unwrap();
    let status = process.ended(DEADLINE).await.unwrap();
    assert!(status.success(), "{}", process.log());
}

#[tokio::test]
async fn the_document_is_there_without_a_token_and_is_the_committed_one() {
    let standalone = Standalone::start(&[], &[]).await;
    let answer = reqwest::get(format!("{}/openapi.json", standalone.url())).await.unwrap();
    let committed = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json")).unwrap();
    let committed: Value = serde_json::from_slice(&committed).unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap(), committed);
}
