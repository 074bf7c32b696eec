//! The inventory together with the engine, which follows it step by step: under one lock, so that
//! a webhook that is deleted while it is looked at does not come back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hookwright_engine::endpoint::Endpoint;
use hookwright_engine::id::WebhookId;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;

use super::Object;
use super::inventory::{Inventory, Named, Scope};
use super::keys::Keys;
use crate::crd::secret::Secrets;
use crate::crd::{Webhook, WebhookStatus};
use crate::delivery;

/// All webhooks, here and in the engine.
#[derive(Debug)]
pub(in crate::controller) struct Table {
    inventory: Mutex<Inventory>,
    engine: delivery::Handle,
}

impl Table {
    /// Nothing known yet; `scopes` watches will tell.
    pub(in crate::controller) fn new(scopes: usize, engine: delivery::Handle) -> Self {
        Self { inventory: Mutex::new(Inventory::new(scopes)), engine }
    }

    /// No step leaves the inventory half-changed, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Inventory> {
        self.inventory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of an event of a watch, and forgets the webhooks that are gone. Answers the
    /// object, where it must be looked at, and which others must.
    pub(super) fn observe(
        &self,
        scope: Scope,
        event: Event<Object>,
    ) -> (Option<Object>, Vec<ObjectRef<Object>>) {
        let mut inventory = self.lock();
        let observed = inventory.observe(scope, &event);
        for id in observed.gone {
            self.engine.remove(id);
        }
        self.sync(&mut inventory);
        let look = match event {
            Event::Apply(object) | Event::InitApply(object) => observed.look.then_some(object),
            Event::Init | Event::InitDone | Event::Delete(_) => None,
        };
        (look, observed.naming)
    }

    /// Tells the engine once that it knows all webhooks.
    fn sync(&self, inventory: &mut Inventory) {
        if let Some(known) = inventory.synced() {
            tracing::info!(webhooks = known.len(), "all webhooks are known");
            self.engine.synced(known);
        }
    }

    /// Tells the engine of an endpoint, and remembers its keys, unless its webhook is gone.
    /// Answers whether it is still there.
    pub(super) fn upsert(&self, id: WebhookId, endpoint: Endpoint, keys: Option<Keys>) -> bool {
        let mut inventory = self.lock();
        if !inventory.contains(id) {
            return false;
        }
        if let Some(keys) = keys {
            inventory.remember(id, keys);
        }
        self.engine.upsert(endpoint);
        true
    }

    /// Lets the events of a webhook queue that could not be looked at for the first time. One that
    /// the engine knows goes on as it was.
    pub(super) fn hold(&self, id: WebhookId, webhook: &Webhook) {
        let inventory = self.lock();
        if inventory.contains(id) && self.engine.webhook(id).is_none() {
            self.engine.upsert(webhook.endpoint(id, &Secrets::new(), None).endpoint);
        }
    }

    /// A webhook was looked at, well or not.
    pub(super) fn looked(&self, id: WebhookId, well: bool) {
        let mut inventory = self.lock();
        inventory.looked(id, well);
        self.sync(&mut inventory);
    }

    /// The webhooks that must be looked at because this Secret changed.
    pub(super) fn changed(&self, secret: &PartialObjectMeta<Secret>) -> Vec<ObjectRef<Object>> {
        let Some(namespace) = secret.namespace() else { return Vec::new() };
        let named = Named { namespace, name: secret.name_any() };
        self.users(&named, secret.metadata.resource_version.as_deref())
    }

    /// See [`Inventory::users`].
    pub(super) fn users(&self, secret: &Named, version: Option<&str>) -> Vec<ObjectRef<Object>> {
        self.lock().users(secret, version)
    }

    /// See [`Inventory::secrets`].
    pub(super) fn secrets(&self, scope: Scope) -> Vec<(Named, bool)> {
        self.lock().secrets(scope)
    }

    /// See [`Inventory::exists`].
    pub(super) fn exists(&self, name: &Named) -> bool {
        self.lock().exists(name)
    }

    /// See [`Inventory::read`].
    pub(super) fn read(&self, secret: &Named, version: Option<String>) {
        self.lock().read(secret, version);
    }

    /// See [`Inventory::keys`].
    pub(super) fn keys(&self, id: WebhookId) -> Option<Keys> {
        self.lock().keys(id)
    }

    /// See [`Inventory::remember`].
    pub(super) fn remember(&self, id: WebhookId, keys: Keys) {
        self.lock().remember(id, keys);
    }

    /// See [`Inventory::said`].
    pub(super) fn said(&self, id: WebhookId) -> Option<WebhookStatus> {
        self.lock().said(id)
    }

    /// See [`Inventory::say`].
    pub(super) fn say(&self, id: WebhookId, status: WebhookStatus) {
        self.lock().say(id, status);
    }

    /// See [`Inventory::failures`].
    pub(super) fn failures(&self, id: WebhookId) -> u32 {
        self.lock().failures(id)
    }
}
