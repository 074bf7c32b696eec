//! The Helm charts: what they render, what they refuse, and what becomes of them in a cluster.

mod alerts;
mod installed;
mod prometheus;
mod rendered;
mod upgraded;

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::support::read;

/// The program that installs charts.
fn helm() -> Command {
    Command::new(root().join("bin/helm"))
}

/// The chart of the operator, rendered as release `hookwright` of the namespace `hookwright`.
fn template(arguments: &[&str]) -> Output {
    template_with(helm(), arguments)
}

fn template_with(mut helm: Command, arguments: &[&str]) -> Output {
    helm.args(["template", "hookwright", "charts/hookwright", "--namespace", "hookwright"])
        // What the versions of helm assume differs.
        .arg("--kube-version=1.36.0")
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap()
}

/// What a program says that must succeed.
fn success(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn root() -> PathBuf {
    hookwright_testbed::project().to_owned()
}
