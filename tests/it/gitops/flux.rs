//! Flux: kustomize-controller as a process, with the test in place of the source-controller.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use axum::body::Bytes;
use hookwright_testbed::{Folder, Output, Process, project};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::examples::make_secret;
use super::{delivery, read, says, shows};
use crate::support::{Cluster, Namespace, Operator, Receiver, webhook};

/// kustomize-controller for one namespace, and a repository there that it takes manifests from.
struct Flux<'a> {
    ns: &'a Namespace<'a>,
    folder: Arc<Folder>,
    process: Process,
    /// What serves the present revision of the repository.
    artifact: Option<Receiver>,
}

impl<'a> Flux<'a> {
    async fn start(cluster: &Cluster, ns: &'a Namespace<'a>) -> Self {
        let folder = Folder::temporary().unwrap();
        let mut command = Command::new(project().join("bin/kustomize-controller"));
        command
            .args(["--watch-all-namespaces=false", "--enable-leader-election=false", "--log-level=debug"])
            .args(["--metrics-addr=0", "--health-addr=0", "--requeue-dependency=1s", "--events-addr="])
            .env("RUNTIME_NAMESPACE", ns.name())
            .env("KUBECONFIG", cluster.kubeconfig())
            .env("TMPDIR", folder.path());
        let process = Process::start(&folder, "kustomize-controller", &command, Output::Log).unwrap();
        let repository = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": { "name": "webhooks" },
            "spec": { "interval": "1m", "url": "https://git.example.com/shop/webhooks.git" },
        });
        ns.apply(&repository.to_string()).await;
        Self { ns, folder, process, artifact: None }
    }

    /// Makes a path of a folder the present revision of the repository, as the source-controller would.
    async fn push(&mut self, folder: &Path, path: &str) {
        let file = self.folder.path().join("artifact.tar.gz");
        let mut tar = Command::new("tar");
        tar.arg("--create").arg("--gzip").arg("--file").arg(&file).arg("--directory").arg(folder).arg(path);
        assert!(tar.status().unwrap().success());
        let archive = Bytes::from(fs::read(&file).unwrap());
        let digest = hex(&Sha256::digest(&archive));
        let size = archive.len();
        let artifact = Receiver::answering(move |_, _| archive.clone()).await;
        let status = json!({ "status": {
            "observedGeneration": 1,
            "artifact": {
                "path": "webhooks/artifact.tar.gz", "url": artifact.url(), "revision": format!("main@sha1:{}", &digest[..40]),
                "digest": format!("sha256:{digest}"), "size": size, "lastUpdateTime": "2026-01-01T00:00:00Z",
            },
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored artifact",
                "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        } });
        let status = status.to_string();
        let arguments =
            ["patch", "gitrepository/webhooks", "--subresource=status", "--type=merge", "--patch", &status];
        self.ns.kubectl(&arguments).await.success();
        self.artifact = Some(artifact);
    }

    /// Has a folder of the repository applied, with `wait`.
    async fn kustomize(&self, name: &str, path: &str) {
        let kustomization = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": { "name": name },
            "spec": {
                "interval": "10m", "retryInterval": "1s", "timeout": "50s", "prune": true, "wait": true, "path": path,
                "sourceRef": { "kind": "GitRepository", "name": "webhooks" }, "targetNamespace": self.ns.name(),
            },
        });
        self.ns.apply(&kustomization.to_string()).await;
    }

    /// What it made of an object each time that it applied it.
    fn applied(&self, object: &str) -> Vec<String> {
        let log = self.process.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter_map(|line| Some(line["output"][object].as_str()?.to_owned())).collect()
    }

    /// Has it reconcile once more, and waits until it has.
    async fn reconcile(&self, name: &str, nth: usize) {
        let object = format!("kustomization/{name}");
        let (at, nth) = (format!("reconcile.fluxcd.io/requestedAt={nth}"), nth.to_string());
        self.ns.kubectl(&["annotate", "--overwrite", &object, &at]).await.success();
        shows(self.ns, &object, "that it was reconciled", |it| it["status"]["lastHandledReconcileAt"] == nth)
            .await;
    }
}

impl Drop for Flux<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kustomize-controller logged:\n{}", self.process.log());
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The message of a condition.
fn message<'a>(object: &'a Value, about: &str) -> &'a str {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.filter(|it| it["type"] == about).find_map(|it| it["message"].as_str()).unwrap_or_default()
}

/// A repository of one folder with these manifests.
fn repository(manifests: &[String]) -> Arc<Folder> {
    let folder = Folder::temporary().unwrap();
    fs::write(folder.path().join("manifests.yaml"), manifests.join("\n---\n")).unwrap();
    folder
}

