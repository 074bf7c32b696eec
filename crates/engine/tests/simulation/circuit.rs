//! The circuit to each receiver, held against all that was sent and answered.

use std::collections::HashMap;

use hookwright_engine::attempt::Verdict;
use hookwright_engine::breaker::{Circuit, Policy};
use hookwright_engine::endpoint::Endpoint;
use hookwright_engine::id::{DeliveryId, WebhookId};
use hookwright_engine::time::Time;

/// The circuits of all webhooks that have a breaker.
#[derive(Debug, Default)]
pub struct Circuits(HashMap<WebhookId, Wire>);

#[derive(Debug)]
struct Wire {
    policy: Policy,
    /// Charged attempts since the circuit was closed, and whether they failed.
    landed: Vec<(Time, bool)>,
    /// Since when it is open, or since the last probe failed.
    open: Option<Time>,
    probe: Option<DeliveryId>,
}

impl Circuits {
    /// A webhook is new or has changed: its circuit is closed.
    pub fn heed(&mut self, endpoint: &Endpoint) {
        self.0.remove(&endpoint.id);
        if let Some(policy) = endpoint.breaker {
            let wire = Wire { policy, landed: Vec::new(), open: None, probe: None };
            self.0.insert(endpoint.id, wire);
        }
    }

    pub fn forget(&mut self, webhook: WebhookId) {
        self.0.remove(&webhook);
    }

    /// A request is sent: while the circuit is open, after a rest and one at a time.
    pub fn sends(&mut self, webhook: WebhookId, delivery: DeliveryId, now: Time) {
        let Some(wire) = self.0.get_mut(&webhook) else { return };
        let Some(since) = wire.open else { return };
        assert!(now >= since + wire.policy.open(), "sent to a receiver that was to be left alone");
        assert_eq!(wire.probe, None, "sent beside a probe");
        wire.probe = Some(delivery);
    }

    /// A request has ended.
    pub fn landed(&mut self, webhook: WebhookId, delivery: DeliveryId, verdict: Verdict, now: Time) {
        let Some(wire) = self.0.get_mut(&webhook) else { return };
        let failed = verdict != Verdict::Success;
        if wire.open.is_none() {
            wire.landed.extend((verdict != Verdict::Uncharged).then_some((now, failed)));
        } else if wire.probe == Some(delivery) {
            wire.probe = None;
            match verdict {
                Verdict::Success => (wire.open, wire.landed) = (None, Vec::new()),
                Verdict::Retry | Verdict::Gone => wire.open = Some(now),
                Verdict::Uncharged => wire.open = Some(now - wire.policy.open()),
            }
        }
    }

    /// The engine says that a circuit has opened or closed: had it a reason to?
    pub fn turned(&mut self, webhook: WebhookId, circuit: Circuit, now: Time) {
        let Some(wire) = self.0.get_mut(&webhook) else { return };
        match circuit {
            Circuit::Open => {
                assert!(wire.trips(now).any(|trips| trips), "opened without a reason: {wire:?}");
                wire.open = Some(now);
            }
            Circuit::Closed => assert_eq!(wire.open, None, "closed without a reason"),
        }
    }

    /// All that was to be said of a failure has been said: a circuit still closed must not be open.
    pub fn assert_open_where_due(&self, webhook: WebhookId, now: Time) {
        let Some(wire) = self.0.get(&webhook) else { return };
        let failed = wire.landed.last().is_some_and(|&(_, failed)| failed);
        assert!(
            wire.open.is_some() || !failed || !wire.trips(now).all(|trips| trips),
            "not opened: {wire:?}"
        );
    }
}

impl Wire {
    /// Whether the attempts trip the breaker, for each begin that its window may have: it forgets
    /// a tenth at a time.
    fn trips(&self, now: Time) -> impl Iterator<Item = bool> {
        let (earliest, latest) = (now - self.policy.window(), now - self.policy.window() * 9 / 10);
        let between = self.landed.iter().map(|&(at, _)| at).filter(move |&at| earliest < at && at <= latest);
        let begins = between.chain([earliest, latest]);
        begins.map(move |begin| {
            let recent = self.landed.iter().filter(|&&(at, _)| at > begin);
            let (mut attempts, mut failures) = (0, 0);
            for &(_, failed) in recent {
                attempts += 1;
                failures += u64::from(failed);
            }
            self.policy.trips(attempts, failures)
        })
    }
}
