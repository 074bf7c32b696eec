//! What the engine says that holds deliveries back, held against what it sends.

use std::collections::HashMap;

use hookwright_engine::id::WebhookId;
use hookwright_engine::restraint::Restraint;
use hookwright_engine::time::Time;

/// What was told last of each webhook.
#[derive(Debug, Default)]
pub struct Restraints(HashMap<WebhookId, Restraint>);

impl Restraints {
    pub fn told(&mut self, webhook: WebhookId, restraint: Option<Restraint>) {
        match restraint {
            Some(restraint) => drop(self.0.insert(webhook, restraint)),
            None => drop(self.0.remove(&webhook)),
        }
    }

    /// A request is sent, though its webhook is said to be held back: only a probe, or at its pace.
    pub fn sends(&self, webhook: WebhookId, now: Time) {
        match self.0.get(&webhook) {
            Some(Restraint::Held(hold)) => panic!("sent to a webhook that is said to be held: {hold:?}"),
            Some(Restraint::Quiet { until }) => assert!(now >= *until, "sent during the quiet"),
            Some(Restraint::CircuitOpen | Restraint::RateLimited) | None => {}
        }
    }
}
