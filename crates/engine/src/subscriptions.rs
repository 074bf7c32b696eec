//! Which webhooks get an event: a trie of pattern segments per namespace, with a memo per type.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use crate::id::WebhookId;
use crate::pattern::{EventType, Pattern};

/// The webhooks of every namespace by what they subscribe to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    namespaces: HashMap<Arc<str>, Namespace>,
    patterns: HashMap<WebhookId, (Arc<str>, Vec<Pattern>)>,
}

#[derive(Debug, Default)]
struct Namespace {
    root: Node,
    /// Answers already worked out; emptied by every change. The types of events are few.
    memo: RwLock<HashMap<EventType, Arc<[WebhookId]>>>,
}

#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<str>, Node>,
    /// Webhooks whose pattern ends here.
    exact: BTreeSet<WebhookId>,
    /// Webhooks whose pattern is this prefix and `.*`.
    below: BTreeSet<WebhookId>,
}

/// Types remembered per namespace; producers may invent types without end.
const MAX_MEMO: usize = 4096;

impl Subscriptions {
    /// Sets what a webhook subscribes to, in place of what it did before.
    pub fn insert(&mut self, webhook: WebhookId, namespace: &Arc<str>, patterns: &[Pattern]) {
        let unchanged =
            self.patterns.get(&webhook).is_some_and(|(at, old)| at == namespace && old == patterns);
        if unchanged {
            return;
        }
        self.remove(webhook);
        let subscribed = self.namespaces.entry(Arc::clone(namespace)).or_default();
        for pattern in patterns {
            subscribed.root.set_mut(pattern).insert(webhook);
        }
        subscribed.forget();
        self.patterns.insert(webhook, (Arc::clone(namespace), patterns.to_vec()));
    }

    /// Ends all subscriptions of a webhook.
    pub fn remove(&mut self, webhook: WebhookId) {
        let Some((namespace, patterns)) = self.patterns.remove(&webhook) else { return };
        let Some(subscribed) = self.namespaces.get_mut(&namespace) else { return };
        for pattern in &patterns {
            subscribed.root.set_mut(pattern).remove(&webhook);
        }
        subscribed.root.prune();
        subscribed.forget();
        if subscribed.root.is_empty() {
            self.namespaces.remove(&namespace);
        }
    }

    /// The webhooks of `namespace` that subscribe to this type, each once.
    #[must_use]
    pub fn matching(&self, namespace: &str, event_type: &EventType) -> Arc<[WebhookId]> {
        let Some(subscribed) = self.namespaces.get(namespace) else { return Arc::default() };
        // A poisoned memo still holds whole answers: each is inserted in one step.
        let memo = subscribed.memo.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = memo.get(event_type) {
            return Arc::clone(known);
        }
        drop(memo);
        let found: Arc<[WebhookId]> = subscribed.root.collect(event_type).into_iter().collect();
        let mut memo = subscribed.memo.write().unwrap_or_else(PoisonError::into_inner);
        if memo.len() >= MAX_MEMO {
            memo.clear();
        }
        memo.insert(event_type.clone(), Arc::clone(&found));
        found
    }
}

impl Namespace {
    fn forget(&mut self) {
        self.memo.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Node {
    /// The set that holds the webhooks of this pattern.
    fn set_mut(&mut self, pattern: &Pattern) -> &mut BTreeSet<WebhookId> {
        match pattern {
            Pattern::Any => &mut self.below,
            Pattern::Below(prefix) => &mut self.descend(prefix).below,
            Pattern::Exactly(exact) => &mut self.descend(exact).exact,
        }
    }

    fn descend(&mut self, path: &EventType) -> &mut Self {
        path.as_str().split('.').fold(self, |node, segment| node.children.entry(segment.into()).or_default())
    }

    fn collect(&self, event_type: &EventType) -> BTreeSet<WebhookId> {
        let mut found = BTreeSet::new();
        let mut node = self;
        for segment in event_type.as_str().split('.') {
            found.extend(&node.below);
            match node.children.get(segment) {
                Some(child) => node = child,
                None => return found,
            }
        }
        found.extend(&node.exact);
        found
    }

    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.exact.is_empty() && self.below.is_empty()
    }

    fn prune(&mut self) {
        self.children.retain(|_, child| {
            child.prune();
            !child.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn webhook(number: u128) -> WebhookId {
        WebhookId::from_uid(Uuid::from_u128(number))
    }

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_webhook_gets_an_event_once_however_many_patterns_match() {
        let mut subscriptions = Subscriptions::default();
        let namespace = Arc::from("shop");
        subscriptions.insert(webhook(1), &namespace, &patterns(&["*", "resource.*", "resource.created"]));
        let found = subscriptions.matching("shop", &"resource.created".parse().unwrap());
        assert_eq!(*found, [webhook(1)]);
        assert!(subscriptions.matching("other", &"resource.created".parse().unwrap()).is_empty());
    }

    #[test]
    fn changes_show_at_once_and_removal_leaves_nothing() {
        let mut subscriptions = Subscriptions::default();
        let namespace = Arc::from("shop");
        let created = "resource.created".parse().unwrap();
        subscriptions.insert(webhook(1), &namespace, &patterns(&["resource.*"]));
        assert_eq!(*subscriptions.matching("shop", &created), [webhook(1)]);
        subscriptions.insert(webhook(1), &namespace, &patterns(&["user.*"]));
        assert!(subscriptions.matching("shop", &created).is_empty());
        subscriptions.remove(webhook(1));
        assert!(subscriptions.namespaces.is_empty() && subscriptions.patterns.is_empty());
    }

    proptest! {
        #[test]
        fn the_trie_agrees_with_asking_every_pattern(
            subscribed in prop::collection::vec(
                prop::collection::vec("([ab]\\.){0,2}([ab]|\\*)", 1..4), 0..12),
            event_type in "([ab]\\.){0,3}[ab]",
        ) {
            let namespace = Arc::from("shop");
            let mut subscriptions = Subscriptions::default();
            let event_type: EventType = event_type.parse().unwrap();
            let mut expected = Vec::new();
            for (number, texts) in (0_u128..).zip(&subscribed) {
                let patterns: Vec<Pattern> = texts.iter().map(|text| text.parse().unwrap()).collect();
                subscriptions.insert(webhook(number), &namespace, &patterns);
                if patterns.iter().any(|pattern| pattern.matches(&event_type)) {
                    expected.push(webhook(number));
                }
            }
            prop_assert_eq!(&*subscriptions.matching("shop", &event_type), &expected[..]);
        }
    }
}
