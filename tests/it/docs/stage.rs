//! What a page finds: a cluster with the operator, and receivers behind the addresses of its examples.

use std::fs;
use std::path::PathBuf;

use axum::http::StatusCode;
use hookwright_testbed::Folder;

use crate::support::{self, Cluster, Operator, Receiver, VOLUME};

/// Where pages say that the API is.
const API: [&str; 3] =
    ["http://127.0.0.1:8787", "https://hookwright.example.com", "https://api.pcf.example.com"];

/// What pages call their receivers: `https://NAME.example.com`.
const DOMAIN: &str = ".example.com";

/// Where an operator runs, or comes to run.
pub struct Stage {
    cluster: Held,
    namespace: String,
    operator: Option<Operator>,
    receiver: Receiver,
}

/// The cluster of all tests, or one of the page's own.
enum Held {
    Shared(&'static Cluster),
    Own(Box<Cluster>),
}

impl Stage {
    /// Sets it: with an operator for a namespace of the page's own, or bare but for a node and a volume.
    pub async fn set(name: &str, release: bool) -> Self {
        let receiver = Receiver::answering(|_, request| match request.uri.path() {
            path if path.starts_with("/down") => StatusCode::SERVICE_UNAVAILABLE,
            path if path.starts_with("/gone") => StatusCode::GONE,
            _ => StatusCode::OK,
        })
        .await;
        if release {
            let cluster = Cluster::start_with_node().await;
            cluster.kubectl_with_input(&["apply", "--filename", "-"], VOLUME).await.success();
            let (cluster, namespace) = (Held::Own(Box::new(cluster)), "default".to_owned());
            return Self { cluster, namespace, operator: None, receiver };
        }
        let cluster = support::cluster().await;
        let ns = cluster.namespace(&format!("docs-{}", name.to_lowercase())).await;
        let arguments = ["--egress-allow", "127.0.0.0/8", "--secret-poll-seconds", "1"];
        let operator = Some(Operator::start(cluster, &ns, &arguments).await);
        let namespace = ns.name().to_owned();
        Self { cluster: Held::Shared(cluster), namespace, operator, receiver }
    }

    /// Starts the operator as the pod of the release would.
    pub async fn start_released_operator(&mut self) {
        drop(self.operator.take()); // one at a time has the API's address
        let home = self.cluster().existing_namespace("hookwright");
        let operator = Operator::start_as_released(self.cluster(), &home).await;
        self.operator = Some(operator);
    }

    /// A text of a page, with what is here in place of what it shows.
    pub fn put_in(&self, text: &str) -> String {
        let mut text = text.replace("namespace: default", &format!("namespace: {}", self.namespace));
        if let Some(operator) = &self.operator {
            for api in API {
                text = text.replace(api, operator.url());
            }
        }
        let mut parts = text.split("https://");
        let mut done = parts.next().unwrap_or_default().to_owned();
        let receiver = self.receiver.url();
        let (receivers, _) = receiver.rsplit_once('/').unwrap();
        for part in parts {
            let end =
                part.find(|c: char| !c.is_ascii_alphanumeric() && !".-".contains(c)).unwrap_or(part.len());
            let (host, rest) = part.split_at(end);
            match host.strip_suffix(DOMAIN) {
                Some(name) => done.extend([receivers, "/", name, rest]),
                None => done.extend(["https://", part]),
            }
        }
        done
    }

    /// The kubeconfig of somebody who may do everything and has chosen this namespace.
    pub async fn kubeconfig(&self, folder: &Folder) -> PathBuf {
        let path = folder.path().join("kubeconfig");
        fs::copy(self.cluster().kubeconfig(), &path).unwrap();
        let file = format!("--kubeconfig={}", path.display());
        let namespace = format!("--namespace={}", self.namespace);
        self.cluster().kubectl(&[&file, "config", "set-context", "--current", &namespace]).await.success();
        path
    }

    /// The folder of the operator's database.
    pub fn data(&self) -> PathBuf {
        let database = self.operator.as_ref().map(Operator::database).unwrap_or_default();
        database.parent().map(PathBuf::from).unwrap_or_default()
    }

    fn cluster(&self) -> &Cluster {
        match &self.cluster {
            Held::Shared(cluster) => cluster,
            Held::Own(cluster) => cluster,
        }
    }
}
