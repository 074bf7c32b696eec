//! Webhooks by name: those that others name as the place for their dead letters.

use std::collections::HashMap;
use std::sync::Arc;

use crate::endpoint::Endpoint;
use crate::id::WebhookId;

/// The webhooks by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<(Arc<str>, Arc<str>), WebhookId>);

impl Names {
    pub(super) fn insert(&mut self, endpoint: &Endpoint) {
        self.0.insert((Arc::clone(&endpoint.namespace), Arc::clone(&endpoint.name)), endpoint.id);
    }

    /// Forgets a webhook, unless another one has its name by now.
    pub(super) fn remove(&mut self, endpoint: &Endpoint) {
        let name = (Arc::clone(&endpoint.namespace), Arc::clone(&endpoint.name));
        if self.0.get(&name) == Some(&endpoint.id) {
            self.0.remove(&name);
        }
    }

    /// The other webhook that gets the dead letters of this one, if it exists.
    pub(super) fn dead_letter(&self, of: &Endpoint) -> Option<WebhookId> {
        let dead_letter = of.dead_letter.as_ref()?;
        let name = (Arc::clone(&of.namespace), Arc::clone(dead_letter));
        self.0.get(&name).copied().filter(|target| *target != of.id)
    }
}
