//! Which `WebhookDelivery` objects there are: an index of the watch, for all who ask by delivery
//! or by webhook. Holds no object itself.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookwright_engine::id::{DeliveryId, WebhookId};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use uuid::Uuid;

use super::view;
use super::views::{Kind, Room};
use super::writer::Target;
use crate::crd::WebhookDelivery;
use crate::crd::webhook_delivery::Outcome;
use crate::delivery::{Change, What};

/// A reference to an object.
pub type Reference = ObjectRef<WebhookDelivery>;

/// The objects. Clones share them.
#[derive(Clone, Debug)]
pub struct Objects(Arc<Mutex<Index>>);

#[derive(Debug)]
struct Index {
    entries: HashMap<Reference, Entry>,
    deliveries: HashMap<DeliveryId, Tracked>,
    views: HashMap<WebhookId, BTreeMap<DeliveryId, View>>,
    total: usize,
    failures: usize,
    /// For each watch: what its list has named so far, `None` when it is complete.
    listings: Vec<Option<HashSet<Reference>>>,
    unlisted: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    scope: usize,
    uid: Option<Uuid>,
    is_view: bool,
    delivery: Option<DeliveryId>,
    owner: Option<WebhookId>,
}

/// A delivery that has objects.
#[derive(Debug, Default)]
struct Tracked {
    objects: HashSet<Reference>,
    sending: bool,
    /// Attempts that were told of, and that the log does not have yet.
    attempts: u32,
}

/// The view of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// What it counts as.
    pub kind: Kind,
    /// The object.
    pub target: Target,
}

impl Objects {
    /// No objects; so many watches will tell of them.
    #[must_use]
    pub fn new(watches: usize) -> Self {
        Self(Arc::new(Mutex::new(Index {
            entries: HashMap::new(),
            deliveries: HashMap::new(),
            views: HashMap::new(),
            total: 0,
            failures: 0,
            listings: vec![Some(HashSet::new()); watches],
            unlisted: watches,
        })))
    }

