//! All that `make release` writes, but for the optimized binary.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use hookwright_testbed::Folder;
use serde_json::Value;

use super::{binary, script, success};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The files of a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let named = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    entries
        .map(|entry| (fs::read(entry.path()).unwrap(), named(entry)))
        .map(|(bytes, name)| (name, bytes))
        .collect()
}

/// What a tar has, one after the other.
fn listed(archive: &Path) -> Vec<String> {
    let mut tar = Command::new("tar");
    tar.arg("--list").arg("--file").arg(archive);
    success(tar).lines().map(str::to_owned).collect()
}

#[test]
fn a_release_is_whole_and_the_same_bytes_each_time() {
    let folder = Folder::temporary().unwrap();
    let small = folder.path().join("hookwright");
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&small).arg(binary());
    success(strip);
    let [first, second] = ["first", "second"].map(|name| {
        let dist = folder.path().join(name);
        success(script("release", &[small.as_os_str(), "amd64".as_ref(), dist.as_os_str()]));
        dist
    });
    let made = files(&first);
    let platform = format!("hookwright-{VERSION}-linux-amd64");
    let expected = [
        "SHA256SUMS".to_owned(),
        format!("{platform}-image.tar"),
        format!("{platform}.cdx.json"),
        format!("{platform}.tar.gz"),
        format!("hookwright-{VERSION}.tgz"),
        format!("hookwright-crds-{VERSION}.tgz"),
        format!("hookwright-crds-{VERSION}.yaml"),
    ];
    assert_eq!(made.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    for (name, bytes) in files(&second) {
        assert!(made[&name] == bytes, "{name} differs from one time to the next");
    }
    let mut check = Command::new("sha256sum");
    check.args(["--check", "--strict", "SHA256SUMS"]).current_dir(&first);
    assert_eq!(success(check).lines().count(), expected.len() - 1);

    let text = |name: &str| String::from_utf8(made[name].clone()).unwrap();
    assert_eq!(text(&expected[6]), hookwright::crd::yaml().unwrap());
    the_archive_has_all_that_a_shell_wants(&listed(&first.join(&expected[3])), &platform);
    the_bill_names_what_is_built_in(&text(&expected[2]));
}

fn the_archive_has_all_that_a_shell_wants(listed: &[String], platform: &str) {
    for file in [
        "LICENSE",
        "completions/_hookwright",
        "completions/hookwright.bash",
        "completions/hookwright.fish",
        "hookwright",
        "kubectl-hookwright",
        "man/hookwright-send.1",
        "man/hookwright.1",
    ] {
        assert!(listed.contains(&format!("{platform}/{file}")), "no {file} in {listed:#?}");
    }
}

fn the_bill_names_what_is_built_in(bill: &str) {
    let project = hookwright_testbed::project().to_str().unwrap();
    assert!(!bill.contains(project), "it names {project}");
    let bill: Value = serde_json::from_str(bill).unwrap();
    let described = &bill["metadata"]["component"];
    assert_eq!((&described["name"], &described["version"]), (&"hookwright".into(), &VERSION.into()));
    let components = bill["components"].as_array().unwrap();
    let names: Vec<_> = components.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(["hookwright-engine", "rusqlite", "rustls"].iter().all(|name| names.contains(name)), "{names:?}");
    assert!(!names.contains(&"proptest"), "what only tests need is not in it");
}

/// Asks when a version was released.
fn date(changelog: &str) -> Result<String, String> {
    let mut date = script("date", &["1.2.3"]);
    date.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut date = date.spawn().unwrap();
    date.stdin.take().unwrap().write_all(changelog.as_bytes()).unwrap();
    let output = date.wait_with_output().unwrap();
    let (said, error) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    if output.status.success() { Ok(said) } else { Err(error) }
}

#[test]
fn a_version_without_a_dated_section_in_the_changelog_is_not_released() {
    assert_eq!(date("# Changelog\n\n## Unreleased\n\n## 1.2.3 (2026-01-01)\n").unwrap(), "1767225600\n");
    for changelog in ["", "## Unreleased\n", "## 1.2.30 (2026-01-01)\n", "## 1.2.3\n", "## 1.2.3 (soon)\n"] {
        let error = date(changelog).unwrap_err();
        assert!(error.contains("has no section '## 1.2.3 (YYYY-MM-DD)'"), "{changelog}: {error}");
    }
}

#[test]
fn the_version_is_said_once_and_followed_everywhere() {
    let none: [&str; 0] = [];
    assert_eq!(success(script("version", &none)).trim(), VERSION);
    let dockerfile = fs::read_to_string(hookwright_testbed::project().join("Dockerfile")).unwrap();
    assert!(dockerfile.contains(&format!("\nARG VERSION={VERSION}\n")), "the Dockerfile has another");
}
