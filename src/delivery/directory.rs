//! The webhooks that exist, for everybody who asks for one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hookwright_engine::endpoint::Endpoint;
use hookwright_engine::filter::Filter;
use hookwright_engine::id::WebhookId;
use hookwright_engine::ordering;
use hookwright_engine::pattern::EventType;
use hookwright_engine::subscriptions::Subscriptions;

/// The filters of the webhooks that have one.
pub(super) type Filters = Vec<(WebhookId, Arc<Filter>)>;

/// The webhooks that subscribe to a type of event.
#[derive(Debug)]
pub(super) struct Subscribed {
    pub(super) webhooks: Arc<[WebhookId]>,
    pub(super) filters: Filters,
    /// Of those that ask for an order.
    pub(super) orderings: HashMap<WebhookId, ordering::Policy>,
}

/// Which webhooks there are, and which events they get.
#[derive(Debug, Default)]
pub(super) struct Directory(RwLock<Entries>);

#[derive(Debug, Default)]
struct Entries {
    webhooks: HashMap<WebhookId, Arc<Endpoint>>,
    /// Of those that have one.
    filters: HashMap<WebhookId, Arc<Filter>>,
    orderings: HashMap<WebhookId, ordering::Policy>,
    subscriptions: Subscriptions,
}

impl Directory {
    pub(super) fn insert(&self, endpoint: &Arc<Endpoint>) {
        let mut entries = self.write();
        entries.subscriptions.insert(endpoint.id, &endpoint.namespace, &endpoint.events);
        match &endpoint.filter {
            Some(filter) => entries.filters.insert(endpoint.id, Arc::clone(filter)),
            None => entries.filters.remove(&endpoint.id),
        };
        match endpoint.ordering {
            ordering::Policy::None => entries.orderings.remove(&endpoint.id),
            asked => entries.orderings.insert(endpoint.id, asked),
        };
        entries.webhooks.insert(endpoint.id, Arc::clone(endpoint));
    }

    pub(super) fn remove(&self, webhook: WebhookId) {
        let mut entries = self.write();
        entries.subscriptions.remove(webhook);
        entries.filters.remove(&webhook);
        entries.orderings.remove(&webhook);
        entries.webhooks.remove(&webhook);
    }

    pub(super) fn get(&self, webhook: WebhookId) -> Option<Arc<Endpoint>> {
        self.read().webhooks.get(&webhook).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Endpoint>> {
        self.read().webhooks.values().cloned().collect()
    }

    /// The webhooks that subscribe to this type.
    pub(super) fn matching(&self, namespace: &str, event_type: &EventType) -> Subscribed {
        let entries = self.read();
        let webhooks = entries.subscriptions.matching(namespace, event_type);
        let (mut filters, mut orderings) = (Vec::new(), HashMap::new());
        if !entries.filters.is_empty() {
            let filter = |id: &WebhookId| Some((*id, Arc::clone(entries.filters.get(id)?)));
            filters.extend(webhooks.iter().filter_map(filter));
        }
        if !entries.orderings.is_empty() {
            let ordering = |id: &WebhookId| Some((*id, *entries.orderings.get(id)?));
            orderings.extend(webhooks.iter().filter_map(ordering));
        }
        Subscribed { webhooks, filters, orderings }
    }

    // Every change is whole before the lock is left, even by a panic.
    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
