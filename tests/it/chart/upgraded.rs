//! The way from the last release to the tree, and back.

use std::path::{Path, PathBuf};

use hookwright_testbed::Folder;
use serde_json::{Value, json};

use super::installed::{Release, WAIT};
use crate::support::{Cluster, Namespace, Receiver, VOLUME, webhook};
use crate::{packaging, released};

/// The tree's chart, packed as a release has it.
fn packed(folder: &Path) -> PathBuf {
    packaging::success(packaging::script("chart", &["hookwright".as_ref(), folder.as_os_str()]));
    folder.join(concat!("hookwright-", env!("CARGO_PKG_VERSION"), ".tgz"))
}

/// What an object is to those who made it.
async fn object(namespace: &Namespace<'_>, name: &str) -> (Value, Value) {
    let shown = namespace.kubectl(&["get", name, "--output=json"]).await.success();
    let mut shown: Value = serde_json::from_str(&shown).unwrap();
    (shown["metadata"]["uid"].take(), shown["spec"].take())
}

/// Installs the last release, upgrades to the tree, and goes back: what users made stays all the time, and works.
async fn there_and_back(helm: &str) {
    let cluster = Cluster::start_with_node().await;
    cluster.kubectl_with_input(&["apply", "--filename", "-"], VOLUME).await.success();
    let last = released::Release::last();
    let install = format!(
        "{helm} install hookwright {} --namespace hookwright --create-namespace \
         --set egress.allow[0]=127.0.0.0/8 {}",
        last.chart().display(),
        WAIT.join(" ")
    );
    let home = cluster.existing_namespace("hookwright");
    let release = Release::install(&cluster, home, &install).await;
    let (receiver, shop) = (Receiver::start().await, cluster.namespace("shop").await);
    shop.apply(&webhook("orders", &receiver, json!({ "retry": { "maxAttempts": 3 } }))).await;
    let webhook_before = object(&shop, "whk/orders").await;
    let queue_before = object(release.namespace(), "pvc/data-hookwright-0").await;
    let arguments_before = release.arguments().await;

    let folder = Folder::temporary().unwrap();
    let tree = packed(folder.path());
    release.helm("upgrade", &[tree.to_str().unwrap(), "--reuse-values"]).await;
    assert_eq!(release.pod().await, "True");
    let operator = release.operator().await;
    shop.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=50s"]).await.success();
    let ping = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "WebhookDelivery", "metadata": { "name": "ping" },
        "spec": { "webhookRef": { "name": "orders" }, "event": { "type": "test.ping", "data": {} } },
    });
    shop.apply(&ping.to_string()).await;
    receiver.requests(1).await;
    drop(operator);

    release.helm("rollback", &["1"]).await;
    assert_eq!(release.arguments().await, arguments_before, "of {}", last.version);
    assert_eq!(release.pod().await, "True");
    assert_eq!(object(&shop, "whk/orders").await, webhook_before);
    assert_eq!(object(release.namespace(), "pvc/data-hookwright-0").await, queue_before);
}

#[tokio::test]
async fn an_upgrade_from_the_last_release_keeps_webhooks_and_the_queue_and_can_be_undone() {
    there_and_back("helm").await;
}

#[tokio::test]
async fn helm_3_upgrades_and_goes_back_as_well() {
    there_and_back("helm3").await;
}
