//! What a release consists of, made by the scripts of `packaging/`.

mod dist;
mod image;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The time of all files that the scripts make here: the first second of 2026.
const EPOCH: &str = "1767225600";

/// A script of `packaging/`.
pub fn script<A: AsRef<OsStr>>(name: &str, arguments: &[A]) -> Command {
    let project = hookwright_testbed::project();
    let mut command = Command::new(project.join("packaging").join(name));
    command.args(arguments).env("SOURCE_DATE_EPOCH", EPOCH).current_dir(project);
    command
}

/// What a program prints that must succeed.
pub fn success(mut command: Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// The binary that is packed: that of the tests, or the one that `make release` has built.
fn binary() -> PathBuf {
    let released = std::env::var_os("HOOKWRIGHT_BINARY").map(PathBuf::from);
    released.unwrap_or_else(|| env!("CARGO_BIN_EXE_hookwright").into())
}
