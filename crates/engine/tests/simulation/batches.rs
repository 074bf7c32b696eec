//! Batches, held against what each webhook asks for and what was sent before.

use std::collections::BTreeMap;

use hookwright_engine::batch::{Amount, Policy};
use hookwright_engine::delivery::Pending;
use hookwright_engine::id::{BatchId, DeliveryId};
use hookwright_engine::time::Time;

/// The deliveries that wait, as the engine has said or heard.
#[derive(Debug, Default)]
pub struct Batches(BTreeMap<DeliveryId, Pending>);

impl Batches {
    /// A delivery waits, from now on for this.
    pub fn waits(&mut self, pending: Pending) {
        self.0.insert(pending.id, pending);
    }

    /// A delivery has ended.
    pub fn forget(&mut self, id: DeliveryId) {
        self.0.remove(&id);
    }

    /// A request is sent.
    pub fn sends(&mut self, sent: &[Pending], batch: Option<BatchId>, policy: Option<Policy>, now: Time) {
        assert!(sent.is_sorted_by_key(|pending| pending.id), "out of order");
        let id = policy.map(|_| BatchId::of(sent.iter().map(|pending| pending.id)));
        assert_eq!(batch, id, "a batch under the id of another");
        let places: Vec<_> = sent.iter().filter_map(|sent| self.0.remove(&sent.id)).collect();
        assert_eq!(places.len(), sent.len(), "sent what does not wait");
        let first = places[0];
        assert!(places.iter().all(|pending| is_with(pending, &first)), "several batches in one: {places:?}");
        let Some(policy) = policy else {
            return assert_eq!(sent.len(), 1, "a batch to a webhook that gets each delivery by itself");
        };
        let mut amount = Amount::default();
        for pending in &places {
            amount.add(pending);
        }
        assert!(sent.len() == 1 || amount.fits(policy), "too large a batch");
        let others: Vec<_> = self.0.values().filter(|other| is_with(other, &first)).collect();
        let is_full = amount.deliveries == policy.max_size()
            || others.iter().any(|other| {
                let mut more = amount;
                more.add(other);
                !more.fits(policy)
            });
        if first.batch.is_some() {
            assert!(is_full || others.is_empty(), "a batch came back without {others:?}");
        } else {
            let waited = places.iter().any(|pending| now >= pending.due + policy.max_wait());
            assert!(is_full || waited, "sent before others could have come");
        }
    }
}

/// Whether they are to be sent together: both loose, or due in the same batch.
fn is_with(one: &Pending, other: &Pending) -> bool {
    let belongs = |pending: &Pending| (pending.webhook, pending.batch, pending.batch.map(|_| pending.due));
    belongs(one) == belongs(other)
}
