//! Deliveries in the order they fall due: those that are loose, and those that belong to a batch.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::batch::{Amount, Policy};
use crate::delivery::{Pending, Position};
use crate::time::Time;

/// What waits. A batch webhook sends the loose ones together and the others as they belong
/// together; any other webhook sends all in their order, one at a time.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    loose: BTreeMap<Position, Pending>,
    /// How much is loose, so that nobody need count.
    amount: Amount,
    batched: BTreeMap<Position, Pending>,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.loose.len() + self.batched.len()
    }

    pub(super) fn insert(&mut self, pending: Pending) {
        if pending.batch.is_some() {
            self.batched.insert(pending.position(), pending);
            return;
        }
        self.amount.add(&pending);
        match self.loose.entry(pending.position()) {
            Entry::Vacant(place) => drop(place.insert(pending)),
            Entry::Occupied(mut place) => self.amount.subtract(&place.insert(pending)),
        }
    }

    /// Takes out what stands at a position.
    pub(super) fn remove(&mut self, position: Position) -> Option<Pending> {
        if position.batch.is_some() {
            return self.batched.remove(&position);
        }
        let removed = self.loose.remove(&position);
        if let Some(pending) = &removed {
            self.amount.subtract(pending);
        }
        removed
    }

    /// Where each stands, in no order.
    pub(super) fn positions(&self) -> impl Iterator<Item = Position> {
        self.loose.keys().chain(self.batched.keys()).copied()
    }

    /// The one that falls due first.
    pub(super) fn first(&self) -> Option<Position> {
        let firsts = [&self.loose, &self.batched].map(|map| map.keys().next().copied());
        firsts.into_iter().flatten().min()
    }

    /// The one that falls due last.
    pub(super) fn last(&self) -> Option<Position> {
        let lasts = [&self.loose, &self.batched].map(|map| map.keys().next_back().copied());
        lasts.into_iter().flatten().max()
    }

    /// Leaves out what stands behind a position.
    pub(super) fn cut(&mut self, end: Position) {
        while let Some(last) = self.last().filter(|&last| last > end) {
            self.remove(last);
        }
    }

    /// When the loose ones are to be sent: once there are enough, or the first has waited long enough.
    pub(super) fn gathered(&self, policy: Policy) -> Option<Time> {
        let (first, last) = (self.loose.keys().next()?.due, self.loose.keys().next_back()?.due);
        let waited = first + policy.max_wait();
        let is_full = self.amount.deliveries >= policy.max_size() || !self.amount.fits(policy);
        // Only a clock that was set back has loose ones that are not due yet.
        Some(if is_full { waited.min(last) } else { waited })
    }

    /// Takes out the loose ones that are due, as far as they fit into one batch.
    pub(super) fn gather(&mut self, policy: Policy, now: Time) -> Vec<Pending> {
        let due = self.loose.values().take_while(|pending| pending.due <= now);
        self.take(fitting(due, policy))
    }

    /// The batch that falls due first, and how many of it are here, counted up to `enough`.
    pub(super) fn batch(&self, enough: usize) -> Option<(Position, usize)> {
        let first = *self.batched.keys().next()?;
        let count = self.batched.keys().take_while(|position| position.is_with(first)).take(enough).count();
        Some((first, count))
    }

    /// Takes out the batch that falls due first, as far as it fits into one still.
    pub(super) fn take_batch(&mut self, policy: Policy) -> Vec<Pending> {
        let Some(&first) = self.batched.keys().next() else { return Vec::new() };
        let batch = self.batched.values().take_while(|pending| pending.position().is_with(first));
        self.take(fitting(batch, policy))
    }

    fn take(&mut self, chosen: Vec<Position>) -> Vec<Pending> {
        chosen.into_iter().filter_map(|position| self.remove(position)).collect()
    }
}

/// As many as fit into one batch, and the first in any case.
fn fitting<'a>(pending: impl Iterator<Item = &'a Pending>, policy: Policy) -> Vec<Position> {
    let mut amount = Amount::default();
    let fit = pending.take_while(|pending| {
        amount.add(pending);
        amount.deliveries == 1 || amount.fits(policy)
    });
    fit.map(Pending::position).collect()
}
