//! Which webhooks there are, which Secrets they use, and what is known of each from one look to
//! the next. Pure: says what is to be done, and leaves the doing to others.

use std::collections::{BTreeSet, HashMap, HashSet};

use hookwright_engine::id::WebhookId;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use uuid::Uuid;

use super::Object;
use super::keys::Keys;
use super::letters::Letters;
use crate::crd::WebhookStatus;
use crate::crd::annotation::{self, REDRIVE_REQUESTED_AT, TEST_REQUESTED_AT};

/// A name in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Named {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// The values of the annotations that ask for something.
type Requests = [Option<String>; 2];

/// What one watch covers: its place in the list of watched namespaces.
pub(super) type Scope = usize;

/// All webhooks of all watches.
#[derive(Debug)]
pub(super) struct Inventory {
    webhooks: HashMap<WebhookId, Entry>,
    names: HashMap<Named, WebhookId>,
    secrets: HashMap<Named, Used>,
    letters: Letters,
    listings: Vec<Listing>,
    synced: bool,
}

/// What is known of a webhook.
#[derive(Debug)]
struct Entry {
    scope: Scope,
    name: Named,
    generation: Option<i64>,
    references: BTreeSet<String>,
    /// The webhook that it names for its dead letters.
    dead_letter: Option<Named>,
    /// What its user asks for by annotation.
    requests: Requests,
    /// Whether it was looked at, with whatever result.
    seen: bool,
    /// Looks in a row that failed.
    failures: u32,
    keys: Option<Keys>,
    /// The status written last.
    said: Option<WebhookStatus>,
}

/// A Secret that webhooks use.
#[derive(Debug, Default)]
struct Used {
    by: BTreeSet<WebhookId>,
    /// Its version when it was read last; `None` when it was not there.
    version: Option<String>,
}

/// How far a watch is with its list.
#[derive(Debug)]
enum Listing {
    /// Never complete so far.
    First(HashSet<WebhookId>),
    /// Complete; being repeated after a disconnect where there is a set.
    Complete(Option<HashSet<WebhookId>>),
}

/// What follows from an event of a watch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Observed {
    /// Whether the object must be looked at.
    pub(super) look: bool,
    /// Webhooks that are gone.
    pub(super) gone: Vec<WebhookId>,
    /// Others to be looked at, as the webhook that they name for their dead letters came or went.
    pub(super) naming: Vec<ObjectRef<Object>>,
}

impl Inventory {
    /// Nothing known yet; `scopes` watches will tell.
    pub(super) fn new(scopes: usize) -> Self {
        Self {
            webhooks: HashMap::new(),
            names: HashMap::new(),
            secrets: HashMap::new(),
            letters: Letters::default(),
            listings: (0..scopes).map(|_| Listing::First(HashSet::new())).collect(),
            synced: false,
        }
    }

    /// Takes note of an event of a watch.
    pub(super) fn observe(&mut self, scope: Scope, event: &Event<Object>) -> Observed {
        match event {
            Event::Init => {
                self.listings[scope] = match &self.listings[scope] {
                    Listing::First(_) => Listing::First(HashSet::new()),
                    Listing::Complete(_) => Listing::Complete(Some(HashSet::new())),
                };
                Observed::default()
            }
            Event::InitApply(object) => {
                if let Some(id) = id(object) {
                    match &mut self.listings[scope] {
                        Listing::First(listed) | Listing::Complete(Some(listed)) => drop(listed.insert(id)),
                        Listing::Complete(None) => {}
                    }
                }
                self.applied(scope, object)
            }
            Event::InitDone => {
                let listing = std::mem::replace(&mut self.listings[scope], Listing::Complete(None));
                let (Listing::First(listed) | Listing::Complete(Some(listed))) = listing else {
                    return Observed::default();
                };
                let missing = |(id, entry): (&WebhookId, &Entry)| {
                    (entry.scope == scope && !listed.contains(id)).then_some(*id)
                };
                let gone: Vec<_> = self.webhooks.iter().filter_map(missing).collect();
                let naming = gone.iter().flat_map(|&id| self.forget(id)).collect();
                Observed { look: false, gone, naming }
            }
            Event::Apply(object) => self.applied(scope, object),
            Event::Delete(object) => self.deleted(object),
        }
    }

