//! The folder of manifests: what it holds, and when that changes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Secret;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::kept::SigningKeys;
use super::manifest::{self, Identity, Manifest, Object, Source};
use crate::crd::{Webhook, WebhookDelivery};

/// Largest manifest file, in bytes.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("failed to read the folder {path}: {source}")]
    Read {
        /// The folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A manifest in it cannot be read. Without it, a webhook would seem deleted, and its
    /// deliveries would be canceled.
    #[error("failed to read the manifests: {0}")]
    Manifest(String),
    /// Changes cannot be followed.
    #[error("failed to follow changes of the folder {path}: {source}")]
    Watch {
        /// The folder.
        path: String,
        /// What the system said.
        source: notify::Error,
    },
}

/// A folder, with the last readable state of each of its files. Folders in it are not looked into.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    files: BTreeMap<String, Vec<Manifest>>,
}

/// The objects of a folder by what they are called, each with its place.
#[derive(Debug, Default)]
pub(super) struct Manifests<'a> {
    pub(super) webhooks: BTreeMap<&'a Identity, (&'a Source, &'a Webhook)>,
    pub(super) secrets: BTreeMap<&'a Identity, (&'a Source, &'a Secret)>,
    pub(super) deliveries: BTreeMap<&'a Identity, (&'a Source, &'a WebhookDelivery)>,
    /// The signing keys of the webhooks that are not in the folder.
    pub(super) keys: BTreeMap<&'a Identity, &'a SigningKeys>,
}

impl Folder {
    /// Reads a folder. Everything in it must be readable.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut folder = Self { path: path.to_owned(), files: BTreeMap::new() };
        let unreadable = folder.reload()?;
        let (_, ambiguous) = folder.manifests();
        match unreadable.into_iter().chain(ambiguous).next() {
            Some(problem) => Err(Error::Manifest(problem)),
            None => Ok(folder),
        }
    }

    /// Reads the folder again. Of a file that cannot be read, what it held before stays; says which
    /// files these are, and why.
    pub(super) fn reload(&mut self) -> Result<Vec<String>, Error> {
        let failed = |source| Error::Read { path: self.path.display().to_string(), source };
        let mut before = std::mem::take(&mut self.files);
        let names = match names(&self.path).map_err(failed) {
            Ok(names) => names,
            Err(error) => {
                self.files = before;
                return Err(error);
            }
        };
        let mut problems = Vec::new();
        for name in names {
            let held = before.remove(&name);
            match read(&self.path.join(&name), &name) {
                Ok(manifests) => drop(self.files.insert(name, manifests)),
                Err(problem) => {
                    problems.push(problem);
                    held.and_then(|held| self.files.insert(name, held));
                }
            }
        }
        Ok(problems)
    }

    /// What the folder holds, and what it holds twice: then the first counts.
    pub(super) fn manifests(&self) -> (Manifests<'_>, Vec<String>) {
        let mut manifests = Manifests::default();
        let mut problems = Vec::new();
        for Manifest { source, identity, object } in self.files.values().flatten() {
            let (kind, first) = match object {
                Object::Webhook(it) => ("Webhook", enter(&mut manifests.webhooks, identity, source, it)),
                Object::Secret(it) => ("Secret", enter(&mut manifests.secrets, identity, source, it)),
                Object::Delivery(it) => {
                    ("WebhookDelivery", enter(&mut manifests.deliveries, identity, source, it))
                }
            };
            if let Some(first) = first {
                problems.push(format!("{source}: {kind} {identity} is in {first} already"));
            }
        }
        (manifests, problems)
    }

    /// The file that has this webhook.
    pub(super) fn file_of(&self, webhook: &Identity) -> Option<&str> {
        let has = |manifest: &Manifest| {
            matches!(manifest.object, Object::Webhook(_)) && manifest.identity == *webhook
        };
        let (file, _) = self.files.iter().find(|(_, manifests)| manifests.iter().any(has))?;
        Some(file)
    }

    /// Says, once for any number of them, when there were changes. Until the watcher is dropped.
    pub(super) fn watch(&self) -> Result<(RecommendedWatcher, mpsc::Receiver<()>), Error> {
        let failed = |source| Error::Watch { path: self.path.display().to_string(), source };
        let (sender, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Whatever went wrong in watching, looking again is right. Our own reading is no change.
            let irrelevant =
                event.is_ok_and(|event| event.kind.is_access() || !event.paths.iter().any(is_manifest));
            if !irrelevant {
                let _ = sender.try_send(()); // Full: it is told already.
            }
        })
        .map_err(failed)?;
        watcher.watch(&self.path, RecursiveMode::NonRecursive).map_err(failed)?;
        Ok((watcher, changes))
    }
}

