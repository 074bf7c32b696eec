//! The rules of ARCHITECTURE.md and CONTRIBUTING.md that no other tool checks.

use std::path::{Path, PathBuf};

use crate::support::{read, sources};

/// Longest file that one can hold in the head, in lines.
const MAX_LINES: usize = 500;

#[test]
fn the_engine_and_the_signatures_know_nothing_of_networks_and_kubernetes() {
    for (folder, banned) in [
        ("crates", &["kube", "k8s_openapi", "reqwest"][..]),
        ("crates/engine", &["axum", "hyper"]),
        ("crates/signature", &["axum", "hyper"]),
        (
            "crates/engine/src",
            &["tokio", "std::time::SystemTime", "std::time::Instant", "std::fs", "std::net"],
        ),
        ("crates/signature/src", &["tokio", "std::fs", "std::net"]),
    ] {
        assert_named_nowhere(&sources(folder), banned);
    }
}

#[test]
fn the_receivers_side_knows_nothing_of_the_operator() {
    assert_named_nowhere(&sources("crates/receiver"), &["hookwright::", "hookwright_engine"]);
}

#[test]
fn only_the_edges_to_kubernetes_name_it() {
    let allowed = [
        "src/crd",
        "src/controller",
        "src/projector",
        "src/api/auth/cluster.rs",
        "src/app",
        "src/standalone",
        "src/reference", // what the definitions say, not the cluster
        "src/cli/cluster",
    ];
    assert_named_nowhere(&outside(&allowed), &["kube", "k8s_openapi"]);
}

#[test]
fn only_the_telemetry_names_opentelemetry() {
    let files = outside(&["src/telemetry"]);
    assert_named_nowhere(
        &files,
        &["opentelemetry", "opentelemetry_sdk", "opentelemetry_otlp", "opentelemetry_http"],
    );
}

#[test]
fn only_the_transport_connects_and_only_the_store_opens_the_database() {
    assert_named_nowhere(
        &outside(&["src/transport", "src/api/tests"]),
        &["TcpSocket", "TcpStream::connect", "hyper_util::client", "hyper_rustls"],
    );
    assert_named_nowhere(&outside(&["src/store"]), &["rusqlite"]);
}

#[test]
fn no_route_is_made_beside_the_table_that_says_who_may() {
    let mut files = sources("src/api");
    files.retain(|file| {
        !file.starts_with(root().join("src/api/tests")) && !file.ends_with("src/api/route.rs")
    });
    assert_named_nowhere(&files, &["routing", "axum::routing"]);
}

#[test]
fn every_file_fits_the_head() {
    let mut files = sources("src");
    files.extend(sources("crates"));
    files.extend(sources("tests"));
    for file in files {
        let lines = read(&file).lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines: split it by noun", file.display());
    }
}

#[test]
fn nothing_is_left_for_later() {
    let mut files = sources("src");
    files.extend(sources("crates"));
    for file in files.iter().filter(|file| !file.ends_with("tidy.rs")) {
        for mark in ["todo!", "unimplemented!", "TODO", "FIXME", "XXX", "To come"] {
            assert!(!read(file).contains(mark), "{} has '{mark}'", file.display());
        }
    }
}

/// No line of code names one of these, but for those that say why it is not there.
fn assert_named_nowhere(files: &[PathBuf], banned: &[&str]) {
    for file in files {
        for (number, line) in (1..).zip(read(file).lines()) {
            let code = line.trim_start();
            let named = |name: &&&str| code.split(|c: char| !is_path(c)).any(|path| names(path, name));
            if !code.starts_with("//")
                && let Some(name) = banned.iter().find(named)
            {
                panic!("{}:{number} names {name}", file.display());
            }
        }
    }
}

const fn is_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':')
}

/// Whether a path begins with, ends with, or is this one.
fn names(path: &str, name: &str) -> bool {
    path == name || path.starts_with(&format!("{name}::")) || path.ends_with(&format!("::{name}"))
}

fn outside(allowed: &[&str]) -> Vec<PathBuf> {
    let mut files = sources("src");
    files.retain(|file| !allowed.iter().any(|allowed| file.starts_with(root().join(allowed))));
    assert!(!files.is_empty());
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