    /// Whether all watches have listed what there is.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lock().unlisted == 0
    }

    /// Takes note of an event of a watch. Answers the UIDs of the objects that users made and that
    /// are gone.
    #[must_use]
    pub fn observe(&self, watch: usize, event: &Event<WebhookDelivery>) -> Vec<Uuid> {
        let mut index = self.lock();
        match event {
            Event::Init => {
                if index.listings[watch].replace(HashSet::new()).is_none() {
                    index.unlisted += 1;
                }
                Vec::new()
            }
            Event::InitApply(object) => {
                if let Some(listed) = &mut index.listings[watch] {
                    listed.insert(Reference::from_obj(object));
                }
                index.insert(watch, object);
                Vec::new()
            }
            Event::InitDone => {
                let Some(listed) = index.listings[watch].take() else { return Vec::new() };
                index.unlisted -= 1;
                let gone = |(reference, entry): (&Reference, &Entry)| {
                    (entry.scope == watch && !listed.contains(reference)).then(|| reference.clone())
                };
                let gone: Vec<_> = index.entries.iter().filter_map(gone).collect();
                gone.iter().filter_map(|reference| index.remove(reference)).collect()
            }
            Event::Apply(object) => {
                index.insert(watch, object);
                Vec::new()
            }
            Event::Delete(object) => index.remove(&Reference::from_obj(object)).into_iter().collect(),
        }
    }

    /// A view was created, which the watch tells of later.
    pub fn created(&self, view: &WebhookDelivery) {
        let mut index = self.lock();
        // Views are made where a watch is: it takes the entry over.
        index.insert(usize::MAX, view);
    }

    /// A view was deleted, which the watch tells of later.
    pub fn deleted(&self, target: &Target) {
        let reference = Reference::new(&target.name).within(&target.namespace);
        self.lock().remove(&reference);
    }

    /// Takes note of a change. Answers the objects that show the delivery.
    #[must_use]
    pub fn heard(&self, change: &Change) -> Vec<Reference> {
        let mut index = self.lock();
        let Some(tracked) = index.deliveries.get_mut(&change.delivery) else { return Vec::new() };
        match &change.what {
            What::Accepted | What::Canceled => tracked.sending = false,
            What::Sending => tracked.sending = true,
            What::Attempted(attempted) => {
                tracked.sending = false;
                tracked.attempts = attempted.record.attempts;
            }
        }
        tracked.objects.iter().cloned().collect()
    }

    /// Changes were missed: nothing is known to be under way. Answers all objects of deliveries.
    #[must_use]
    pub fn lagged(&self) -> Vec<Reference> {
        let mut index = self.lock();
        index.deliveries.values_mut().for_each(|tracked| tracked.sending = false);
        index.deliveries.values().flat_map(|tracked| tracked.objects.iter().cloned()).collect()
    }

    /// Whether a request of a delivery is under way.
    #[must_use]
    pub fn is_sending(&self, delivery: DeliveryId) -> bool {
        self.lock().deliveries.get(&delivery).is_some_and(|tracked| tracked.sending)
    }

    /// Whether an attempt was told of that is not among these; says so once.
    #[must_use]
    pub fn expects_more(&self, delivery: DeliveryId, attempts: u32) -> bool {
        let mut index = self.lock();
        let told = index.deliveries.get_mut(&delivery).map(|tracked| std::mem::take(&mut tracked.attempts));
        told.is_some_and(|told| told > attempts)
    }

    /// The views of a webhook's deliveries.
    #[must_use]
    pub fn views(&self, webhook: WebhookId) -> BTreeMap<DeliveryId, View> {
        self.lock().views.get(&webhook).cloned().unwrap_or_default()
    }

    /// How many views a webhook may have where there may be `limit` in all.
    #[must_use]
    pub fn room(&self, webhook: WebhookId, limit: usize) -> Room {
        let index = self.lock();
        let own = index.views.get(&webhook);
        let own_failures = own.map_or(0, |own| own.values().filter(|it| it.kind == Kind::Failure).count());
        let others = index.total - own.map_or(0, BTreeMap::len);
        let failures = index.failures - own_failures;
        Room { total: limit.saturating_sub(others), failures: limit.saturating_sub(failures) }
    }

    /// The oldest views of successes of other webhooks, at most so many.
    #[must_use]
    pub fn oldest_successes(&self, count: usize, but: WebhookId) -> Vec<(WebhookId, View)> {
        let index = self.lock();
        let mut found: Vec<_> = index
            .views
            .iter()
            .filter(|(webhook, _)| **webhook != but)
            .flat_map(|(webhook, views)| views.iter().map(move |(id, view)| (*id, *webhook, view)))
            .filter(|(_, _, view)| view.kind == Kind::Success)
            .collect();
        found.sort_unstable_by_key(|(id, _, _)| *id);
        found.into_iter().take(count).map(|(_, webhook, view)| (webhook, view.clone())).collect()
    }

    // Every change is whole before the lock is left, even by a panic.
    fn lock(&self) -> MutexGuard<'_, Index> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn insert(&mut self, scope: usize, object: &WebhookDelivery) {
        let reference = Reference::from_obj(object);
        let target = Target::of(object);
        let uid = target.as_ref().map(|target| target.uid);
        self.take(&reference);
        let view_of = view::of(object);
        let told = object.status.as_ref().and_then(|status| status.id.as_ref()?.parse().ok());
        let delivery = view_of.unwrap_or(told);
        // A copy under another name is no view of ours: it shows the same, and stays.
        let owner =
            view::owner(object).filter(|_| view_of.flatten().is_some_and(|id| view::is_named(object, id)));
        if let Some(delivery) = delivery {
            self.deliveries.entry(delivery).or_default().objects.insert(reference.clone());
            if let (Some(webhook), Some(target)) = (owner, target) {
                let view = View { kind: kind(object), target };
                self.total += 1;
                self.failures += usize::from(view.kind == Kind::Failure);
                if let Some(copied) = self.views.entry(webhook).or_default().insert(delivery, view) {
                    self.total -= 1;
                    self.failures -= usize::from(copied.kind == Kind::Failure);
                }
            }
        }
        let entry = Entry { scope, uid, is_view: view_of.is_some(), delivery, owner };
        self.entries.insert(reference, entry);
    }

    /// Forgets an object; answers its UID where a user had made it.
    fn remove(&mut self, reference: &Reference) -> Option<Uuid> {
        let entry = self.take(reference)?;
        if let Some(delivery) = entry.delivery
            && self.deliveries.get(&delivery).is_some_and(|tracked| tracked.objects.is_empty())
        {
            self.deliveries.remove(&delivery);
        }
        entry.uid.filter(|_| !entry.is_view)
    }

    /// Takes an object out, and leaves what was heard of its delivery.
    fn take(&mut self, reference: &Reference) -> Option<Entry> {
        let entry = self.entries.remove(reference)?;
        let Some(delivery) = entry.delivery else { return Some(entry) };
        if let Some(tracked) = self.deliveries.get_mut(&delivery) {
            tracked.objects.remove(reference);
        }
        if let Some(webhook) = entry.owner
            && let Some(views) = self.views.get_mut(&webhook)
        {
            if views.get(&delivery).is_some_and(|view| view.target.name == reference.name)
                && let Some(view) = views.remove(&delivery)
            {
                self.total -= 1;
                self.failures -= usize::from(view.kind == Kind::Failure);
            }
            if views.is_empty() {
                self.views.remove(&webhook);
            }
        }
        Some(entry)
    }
}

/// What a view counts as, from what it shows.
fn kind(object: &WebhookDelivery) -> Kind {
    match object.status.as_ref().and_then(|status| status.outcome) {
        Some(Outcome::Delivered) => Kind::Success,
        Some(
            Outcome::Pending
            | Outcome::Sending
            | Outcome::Retrying
            | Outcome::Failed
            | Outcome::DeadLettered
            | Outcome::Canceled,
        )
        | None => Kind::Failure,
    }
}

#[cfg(test)]
mod tests;
