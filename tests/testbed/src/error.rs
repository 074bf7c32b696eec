//! What can go wrong when programs are started.

use std::{io, path::PathBuf, time::Duration};

/// Why the control plane, or a program beside it, did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not built.
    #[error("failed to find {program} in {folder}: run `make tools`")]
    ProgramMissing {
        /// Its file name.
        program: &'static str,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The system refused something.
    #[error("failed to {action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("failed to make the certificates of the control plane: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A program ended although it was needed.
    #[error("failed to keep {program} running: it ended with {status}; its log ends:\n{log}")]
    Ended {
        /// The name it was started under.
        program: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The last lines of its log.
        log: String,
    },
    /// A program did not come to a state in time.
    #[error("failed to see {program} {state} within {} s; its log ends:\n{log}", within.as_secs())]
    Late {
        /// The name it was started under.
        program: String,
        /// What was waited for.
        state: &'static str,
        /// How long.
        within: Duration,
        /// The last lines of its log.
        log: String,
    },
    /// The kubeconfig could not be used.
    #[error("failed to read the kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The API server refused a request.
    #[error("failed to {action}: {source}")]
    Api {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// A manifest is no custom resource definition.
    #[error("failed to read a custom resource definition from {path}: {source}")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: serde_yaml::Error,
    },
    /// A custom resource definition is not served.
    #[error("failed to see the custom resource definition {name} established: {source}")]
    NotEstablished {
        /// Its name.
        name: String,
        /// Why it failed.
        source: Box<kube::runtime::wait::Error>,
    },
}

impl Error {
    /// For `map_err`: an I/O error with what was tried.
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }

    /// For `map_err`: an error of the API server with what was tried.
    pub(crate) fn api(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let action = action.into();
        move |source| Self::Api { action, source: Box::new(source) }
    }
}
