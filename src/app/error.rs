//! Why the process ends.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::task::JoinError;
use tracing_subscriber::util::TryInitError;

use crate::telemetry::traces;
use crate::transport::http;
use crate::{reload, standalone, store};

/// Why the process ends where it should not. The message is one line for who started it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The logs have nowhere to go.
    #[error("failed to set up the log: {0}")]
    Telemetry(#[from] TryInitError),
    /// Traces have nowhere to go.
    #[error(transparent)]
    Traces(#[from] traces::Error),
    /// The system does not give what is needed.
    #[error("failed to start: {0}")]
    Runtime(io::Error),
    /// The API cannot listen.
    #[error("failed to listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// There is no cluster to work for.
    #[error("failed to find a cluster, neither around this process nor in KUBECONFIG: {0}")]
    Cluster(kube::config::InferConfigError),
    /// The cluster cannot be talked to.
    #[error("failed to make a client of the cluster: {0}")]
    Client(#[from] kube::Error),
    /// No requests can be sent.
    #[error(transparent)]
    Transport(#[from] http::Error),
    /// The tokens or the certificate of the API cannot be used.
    #[error(transparent)]
    Files(#[from] reload::Error),
    /// The folder of manifests cannot be used.
    #[error(transparent)]
    Standalone(#[from] standalone::Error),
    /// The backup cannot be read.
    #[error("failed to open the backup {}: {source}", file.display())]
    Backup {
        /// Its file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no temporary folder for the database.
    #[error("failed to make a temporary folder for the database: {0}")]
    Temporary(io::Error),
    /// The custom resource definitions cannot be written as YAML.
    #[error("failed to print the custom resource definitions: {0}")]
    Crds(#[from] serde_yaml::Error),
    /// The description of the REST API cannot be written as JSON.
    #[error("failed to print the description of the REST API: {0}")]
    OpenApi(#[from] serde_json::Error),
    /// The reference cannot be written.
    #[error("failed to write the reference: {0}")]
    Reference(io::Error),
    /// Nobody reads what is printed.
    #[error("failed to print: {0}")]
    Stdout(io::Error),
    /// A part of the process panicked.
    #[error("failed by a defect: {0}")]
    Panic(#[from] JoinError),
    /// Told twice to end.
    #[error("told twice to end, so ended before everything under way did")]
    Interrupted,
}
