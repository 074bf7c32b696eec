//! Where the programs are.

use std::{path::PathBuf, process::Command};

use crate::Error;

/// The folder with the programs of a control plane.
#[derive(Debug)]
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// `KUBEBUILDER_ASSETS` where that is set, else what `make tools` fills.
    pub(crate) fn find() -> Result<Self, Error> {
        let folder = match std::env::var_os("KUBEBUILDER_ASSETS") {
            Some(folder) => PathBuf::from(folder),
            None => crate::project().join("bin"),
        };
        for program in ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"] {
            if !folder.join(program).is_file() {
                return Err(Error::ProgramMissing { program, folder });
            }
        }
        Ok(Self(folder))
    }

    /// A program that only some tests need, from where `make tools` puts it.
    pub(crate) fn extra(program: &'static str) -> Result<Command, Error> {
        let folder = crate::project().join("bin");
        match folder.join(program) {
            path if path.is_file() => Ok(Command::new(path)),
            _ => Err(Error::ProgramMissing { program, folder }),
        }
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        Command::new(self.0.join(program))
    }
}
