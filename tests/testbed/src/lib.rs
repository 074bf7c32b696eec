//! A real Kubernetes control plane as plain processes: etcd, kube-apiserver, kube-controller-manager.
//!
//! [`ControlPlane::start`] takes a few seconds and needs no privileges, no containers and no network but loopback.
//! The programs are those that `make tools` builds. RBAC, garbage collection, service account tokens and the
//! deletion of namespaces work; there is no node, and so pods do not run, unless [`ControlPlane::add_node`] plays one.
//!
//! Nothing is left behind, however this process ends: a [`Process`] and a [`Folder`] are on a leash, a pipe to a
//! small shell that cleans up once the pipe closes. The kernel closes it even after SIGKILL.

use std::path::Path;

mod certificates;
mod control_plane;
mod error;
mod folder;
mod node;
mod process;
mod programs;

pub use control_plane::ControlPlane;
pub use error::Error;
pub use folder::Folder;
pub use process::{Output, Process, Signal};

/// The folder of the project, where `bin/` and `crds/` are.
#[must_use]
pub fn project() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")); // tests/testbed
    here.ancestors().nth(2).unwrap_or(here)
}
