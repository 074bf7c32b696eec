//! The manifests of the examples are what the API server and the operator accept.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{self, Operator};

/// The manifests, a feature a file.
fn manifests() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/webhooks");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The status of a condition of a webhook.
fn condition<'a>(webhook: &'a Value, kind: &str) -> &'a Value {
    let conditions = webhook["status"]["conditions"].as_array().into_iter().flatten();
    conditions.filter(|it| it["type"] == kind).map(|it| &it["status"]).next().unwrap_or(&Value::Null)
}

#[tokio::test]
async fn every_manifest_is_accepted_with_the_secrets_it_names() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("examples").await;
    let _operator = Operator::start(cluster, &ns, &[]).await;
    let mut described = 0;
    for file in manifests() {
        let (path, text) = (file.to_str().unwrap(), fs::read_to_string(&file).unwrap());
        assert!(text.starts_with("# "), "{path} does not say what it is about");
        ns.kubectl(&["apply", "--server-side", "--dry-run=server", "--filename", path]).await.success();
        ns.kubectl(&["apply", "--server-side", "--filename", path]).await.success();
        described += text.matches("kind: Webhook\n").count();
    }
    assert!(described >= 14, "{described} are not all");
    support::eventually("every webhook to be accepted", async || {
        let listed = ns.kubectl(&["get", "webhooks", "--output=json"]).await.success();
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let webhooks = listed["items"].as_array().unwrap();
        assert_eq!(webhooks.len(), described, "two have the same name");
        let wanting =
            |it: &&Value| ["Accepted", "ResolvedRefs"].iter().any(|kind| condition(it, kind) != "True");
        webhooks
            .iter()
            .find(wanting)
            .map_or(Ok(()), |it| Err((it["metadata"]["name"].clone(), it["status"].to_string())))
    })
    .await;
}