#[tokio::test]
async fn the_examples_are_ready_in_flux_once_their_webhooks_are_in_force() {
    let cluster = super::cluster().await;
    let ns = cluster.namespace("flux").await;
    let _operator = Operator::start(cluster, &ns, &["--secret-poll-seconds", "1"]).await;
    let mut flux = Flux::start(cluster, &ns).await;
    let example = read("examples/gitops/flux/webhooks.yaml");
    let target = format!("targetNamespace: {}", ns.name());
    ns.apply(&example.replace("targetNamespace: default", &target)).await;
    flux.push(project(), "examples/gitops").await;

    let waits =
        shows(&ns, "webhook/orders", "the wait", |it| says(it, "Reconciling=True/SecretNotFound")).await;
    assert_eq!(waits["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"], "webhooks");
    let kustomization = shows(&ns, "kustomization/webhooks", "that it runs", |it| {
        says(it, "Reconciling=True/Progressing") || says(it, "Reconciling=True/ProgressingWithRetry")
    });
    assert!(!says(&kustomization.await, "Ready=True/ReconciliationSucceeded"));
    make_secret(&ns).await;
    let ready = |it: &Value| says(it, "Ready=True/ReconciliationSucceeded");
    shows(&ns, "kustomization/webhooks", "that it is ready", ready).await;
    shows(&ns, "webhook/orders", "that it is in force", |it| says(it, "Ready=True/Active")).await;

    shows(&ns, "kustomization/deliveries", "that it is ready", ready).await;
    ns.kubectl(&["get", "whd/orders-connected-1"]).await.success();

    flux.reconcile("webhooks", 1).await;
    flux.reconcile("deliveries", 1).await;
    for object in ["Webhook/NS/orders", "Webhook/NS/audit", "WebhookDelivery/NS/orders-connected-1"] {
        let object = object.replace("NS", ns.name());
        assert_eq!(flux.applied(&object), ["created", "unchanged"], "{object}");
    }
}

#[tokio::test]
async fn a_broken_manifest_is_not_ready_in_flux_and_says_what_is_wrong_with_it() {
    let cluster = super::cluster().await;
    let ns = cluster.namespace("flux-broken").await;
    let receiver = Receiver::start().await;
    let _operator = Operator::start(cluster, &ns, &[]).await;
    let mut flux = Flux::start(cluster, &ns).await;

    // What the definition refuses is not applied at all.
    let both = json!({ "urlFrom": { "secretKeyRef": { "name": "target", "key": "url" } } });
    flux.push(repository(&[webhook("orders", &receiver, both)]).path(), ".").await;
    flux.kustomize("webhooks", "./").await;
    let says_why = |what: &'static str| move |it: &Value| message(it, "Ready").contains(what);
    let refused = says_why("exactly one of url and urlFrom is required");
    let refused = shows(&ns, "kustomization/webhooks", "the refusal", refused).await;
    assert!(says(&refused, "Ready=False/ReconciliationFailed"), "{refused}");

    // What only the operator finds out fails the health check.
    let filter = json!({ "filters": { "expressions": [{ "name": "typo", "cel": "event." }] } });
    flux.push(repository(&[webhook("orders", &receiver, filter)]).path(), ".").await;
    let failed = shows(&ns, "kustomization/webhooks", "the failure", says_why("status: 'Failed'")).await;
    assert!(says(&failed, "Ready=False/HealthCheckFailed"), "{failed}");

    flux.push(repository(&[webhook("orders", &receiver, json!({}))]).path(), ".").await;
    let ready = |it: &Value| says(it, "Ready=True/ReconciliationSucceeded");
    shows(&ns, "kustomization/webhooks", "that it is ready", ready).await;
}

#[tokio::test]
async fn a_delivery_that_flux_applies_again_and_again_is_sent_once() {
    let cluster = super::cluster().await;
    let ns = cluster.namespace("flux-delivery").await;
    let receiver = Receiver::start().await;
    let mut operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    let mut flux = Flux::start(cluster, &ns).await;
    let mut once = delivery("connected", "orders", "connected-1");
    once["spec"]["ttlSecondsAfterFinished"] = json!(0);
    let mut nameless = delivery("nameless", "orders", "");
    nameless["spec"]["event"].as_object_mut().unwrap().remove("id");
    let manifests = [webhook("orders", &receiver, json!({})), once.to_string(), nameless.to_string()];
    flux.push(repository(&manifests).path(), ".").await;
    flux.kustomize("all", "./").await;

    let ready = |it: &Value| says(it, "Ready=True/ReconciliationSucceeded");
    shows(&ns, "kustomization/all", "that it is ready", ready).await;
    flux.reconcile("all", 1).await;
    operator.kill().await;
    flux.reconcile("all", 2).await;
    operator.restart().await;
    flux.reconcile("all", 3).await;
    // As somebody does who wants to see what Flux makes of it.
    ns.kubectl(&["delete", "whd/connected", "whd/nameless"]).await.success();
    flux.reconcile("all", 4).await;
    for made_anew in ["whd/connected", "whd/nameless"] {
        shows(&ns, made_anew, "the end", |it| says(it, "Succeeded=True/Delivered")).await;
    }
    assert_eq!(receiver.received().len(), 2, "{:?}", receiver.received());
}
