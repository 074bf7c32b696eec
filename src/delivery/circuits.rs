//! The receivers that are left alone, for everybody who shows it.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use hookwright_engine::breaker::Circuit;
use hookwright_engine::id::WebhookId;

/// The webhooks whose circuit is open. The engine keeps them in memory only: a restart closes all.
#[derive(Debug, Default)]
pub(super) struct Circuits(RwLock<HashSet<WebhookId>>);

impl Circuits {
    // A set is whole whenever the lock is left.

    pub(super) fn turn(&self, webhook: WebhookId, circuit: Circuit) {
        let mut open = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match circuit {
            Circuit::Open => drop(open.insert(webhook)),
            Circuit::Closed => drop(open.remove(&webhook)),
        }
    }

    pub(super) fn get(&self, webhook: WebhookId) -> Circuit {
        let open = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if open.contains(&webhook) { Circuit::Open } else { Circuit::Closed }
    }
}
