//! Why a command has failed: one line that says what to do, and an exit code that scripts can tell.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use http::StatusCode;

/// Why a command has failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system does not give what is needed.
    #[error("failed to start: {0}")]
    Runtime(io::Error),
    /// A file cannot be used.
    #[error("failed to read {}: {detail}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        detail: String,
    },
    /// A folder cannot be used.
    #[error("failed to write into {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is nowhere to receive.
    #[error("failed to listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Nobody reads what is printed.
    #[error("failed to print: {0}")]
    Stdout(io::Error),
    /// The client cannot be made.
    #[error("failed to make a client: {0}")]
    Client(String),
    /// The API does not answer.
    #[error(
        "failed to reach {server}: {detail}; name the address of the API with --server or HOOKWRIGHT_SERVER, \
         or a cluster with --kubeconfig"
    )]
    Unreachable {
        /// Its address.
        server: String,
        /// What happened.
        detail: String,
    },
    /// The API server of a cluster does not answer.
    #[error(
        "failed to reach the API server {server} of the context '{context}': {detail}; see whether that cluster \
         runs, or choose another with --context"
    )]
    ApiServer {
        /// Its address.
        server: String,
        /// What the kubeconfig calls it.
        context: String,
        /// What happened.
        detail: String,
    },
    /// Nobody does what an object asks for.
    #[error(
        "no operator has taken it up within {seconds} s: see whether one runs and serves the namespace \
         {namespace} ('kubectl get pods -A -l app.kubernetes.io/name=hookwright'); the request stays, and is \
         done once there is one"
    )]
    NoOperator {
        /// The namespace.
        namespace: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// There is no kubeconfig that can be used.
    #[error("failed to use the kubeconfig: {0}; name another with --kubeconfig, or the API with --server")]
    Kubeconfig(String),
    /// The API server does not let the user in, or not do this.
    #[error("{0}")]
    Denied(String),
    /// The API server does not know a thing.
    #[error("{0}")]
    Missing(String),
    /// What is there does not allow it.
    #[error("{0}")]
    Unfit(String),
    /// Not all events of a file were accepted.
    #[error(
        "{failed} of {all} events were not accepted; sending the same file again sends none twice that has an id"
    )]
    Refusals {
        /// How many were not.
        failed: usize,
        /// How many there are.
        all: usize,
    },
    /// It answers, but not as the API does.
    #[error("{server} does not answer as Hookwright does: {detail}")]
    Foreign {
        /// Its address.
        server: String,
        /// What is odd.
        detail: String,
    },
    /// The API refuses.
    #[error("{detail}{}", advice(*.status))]
    Refused {
        /// The status of its answer.
        status: StatusCode,
        /// What it says.
        detail: String,
    },
    /// There is no such webhook.
    #[error(
        "there is no webhook '{0}' in this namespace; 'hookwright deliveries' takes a name or an id (webhook_…)"
    )]
    NoWebhook(String),
    /// The receiver did not take a test event.
    #[error("not delivered: {0}")]
    NotDelivered(String),
    /// A request is not genuine.
    #[error("not genuine: {0}")]
    NotGenuine(String),
    /// What was given makes no sense.
    #[error("{0}")]
    Input(String),
}

impl Error {
    /// 1 failed, 2 wrong usage, 3 nobody answers, 4 the caller may not do this, 5 there is no such
    /// thing.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Input(_) => 2,
            Self::Unreachable { .. }
            | Self::Foreign { .. }
            | Self::ApiServer { .. }
            | Self::NoOperator { .. } => 3,
            Self::Refused { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, .. }
            | Self::Denied(_) => 4,
            Self::Refused { status: StatusCode::NOT_FOUND, .. } | Self::NoWebhook(_) | Self::Missing(_) => 5,
            Self::Refused { .. }
            | Self::Runtime(_)
            | Self::File { .. }
            | Self::Write { .. }
            | Self::Listen { .. }
            | Self::Stdout(_)
            | Self::Client(_)
            | Self::Kubeconfig(_)
            | Self::Unfit(_)
            | Self::Refusals { .. }
            | Self::NotDelivered(_)
            | Self::NotGenuine(_) => 1,
        }
    }

    /// A file cannot be used.
    pub(super) fn file(path: &Path, detail: &dyn fmt::Display) -> Self {
        Self::File { path: path.to_owned(), detail: detail.to_string() }
    }
}

/// What to do about an answer.
fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => {
            "; give a token with --token-file or HOOKWRIGHT_TOKEN, such as that of \
             'kubectl create token NAME --audience hookwright.dev'"
        }
        _ => "",
    }
}
