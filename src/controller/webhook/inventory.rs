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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
        // What a look itself has read or created is no news.
        if version.is_some() && used.version.as_deref() == version {
            return Vec::new();
        }
        self.objects(used.by.iter().copied())
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
mod tests {
    use kube::core::DeserializeGuard;
    use serde_json::json;

    use super::*;

    fn object(name: &str, uid: u128, generation: i64, secret: &str) -> Object {
        let object = json!({
            "metadata": {
                "name": name, "namespace": "shop", "uid": Uuid::from_u128(uid).to_string(), "generation": generation,
            },
            "spec": {
                "url": "https://a.example", "events": ["*"], "signing": { "secretRef": { "name": secret } },
            },
        });
        DeserializeGuard(Ok(serde_json::from_value(object).unwrap()))
    }

    fn id(uid: u128) -> WebhookId {
        WebhookId::from_uid(Uuid::from_u128(uid))
    }

    fn look() -> Observed {
        Observed { look: true, ..Observed::default() }
    }

    fn gone(uid: u128) -> Observed {
        Observed { gone: vec![id(uid)], ..Observed::default() }
    }

    fn secret(name: &str) -> Named {
        Named { namespace: "shop".to_owned(), name: name.to_owned() }
    }

    fn listed(scope: Scope, inventory: &mut Inventory, objects: &[Object]) -> Observed {
        inventory.observe(scope, &Event::Init);
        for object in objects {
            inventory.observe(scope, &Event::InitApply(object.clone()));
        }
        inventory.observe(scope, &Event::InitDone)
    }

    #[test]
    fn an_object_is_looked_at_when_its_spec_changes_and_not_when_its_status_does() {
        let mut inventory = Inventory::new(1);
        let mut apply = |generation| inventory.observe(0, &Event::Apply(object("a", 1, generation, "s")));
        assert_eq!(apply(1), look());
        assert_eq!(apply(1), Observed::default());
        assert_eq!(apply(2), look());
        let mut asking = object("a", 1, 2, "s");
        asking.annotations_mut().insert(TEST_REQUESTED_AT.to_owned(), "now".to_owned());
        assert_eq!(inventory.observe(0, &Event::Apply(asking.clone())), look());
        assert_eq!(inventory.observe(0, &Event::Apply(asking)), Observed::default());
    }

    #[test]
    fn a_webhook_made_anew_under_its_name_is_another_one() {
        let mut inventory = Inventory::new(1);
        inventory.observe(0, &Event::Apply(object("a", 1, 1, "s")));
        let observed = inventory.observe(0, &Event::Apply(object("a", 2, 1, "s")));
        assert_eq!(observed, Observed { look: true, gone: vec![id(1)], naming: Vec::new() });
        // The deletion of the former one comes late.
        assert_eq!(inventory.observe(0, &Event::Delete(object("a", 1, 1, "s"))), Observed::default());
        assert_eq!(inventory.observe(0, &Event::Delete(object("a", 2, 1, "s"))), gone(2));
        assert!(inventory.names.is_empty() && inventory.secrets.is_empty());
    }

    #[test]
    fn what_a_repeated_list_no_longer_has_is_gone() {
        let mut inventory = Inventory::new(2);
        listed(0, &mut inventory, &[object("a", 1, 1, "s"), object("b", 2, 1, "s")]);
        listed(1, &mut inventory, &[object("c", 3, 1, "s")]);
        assert_eq!(listed(0, &mut inventory, &[object("b", 2, 1, "s")]), gone(1));
        assert!(inventory.contains(id(2)) && inventory.contains(id(3)));
    }

    #[test]
    fn an_object_that_is_being_deleted_is_gone() {
        let mut inventory = Inventory::new(1);
        inventory.observe(0, &Event::Apply(object("a", 1, 1, "s")));
        let mut deleting = object("a", 1, 2, "s");
        deleting.meta_mut().deletion_timestamp =
            Some(crate::crd::condition::time(hookwright_engine::time::Time::MIN));
        assert_eq!(inventory.observe(0, &Event::Apply(deleting)), gone(1));
    }

    #[test]
    fn all_are_known_once_every_list_is_complete_and_every_webhook_was_looked_at() {
        let mut inventory = Inventory::new(2);
        listed(0, &mut inventory, &[object("a", 1, 1, "s")]);
        assert_eq!(inventory.synced(), None);
        listed(1, &mut inventory, &[]);
        assert_eq!(inventory.synced(), None);
        inventory.looked(id(1), false);
        assert_eq!(inventory.synced(), Some(HashSet::from([id(1)])));
        inventory.looked(id(1), true);
        assert_eq!(inventory.synced(), None);
    }

    #[test]
    fn a_list_that_breaks_off_is_not_complete() {
        let mut inventory = Inventory::new(1);
        inventory.observe(0, &Event::Init);
        inventory.observe(0, &Event::InitApply(object("a", 1, 1, "s")));
        inventory.looked(id(1), true);
        assert_eq!(inventory.synced(), None);
        assert_eq!(listed(0, &mut inventory, &[object("b", 2, 1, "s")]), gone(1));
        inventory.looked(id(2), true);
        assert_eq!(inventory.synced(), Some(HashSet::from([id(2)])));
    }

    #[test]
    fn those_that_name_a_webhook_for_their_dead_letters_are_looked_at_when_it_comes_and_goes() {
        let mut inventory = Inventory::new(1);
        let mut naming = object("a", 1, 1, "s");
        let dead_letter = json!({ "webhookRef": { "name": "backlog" } });
        naming.0.as_mut().unwrap().spec.dead_letter = serde_json::from_value(dead_letter).unwrap();
        let a = ObjectRef::new("a").within("shop");
        let backlog = secret("backlog");
        assert_eq!(inventory.observe(0, &Event::Apply(naming)), look());
        assert!(!inventory.exists(&backlog));
        let come = inventory.observe(0, &Event::Apply(object("backlog", 2, 1, "s")));
        assert_eq!((come.look, come.naming), (true, vec![a.clone()]));
        assert!(inventory.exists(&backlog));
        assert_eq!(inventory.observe(0, &Event::Apply(object("backlog", 2, 2, "s"))), look());
        assert_eq!(inventory.observe(0, &Event::Delete(object("backlog", 2, 2, "s"))).naming, [a]);
        inventory.observe(0, &Event::Apply(object("a", 1, 2, "s")));
        assert_eq!(inventory.observe(0, &Event::Apply(object("backlog", 3, 1, "s"))), look());
    }

    #[test]
    fn a_secret_leads_to_the_webhooks_that_use_it_unless_they_have_read_it() {
        let mut inventory = Inventory::new(1);
        inventory.observe(0, &Event::Apply(object("a", 1, 1, "s")));
        inventory.observe(0, &Event::Apply(object("b", 2, 1, "s")));
        let users =
            |inventory: &Inventory, name: &str, version| inventory.users(&secret(name), version).len();
        assert_eq!(users(&inventory, "s", Some("7")), 2);
        inventory.read(&secret("s"), Some("7".to_owned()));
        assert_eq!(users(&inventory, "s", Some("7")), 0);
        assert_eq!(users(&inventory, "s", Some("8")), 2);
        inventory.observe(0, &Event::Apply(object("a", 1, 2, "other")));
        assert_eq!((users(&inventory, "s", Some("8")), users(&inventory, "other", Some("1"))), (1, 1));
        assert_eq!(users(&inventory, "unused", Some("1")), 0);
    }
}
