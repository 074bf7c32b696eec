//! Which webhooks name which others as the place for their dead letters.

use std::collections::{BTreeSet, HashMap};

use hookwright_engine::id::WebhookId;

use super::inventory::Named;

/// For each webhook that is named, whether it exists or not: by whom.
#[derive(Debug, Default)]
pub(super) struct Letters(HashMap<Named, BTreeSet<WebhookId>>);

impl Letters {
    /// A webhook names `after` now, and no longer `before`.
    pub(super) fn turn(&mut self, webhook: WebhookId, before: Option<&Named>, after: Option<&Named>) {
        if before == after {
            return;
        }
        if let Some(before) = before
            && let Some(by) = self.0.get_mut(before)
        {
            by.remove(&webhook);
            if by.is_empty() {
                self.0.remove(before);
            }
        }
        if let Some(after) = after {
            self.0.entry(after.clone()).or_default().insert(webhook);
        }
    }

    /// The webhooks that name this one.
    pub(super) fn naming(&self, target: &Named) -> impl Iterator<Item = WebhookId> {
        self.0.get(target).into_iter().flatten().copied()
    }
}
