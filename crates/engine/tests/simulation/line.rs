//! The lines that deliveries stand in, held against all that was sent.

use std::collections::{HashMap, HashSet};

use hookwright_engine::delivery::Pending;
use hookwright_engine::id::{DeliveryId, WebhookId};
use hookwright_engine::ordering::Line;

type Place = (WebhookId, Line);

/// All lines.
#[derive(Debug, Default)]
pub struct Lines {
    /// Who stands in each, as they were accepted.
    accepted: HashMap<Place, Vec<DeliveryId>>,
    /// The one that is under way.
    in_flight: HashMap<Place, DeliveryId>,
    /// Retried by hand: they may follow what was accepted after them.
    by_hand: HashSet<DeliveryId>,
}

impl Lines {
    pub fn accepted(&mut self, webhook: WebhookId, line: Option<Line>, delivery: DeliveryId) {
        if let Some(line) = line {
            self.accepted.entry((webhook, line)).or_default().push(delivery);
        }
    }

    pub fn retried(&mut self, delivery: DeliveryId) {
        self.by_hand.insert(delivery);
    }

    /// A request is sent: alone in its line, and behind all that were accepted before and have not `ended`.
    pub fn sends(&mut self, pending: &Pending, ended: impl Fn(DeliveryId) -> bool) {
        let Pending { id, webhook, line: Some(line), .. } = *pending else { return };
        let beside = self.in_flight.insert((webhook, line), id);
        assert_eq!(beside, None, "{id} was sent beside another of its line");
        let before = self.accepted[&(webhook, line)].iter().take_while(|&&other| other != id);
        for &earlier in before.filter(|earlier| !self.by_hand.contains(earlier)) {
            assert!(ended(earlier), "{id} was sent before {earlier} had ended");
        }
    }

    pub fn landed(&mut self, delivery: DeliveryId) {
        self.in_flight.retain(|_, flying| *flying != delivery);
    }

    /// Nothing is under way any more.
    pub fn crash(&mut self) {
        self.in_flight.clear();
    }
}
