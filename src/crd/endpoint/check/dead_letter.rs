//! Where deliveries go that failed, checked.

use std::sync::Arc;

use super::Errors;
use crate::crd::webhook::DeadLetter;

impl Errors {
    /// The name of the webhook that gets the dead letters of the one called `own`.
    pub(super) fn dead_letter(&mut self, own: &str, dead_letter: &DeadLetter) -> Option<Arc<str>> {
        const FIELD: &str = "spec.deadLetter.webhookRef.name";
        let name = dead_letter.webhook_ref.name.as_str();
        if name == own {
            self.report(FIELD, &"must name another webhook than this one");
            return None;
        }
        self.object_name(FIELD, name);
        Some(name.into())
    }
}
