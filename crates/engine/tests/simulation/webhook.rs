//! Webhooks of every kind.

use std::sync::Arc;

use fastrand::Rng;
use hookwright_engine::endpoint::{Endpoint, Hold, Receiver, ReceiverUrl, Target};
use hookwright_engine::id::WebhookId;
use hookwright_engine::{batch, breaker, ordering, rate, retry};

/// Attempts of each budget.
pub const MAX_ATTEMPTS: u32 = 4;

/// A webhook as it may be, without a place for its dead letters.
pub fn any(rng: &mut Rng, id: WebhookId, generation: i64, held: bool) -> Endpoint {
    let receiver = Receiver::new(ReceiverUrl::parse("https://receiver.example/").unwrap(), "secret".into());
    let target = if held { Target::Held(Hold::Suspended) } else { Target::Receiver(Arc::new(receiver)) };
    Endpoint {
        id,
        namespace: "shop".into(),
        name: name(id),
        generation,
        events: Vec::new(),
        retry: retry::Policy::new(MAX_ATTEMPTS, &[1, 60], 200, 3600).unwrap(),
        filter: None,
        batch: rng.bool().then(|| batch::Policy::new(rng.u32(1..6), rng.u32(0..2000)).unwrap()),
        max_in_flight: rng.u32(1..4),
        ordering: ordering::Policy::default(),
        rate_limit: rng.bool().then(|| rate::Limit::new(rng.u32(1..4), rng.u32(1..3)).unwrap()),
        dead_letter: None,
        breaker: rng.bool().then(|| breaker::Policy::new(70, 3, 300, 30).unwrap()),
        target,
    }
}

/// The name of a webhook, by which others name it.
pub fn name(webhook: WebhookId) -> Arc<str> {
    webhook.to_string().into()
}