/// Enters an object; where its name is taken, says by which.
pub(super) fn enter<'a, T>(
    objects: &mut BTreeMap<&'a Identity, (&'a Source, &'a T)>,
    identity: &'a Identity,
    source: &'a Source,
    object: &'a T,
) -> Option<&'a Source> {
    match objects.get(identity) {
        Some((first, _)) => Some(first),
        None => objects.insert(identity, (source, object)).map(|(source, _)| source),
    }
}

/// The names of the manifest files of a folder, in order.
fn names(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?.path();
        if is_manifest(&entry) && entry.is_file() {
            names.extend(entry.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// `*.yaml`, `*.yml` and `*.json`, but no hidden files: editors keep their drafts in those.
fn is_manifest(path: &impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    let extension = path.extension().and_then(|extension| extension.to_str());
    let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
    !hidden && matches!(extension, Some("yaml" | "yml" | "json"))
}

fn read(path: &Path, name: &str) -> Result<Vec<Manifest>, String> {
    let of = |error: io::Error| format!("{name}: {error}");
    if fs::metadata(path).map_err(of)?.len() > MAX_FILE_BYTES {
        return Err(format!("{name}: larger than {MAX_FILE_BYTES} bytes"));
    }
    let text = fs::read_to_string(path).map_err(of)?;
    manifest::parse(name, &text).map_err(|unreadable| unreadable.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str) -> String {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\n")
    }

    fn held(folder: &Folder) -> Vec<String> {
        folder.manifests().0.secrets.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn a_half_written_file_is_reported_and_what_it_held_before_stays() {
        let at = tempfile::tempdir().unwrap();
        fs::write(at.path().join("a.yaml"), secret("a")).unwrap();
        fs::write(at.path().join("b.yml"), secret("b")).unwrap();
        fs::write(at.path().join("notes.txt"), "not a manifest").unwrap();
        fs::write(at.path().join(".c.yaml"), "{half").unwrap();
        let mut folder = Folder::open(at.path()).unwrap();
        assert_eq!(held(&folder), ["default/a", "default/b"]);

        fs::write(at.path().join("a.yaml"), "{half").unwrap();
        fs::remove_file(at.path().join("b.yml")).unwrap();
        let problems = folder.reload().unwrap();
        assert!(problems.len() == 1 && problems[0].starts_with("a.yaml, document 1: "), "{problems:?}");
        assert_eq!(held(&folder), ["default/a"]);

        fs::write(at.path().join("a.yaml"), secret("new")).unwrap();
        assert!(folder.reload().unwrap().is_empty());
        assert_eq!(held(&folder), ["default/new"]);

        drop(at);
        assert!(folder.reload().unwrap_err().to_string().starts_with("failed to read the folder "));
        assert_eq!(held(&folder), ["default/new"], "a folder that vanished deletes nothing");
    }

    #[test]
    fn at_the_begin_everything_must_be_readable_and_there_once() {
        let at = tempfile::tempdir().unwrap();
        fs::write(at.path().join("a.yaml"), secret("a")).unwrap();
        fs::write(at.path().join("b.yaml"), secret("a")).unwrap();
        let error = Folder::open(at.path()).unwrap_err().to_string();
        assert!(
            error.ends_with("b.yaml, document 1: Secret default/a is in a.yaml, document 1 already"),
            "{error}"
        );
        fs::write(at.path().join("b.yaml"), "[]").unwrap();
        let error = Folder::open(at.path()).unwrap_err().to_string();
        assert!(
            error.starts_with("failed to read the manifests: b.yaml, document 1: not a manifest"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn changes_are_told() {
        let at = tempfile::tempdir().unwrap();
        let folder = Folder::open(at.path()).unwrap();
        let (watcher, mut changes) = folder.watch().unwrap();
        fs::write(at.path().join("a.yaml"), secret("a")).unwrap();
        assert_eq!(changes.recv().await, Some(()));
        drop(watcher);
        while changes.recv().await.is_some() {}
    }
}
