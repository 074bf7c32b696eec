//! Whose turn it is: webhooks that may send now take turns, the others wait for their time.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::id::WebhookId;
use crate::time::Time;

/// The webhooks that have something to send, now or later.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Those that may send now, the one that waited longest first.
    ready: VecDeque<WebhookId>,
    /// Those that may send later.
    wakes: BTreeSet<(Time, WebhookId)>,
    places: HashMap<WebhookId, Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ready,
    Wakes(Time),
}

impl Schedule {
    /// Sets when a webhook may send next; `None` when nothing of it can be sent.
    pub(super) fn set(&mut self, webhook: WebhookId, at: Option<Time>, now: Time) {
        let place = at.map(|at| if at <= now { Place::Ready } else { Place::Wakes(at) });
        let before = self.places.get(&webhook).copied();
        if before == place {
            return; // Above all: a webhook keeps its turn.
        }
        match before {
            Some(Place::Ready) => self.ready.retain(|&other| other != webhook),
            Some(Place::Wakes(time)) => drop(self.wakes.remove(&(time, webhook))),
            None => {}
        }
        self.place(webhook, place);
    }

    /// The webhook whose turn it is. It is taken out, to be [set](Self::set) again.
    pub(super) fn pop(&mut self, now: Time) -> Option<WebhookId> {
        while let Some(&(time, webhook)) = self.wakes.first() {
            if time > now {
                break;
            }
            self.wakes.pop_first();
            self.place(webhook, Some(Place::Ready));
        }
        let webhook = self.ready.pop_front()?;
        self.places.remove(&webhook);
        Some(webhook)
    }

    /// When the next of the waiting webhooks may send.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.wakes.first().map(|&(time, _)| time)
    }

    fn place(&mut self, webhook: WebhookId, place: Option<Place>) {
        match place {
            Some(Place::Ready) => self.ready.push_back(webhook),
            Some(Place::Wakes(time)) => drop(self.wakes.insert((time, webhook))),
            None => drop(self.places.remove(&webhook)),
        }
        if let Some(place) = place {
            self.places.insert(webhook, place);
        }
    }
}