    fn applied(&mut self, scope: Scope, object: &Object) -> Observed {
        let (Some(id), Some(name)) = (id(object), named(object)) else { return Observed::default() };
        if object.meta().deletion_timestamp.is_some() {
            return self.deleted(object);
        }
        let mut gone = Vec::new();
        let new = !self.names.contains_key(&name);
        // Deleted and made anew between two events: another webhook under the same name.
        if let Some(&former) = self.names.get(&name).filter(|&&former| former != id) {
            drop(self.forget(former)); // Named all the same.
            gone.push(former);
        }
        let generation = object.meta().generation;
        let references = references(object);
        let known = self.webhooks.get(&id);
        let requests = requests(object);
        let look = known.is_none_or(|entry| (entry.generation, &entry.requests) != (generation, &requests));
        let before = known.map(|entry| entry.references.clone()).unwrap_or_default();
        let dead_letter = dead_letter(object, &name);
        self.letters.turn(id, known.and_then(|entry| entry.dead_letter.as_ref()), dead_letter.as_ref());
        if before != references {
            self.index(id, &name, &before, &references);
        }
        let naming = if new { self.naming(&name) } else { Vec::new() };
        self.names.insert(name.clone(), id);
        let entry = self.webhooks.entry(id).or_insert_with(|| Entry {
            scope,
            name,
            generation,
            references: BTreeSet::new(),
            dead_letter: None,
            requests: Requests::default(),
            seen: false,
            failures: 0,
            keys: None,
            said: None,
        });
        entry.generation = generation;
        entry.references = references;
        entry.dead_letter = dead_letter;
        entry.requests = requests;
        Observed { look, gone, naming }
    }

    fn deleted(&mut self, object: &Object) -> Observed {
        let known = id(object).filter(|id| self.webhooks.contains_key(id));
        let Some(id) = known else { return Observed::default() };
        let naming = self.forget(id);
        Observed { look: false, gone: vec![id], naming }
    }

    /// Forgets a webhook; answers those that name it for their dead letters.
    fn forget(&mut self, id: WebhookId) -> Vec<ObjectRef<Object>> {
        let Some(entry) = self.webhooks.remove(&id) else { return Vec::new() };
        self.letters.turn(id, entry.dead_letter.as_ref(), None);
        self.index(id, &entry.name, &entry.references, &BTreeSet::new());
        if self.names.get(&entry.name) == Some(&id) {
            self.names.remove(&entry.name);
        }
        self.naming(&entry.name)
    }

    /// Whether there is a webhook of this name.
    pub(super) fn exists(&self, name: &Named) -> bool {
        self.names.contains_key(name)
    }

    /// The webhooks that name this one for their dead letters.
    fn naming(&self, target: &Named) -> Vec<ObjectRef<Object>> {
        self.objects(self.letters.naming(target))
    }

    fn objects(&self, ids: impl Iterator<Item = WebhookId>) -> Vec<ObjectRef<Object>> {
        let names = ids.filter_map(|id| self.webhooks.get(&id)).map(|entry| &entry.name);
        names.map(|name| ObjectRef::new(&name.name).within(&name.namespace)).collect()
    }

    /// Notes that a webhook uses the Secrets `after`, and no longer those `before`.
    fn index(&mut self, id: WebhookId, webhook: &Named, before: &BTreeSet<String>, after: &BTreeSet<String>) {
        let secret = |name: &String| Named { namespace: webhook.namespace.clone(), name: name.clone() };
        for name in before.difference(after).map(secret) {
            if let Some(used) = self.secrets.get_mut(&name) {
                used.by.remove(&id);
                if used.by.is_empty() {
                    self.secrets.remove(&name);
                }
            }
        }
        for name in after.iter().map(secret) {
            self.secrets.entry(name).or_default().by.insert(id);
        }
    }

    /// Whether a webhook still exists.
    pub(super) fn contains(&self, id: WebhookId) -> bool {
        self.webhooks.contains_key(&id)
    }

