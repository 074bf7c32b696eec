//! The part of a webhook's unfinished deliveries that is held in memory: the ones due first.
//! The rest waits in the log, in the same order.

use std::collections::HashSet;

use super::waiting::Waiting;
use crate::batch::Policy;
use crate::command::Page;
use crate::delivery::{Pending, Position};
use crate::id::DeliveryId;
use crate::time::Time;

/// Deliveries in the order they fall due, up to where memory reaches.
///
/// Everything at or before [`Reach`] is here; everything behind it is in the log and is read from
/// there when the window runs low.
#[derive(Debug)]
pub(super) struct Window {
    waiting: Waiting,
    reach: Reach,
    /// While a page is being read: the deliveries that have changed since it was asked for, of
    /// which the page may show an older state.
    loading: Option<HashSet<DeliveryId>>,
    capacity: usize,
}

/// How far memory reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Nothing was read yet.
    Nothing,
    /// Up to here.
    To(Position),
    /// Nothing is in the log but not here.
    All,
}

impl Window {
    pub(super) fn new(capacity: usize) -> Self {
        Self { waiting: Waiting::default(), reach: Reach::Nothing, loading: None, capacity }
    }

    /// Changes how much memory may hold.
    pub(super) fn resize(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.trim();
    }

    /// When the next delivery is due, or, by a policy, the next batch; `None` before the first page
    /// has come, too, as older ones may be in it, and the news that the receiver is gone.
    pub(super) fn next(&self, policy: Option<Policy>) -> Option<Time> {
        if self.reach == Reach::Nothing {
            return None;
        }
        let Some(policy) = policy else { return Some(self.waiting.first()?.due) };
        let times = [self.waiting.gathered(policy), self.batch(policy)];
        times.into_iter().flatten().min()
    }

    /// Takes out the delivery that is due at `now`, or, by a policy, the batch, in the order of ids.
    pub(super) fn take(&mut self, policy: Option<Policy>, now: Time) -> Vec<Pending> {
        let Some(policy) = policy else {
            let first = self.waiting.first().and_then(|first| self.waiting.remove(first));
            return first.into_iter().collect();
        };
        let (gathered, batch) = (self.waiting.gathered(policy), self.batch(policy));
        let mut taken = match batch {
            Some(batch) if gathered.is_none_or(|gathered| batch <= gathered) => {
                self.waiting.take_batch(policy)
            }
            Some(_) | None => self.waiting.gather(policy, now),
        };
        taken.sort_unstable_by_key(|pending| pending.id);
        taken
    }

    /// When the batch is due that falls due first, once all of it is here.
    fn batch(&self, policy: Policy) -> Option<Time> {
        let (first, count) = self.waiting.batch(policy.max_size())?;
        let is_whole = match self.reach {
            Reach::Nothing => false,
            Reach::To(end) => end > first && !end.is_with(first),
            Reach::All => true,
        };
        (is_whole || count == policy.max_size()).then_some(first.due)
    }

    /// Takes in a delivery whose state is in the log, or on its way there. It is left to the log
    /// where memory does not reach so far.
    pub(super) fn insert(&mut self, pending: Pending) {
        if let Some(changed) = &mut self.loading {
            changed.insert(pending.id);
        } else if !self.reaches(pending.position()) {
            return;
        }
        self.waiting.insert(pending);
        self.trim();
    }

    /// Takes out a delivery, wherever it stands.
    pub(super) fn remove(&mut self, id: DeliveryId) -> Option<Pending> {
        // Only for what people do by hand; the window is small.
        let position = self.waiting.positions().find(|position| position.id == id)?;
        self.waiting.remove(position)
    }

    /// A delivery has ended: a page that is being read may still show it as unfinished.
    pub(super) fn settle(&mut self, id: DeliveryId) {
        if let Some(changed) = &mut self.loading {
            changed.insert(id);
        }
    }

    /// Asks for the next page when the window runs low: where to go on, and how many to read.
    pub(super) fn request(&mut self) -> Option<(Option<Position>, usize)> {
        if self.loading.is_some() || self.waiting.len() > self.capacity / 2 {
            return None;
        }
        let after = match self.reach {
            Reach::All => return None,
            Reach::Nothing => None,
            Reach::To(position) => Some(position),
        };
        self.loading = Some(HashSet::new());
        Some((after, self.capacity - self.waiting.len()))
    }

    /// Whether a page was asked for and has not come yet.
    pub(super) const fn is_loading(&self) -> bool {
        self.loading.is_some()
    }

    /// Takes in the page that was asked for, but for those in flight, and those that are here: one
    /// retried by hand may be elsewhere in the log, moved by the record of an attempt before.
    pub(super) fn load(&mut self, page: &Page, in_flight: impl Fn(DeliveryId) -> bool) {
        let mut changed = self.loading.take().unwrap_or_default();
        changed.extend(self.waiting.positions().map(|position| position.id));
        for pending in &page.pending {
            if !changed.contains(&pending.id) && !in_flight(pending.id) {
                self.waiting.insert(*pending);
            }
        }
        self.reach = match page.pending.last() {
            Some(last) if page.more => Reach::To(last.position()),
            _ => Reach::All,
        };
        if let Reach::To(end) = self.reach {
            // What was taken in meanwhile and lies behind the page is in the log, too.
            self.waiting.cut(end);
        }
        self.trim();
    }

    fn reaches(&self, position: Position) -> bool {
        match self.reach {
            Reach::Nothing => false,
            Reach::To(end) => position <= end,
            Reach::All => true,
        }
    }

    /// Leaves to the log what is too much for memory.
    fn trim(&mut self) {
        if self.loading.is_some() {
            return;
        }
        while self.waiting.len() > self.capacity
            && let Some(last) = self.waiting.last()
        {
            self.waiting.remove(last);
            self.reach = self.waiting.last().map_or(self.reach, Reach::To);
        }
    }
}
