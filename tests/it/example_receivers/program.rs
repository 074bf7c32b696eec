//! How the receivers are started, each with the packages that its own list pins.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use hookwright_testbed::Folder;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where a program of `make tools` really is.
fn tool(name: &str) -> PathBuf {
    fs::canonicalize(project().join("bin").join(name))
        .unwrap_or_else(|error| panic!("there is no bin/{name} ({error}): make tools"))
}

pub fn axum() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--example", "receiver"]);
    assert!(cargo.current_dir(project()).status().unwrap().success());
    Command::new(Path::new(env!("CARGO_BIN_EXE_hookwright")).with_file_name("examples").join("receiver"))
}

/// Node looks for packages beside the program, where the tree is to have none.
pub fn express(folder: &Folder) -> Command {
    for entry in fs::read_dir(project().join("examples/receivers/express")).unwrap() {
        let file = entry.unwrap();
        fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    symlink(tool("express"), folder.path().join("node_modules")).unwrap();
    let mut node = Command::new("node");
    node.arg(folder.path().join("receiver.mjs"));
    node
}

pub fn flask() -> Command {
    let mut python = Command::new(tool("flask").with_file_name("python"));
    python.arg(project().join("examples/receivers/flask/receiver.py"));
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    python
}
