//! How the commands reach what looks after webhooks, and which of the two ways they take.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use url::Url;

use super::client::{Client, secret};
use super::cluster::Cluster;
use super::error::Error;
use super::way::Way;

/// Where an operator on this machine listens.
const LOCAL: &str = "http://127.0.0.1:8787";
/// The name by which kubectl finds the program.
const PLUGIN: &str = "kubectl-hookwright";

/// How webhooks are reached: through the operator's API, or through the API server of a cluster.
#[derive(Debug, Args)]
pub struct Connection {
    /// Address of the operator's API [default: none where there is a kubeconfig, else <http://127.0.0.1:8787>]
    #[arg(long, env = "HOOKWRIGHT_SERVER", value_name = "URL")]
    server: Option<Url>,
    /// File with the token to call it with [default: the variable `HOOKWRIGHT_TOKEN`]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kubeconfig", "context"])]
    token_file: Option<PathBuf>,
    /// The token itself: on no command line, where everybody on the machine sees it.
    #[arg(long, hide = true, env = "HOOKWRIGHT_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
    /// File with certificates (PEM) of authorities to trust beside the system's, when it is called
    #[arg(long, env = "HOOKWRIGHT_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Kubeconfig of the cluster, to go through its API server instead [default: KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", conflicts_with = "server")]
    context: Option<String>,
    /// Namespace [default: that of the token's service account, or of the context; else default]
    #[arg(long, short, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Seconds to wait for the operator, where it is asked through the API server
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3600))]
    timeout: u32,
}

impl Connection {
    /// Takes the way that is asked for: a kubeconfig or context, else a server or token, else the kubeconfig that is there
    /// or that kubectl would use, else the operator of this machine.
    pub(super) async fn open(self) -> Result<Way, Error> {
        let Self { server, token_file, token, ca_file, kubeconfig, context, namespace, timeout } = self;
        let named = kubeconfig.is_some() || context.is_some();
        let called = server.is_some() || token_file.is_some() || token.is_some();
        if named || (!called && (is_plugin() || Cluster::is_configured())) {
            let patience = Duration::from_secs(timeout.into());
            return Cluster::open(kubeconfig, context, namespace, patience).await.map(Way::Cluster);
        }
        let local = || LOCAL.parse().map_err(|error| Error::Input(format!("{LOCAL}: {error}")));
        let server = server.map_or_else(local, Ok)?;
        let token = token_file.map(|path| secret(&path)).transpose()?.or(token);
        Client::new(server, token, namespace, ca_file).map(Way::Rest)
    }
}

fn is_plugin() -> bool {
    let name = env::args_os().next();
    name.is_some_and(|name| Path::new(&name).file_stem().is_some_and(|name| name == PLUGIN))
}
