//! What holds the deliveries of webhooks back, for everybody who shows it.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use hookwright_engine::id::WebhookId;
use hookwright_engine::restraint::Restraint;
use hookwright_engine::time::Time;

/// What holds deliveries back, and since when: since the kind of it is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restrained {
    /// What it is.
    pub by: Restraint,
    /// Since when.
    pub since: Time,
}

/// The webhooks whose deliveries are held back. Bounded by their number.
#[derive(Debug, Default)]
pub(super) struct Restraints(RwLock<HashMap<WebhookId, Restrained>>);

impl Restraints {
    // A map is whole whenever the lock is left.

    /// Takes note of a change, and gives what held before.
    pub(super) fn set(&self, webhook: WebhookId, by: Option<Restraint>, now: Time) -> Option<Restraint> {
        let mut restraints = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = restraints.get(&webhook).copied();
        match by {
            Some(by) => {
                let same = before.filter(|before| before.by.as_str() == by.as_str());
                let since = same.map_or(now, |before| before.since);
                restraints.insert(webhook, Restrained { by, since });
            }
            None => drop(restraints.remove(&webhook)),
        }
        before.map(|before| before.by)
    }

    pub(super) fn get(&self, webhook: WebhookId) -> Option<Restrained> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&webhook).copied()
    }
}