    /// The signing keys of a webhook, where it was looked at before.
    pub(super) fn keys(&self, id: WebhookId) -> Option<Keys> {
        self.webhooks.get(&id).and_then(|entry| entry.keys.clone())
    }

    /// Remembers the signing keys of a webhook that still exists.
    pub(super) fn remember(&mut self, id: WebhookId, keys: Keys) {
        if let Some(entry) = self.webhooks.get_mut(&id) {
            entry.keys = Some(keys);
        }
    }

    /// The status written last.
    pub(super) fn said(&self, id: WebhookId) -> Option<WebhookStatus> {
        self.webhooks.get(&id).and_then(|entry| entry.said.clone())
    }

    /// Remembers the status written last.
    pub(super) fn say(&mut self, id: WebhookId, status: WebhookStatus) {
        if let Some(entry) = self.webhooks.get_mut(&id) {
            entry.said = Some(status);
        }
    }

    /// A Secret was read, or was not there.
    pub(super) fn read(&mut self, secret: &Named, version: Option<String>) {
        if let Some(used) = self.secrets.get_mut(secret) {
            used.version = version;
        }
    }

    /// The webhooks that must be looked at because a Secret now has this version.
    pub(super) fn users(&self, secret: &Named, version: Option<&str>) -> Vec<ObjectRef<Object>> {
        let Some(used) = self.secrets.get(secret) else { return Vec::new() };
        // What a look itself has read or created, or not found, is no news.
        if used.version.as_deref() == version {
            return Vec::new();
        }
        self.objects(used.by.iter().copied())
    }

    /// The Secrets that webhooks of one watch use, in order, and whether they were there.
    pub(super) fn secrets(&self, scope: Scope) -> Vec<(Named, bool)> {
        let here = |id| self.webhooks.get(id).is_some_and(|entry| entry.scope == scope);
        let used = self.secrets.iter().filter(|(_, used)| used.by.iter().any(here));
        let mut used: Vec<_> = used.map(|(secret, used)| (secret.clone(), used.version.is_some())).collect();
        used.sort_unstable();
        used
    }

    /// A webhook was looked at.
    pub(super) fn looked(&mut self, id: WebhookId, well: bool) {
        if let Some(entry) = self.webhooks.get_mut(&id) {
            entry.seen = true;
            entry.failures = if well { 0 } else { entry.failures.saturating_add(1) };
        }
    }

    /// How many looks at a webhook in a row have failed.
    pub(super) fn failures(&self, id: WebhookId) -> u32 {
        self.webhooks.get(&id).map_or(0, |entry| entry.failures)
    }

    /// All webhooks, once: when every watch is complete and every webhook was looked at.
    pub(super) fn synced(&mut self) -> Option<HashSet<WebhookId>> {
        let listed = self.listings.iter().all(|listing| matches!(listing, Listing::Complete(_)));
        if self.synced || !listed || !self.webhooks.values().all(|entry| entry.seen) {
            return None;
        }
        self.synced = true;
        Some(self.webhooks.keys().copied().collect())
    }
}

/// The id of an object; objects of an API server have one.
pub(super) fn id(object: &Object) -> Option<WebhookId> {
    object.meta().uid.as_deref().and_then(|uid| Uuid::try_parse(uid).ok()).map(WebhookId::from_uid)
}

fn named(object: &Object) -> Option<Named> {
    Some(Named { namespace: object.namespace()?, name: object.meta().name.clone()? })
}

fn references(object: &Object) -> BTreeSet<String> {
    match &object.0 {
        Ok(webhook) => webhook.references().into_iter().map(|key| key.name).collect(),
        Err(_) => BTreeSet::new(),
    }
}

fn requests(object: &Object) -> Requests {
    [REDRIVE_REQUESTED_AT, TEST_REQUESTED_AT].map(|name| annotation::requested(object, name))
}

/// The webhook that an object names for its dead letters.
fn dead_letter(object: &Object, own: &Named) -> Option<Named> {
    let dead_letter = object.0.as_ref().ok()?.spec.dead_letter.as_ref()?;
    Some(Named { namespace: own.namespace.clone(), name: dead_letter.webhook_ref.name.clone() })
}

#[cfg(test)]
mod tests;
