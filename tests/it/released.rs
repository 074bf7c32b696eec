//! What the last release was, kept in `tests/it/released/VERSION/`.
//!
//! What users have must go on working: the tests hold the tree against it.

mod compatibility;
mod definitions;

use std::{fs, path::PathBuf};

/// The last release.
pub struct Release {
    folder: PathBuf,
    pub version: String,
}

impl Release {
    /// The one that is kept.
    pub fn last() -> Self {
        let releases = hookwright_testbed::project().join("tests/it/released");
        let entries = fs::read_dir(releases).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
        assert_eq!(folders.len(), 1, "{folders:?}: one release is kept, the last");
        let folder = folders.remove(0);
        let version = folder.file_name().unwrap().to_str().unwrap().to_owned();
        Self { folder, version }
    }

    /// Its custom resource definitions, in one file.
    pub fn definitions(&self) -> PathBuf {
        self.folder.join(format!("hookwright-crds-{}.yaml", self.version))
    }

    /// Its chart, packaged.
    pub fn chart(&self) -> PathBuf {
        self.folder.join(format!("hookwright-{}.tgz", self.version))
    }
}

#[test]
fn the_last_release_of_the_changelog_is_kept_whole() {
    let changelog = crate::support::read("CHANGELOG.md");
    let mut headings = changelog.lines().filter_map(|line| line.strip_prefix("## "));
    assert_eq!(headings.next(), Some("Unreleased"), "what comes next has its place above");
    let last = headings.next().unwrap().split(' ').next().unwrap();
    let release = Release::last();
    assert_eq!(release.version, last, "make baseline keeps it");
    assert!(release.definitions().is_file() && release.chart().is_file());
}
