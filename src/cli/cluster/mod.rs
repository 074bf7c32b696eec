//! The way through the API server of a cluster, with the rights of the kubeconfig's user: no token of ours, no route to the
//! operator.
//!
//! | command | what it does |
//! |---|---|
//! | `deliveries` | lists and watches `WebhookDelivery` objects |
//! | `send` | creates one per webhook that matches, named after the event and the webhook |
//! | `explain` | asks the webhooks' patterns and filters here |
//! | `retry` `redrive` `test` | sets an annotation, and waits for its echo and its outcome ([`ask`]) |
//! | `rotate` | replaces a key of a Secret |

mod ask;
mod deliveries;
mod failure;
mod rotate;
mod send;

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hookwright_engine::id::WebhookId;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{ListParams, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use uuid::Uuid;

use super::error::Error;
use crate::crd::condition::Holds;
use crate::crd::{Webhook, WebhookDelivery};

/// How long it may take to be connected.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Objects of one page of a list.
const PAGE: u32 = 500;
/// Most objects of one kind that are listed.
const MAX_LISTED: usize = 20_000;
/// Who owns the fields that are written here.
const FIELD_MANAGER: &str = "hookwright-cli";

/// A namespace of a cluster.
pub(super) struct Cluster {
    client: Client,
    context: String,
    server: String,
    namespace: String,
    patience: Duration,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client: _, context, server, namespace, patience: _ } = self;
        f.debug_struct("Cluster")
            .field("context", context)
            .field("server", server)
            .field("namespace", namespace)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Whether there is a kubeconfig that nobody has to name.
    pub(in crate::cli) fn is_configured() -> bool {
        env::var_os("KUBECONFIG").is_some_and(|files| !files.is_empty())
            || env::home_dir().is_some_and(|home| home.join(".kube/config").is_file())
    }

    /// The cluster of a context. Nothing has been asked of it yet, but of the program that its user logs in with.
    pub(super) async fn open(
        kubeconfig: Option<PathBuf>,
        context: Option<String>,
        namespace: Option<String>,
        patience: Duration,
    ) -> Result<Self, Error> {
        let kubeconfig = match kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        let kubeconfig = kubeconfig.map_err(|error| Error::Kubeconfig(error.to_string()))?;
        let context = chosen(&kubeconfig, context)?;
        let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let mut config = config.map_err(|error| Error::Kubeconfig(error.to_string()))?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| failure::of(error, &server, &context))?;
        Ok(Self { client, context, server, namespace, patience })
    }

    fn webhooks(&self) -> Api<Webhook> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn objects(&self) -> Api<WebhookDelivery> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn failed(&self, error: kube::Error) -> Error {
        failure::of(error, &self.server, &self.context)
    }

    /// The webhook of this name or id.
    async fn webhook(&self, named: &str) -> Result<Webhook, Error> {
        if named.starts_with("webhook_") {
            let all = self.list(&self.webhooks(), &ListParams::default()).await?;
            let found = all.into_iter().find(|webhook| id(webhook) == named);
            return found.ok_or_else(|| Error::NoWebhook(named.to_owned()));
        }
        let found = self.webhooks().get_opt(named).await.map_err(|error| self.failed(error))?;
        found.ok_or_else(|| Error::NoWebhook(named.to_owned()))
    }

    /// All objects that are asked for, page by page.
    async fn list<K>(&self, api: &Api<K>, wanted: &ListParams) -> Result<Vec<K>, Error>
    where
        K: Clone + serde::de::DeserializeOwned + fmt::Debug,
    {
        let mut params = wanted.clone().limit(PAGE);
        let mut all = Vec::new();
        loop {
            let page = api.list(&params).await.map_err(|error| self.failed(error))?;
            all.extend(page.items);
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() || all.len() >= MAX_LISTED {
                return Ok(all);
            }
        }
    }
}

/// The context to use: the one that is asked for, else the current one.
fn chosen(kubeconfig: &Kubeconfig, asked: Option<String>) -> Result<String, Error> {
    let names: Vec<_> = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    match asked.or_else(|| kubeconfig.current_context.clone()).filter(|name| !name.is_empty()) {
        Some(name) if names.contains(&name.as_str()) => Ok(name),
        Some(name) => {
            Err(Error::Input(format!("the kubeconfig has no context '{name}'; there are: {known}")))
        }
        None => Err(Error::Input(format!(
            "the kubeconfig has no current context: choose one with --context; there are: {known}"
        ))),
    }
}

/// What a webhook's status says does not hold.
fn unmet(webhook: &Webhook) -> impl Iterator<Item = &Condition> {
    let conditions = webhook.status.as_ref().and_then(|status| status.conditions.as_deref());
    conditions.unwrap_or_default().iter().filter(|condition| condition.status == Holds::False.as_str())
}

/// How objects are changed.
fn patching() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

/// The id of a webhook in requests and the API.
fn identity(webhook: &Webhook) -> WebhookId {
    let uid = webhook.uid().and_then(|uid| Uuid::try_parse(&uid).ok());
    WebhookId::from_uid(uid.unwrap_or_default())
}

fn id(webhook: &Webhook) -> String {
    identity(webhook).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_one_that_there_is() {
        let text = "{contexts: [{name: a, context: {cluster: c, user: u}}, {name: b}], current-context: a}";
        let kubeconfig = Kubeconfig::from_yaml(text).unwrap();
        assert_eq!(chosen(&kubeconfig, None).unwrap(), "a");
        assert_eq!(chosen(&kubeconfig, Some("b".to_owned())).unwrap(), "b");
        let error = chosen(&kubeconfig, Some("c".to_owned())).unwrap_err();
        assert_eq!(error.code(), 2);
        assert_eq!(error.to_string(), "the kubeconfig has no context 'c'; there are: a, b");
        let none = chosen(&Kubeconfig::default(), None).unwrap_err().to_string();
        assert!(none.ends_with("there are: none"), "{none}");
    }
}
