//! Several deliveries of a webhook in one request.
//!
//! ```text
//! loose deliveries ── `max_size` wait, or the oldest has waited `max_wait`, or they fill a body ──► a batch
//!        ▲                                                                                           │
//!        └── retried by hand                     failed: comes back as it was, when it is due ◄──────┘
//! ```
//!
//! What a batch has in common is written down with each of its deliveries, see
//! [`Pending::batch`](crate::delivery::Pending::batch), so that it comes back whole after a restart, too.

use std::time::Duration;

use crate::delivery::Pending;
use crate::event::{ENVELOPE_BYTES, Event};
use crate::id::WebhookId;

/// Largest JSON body of a batch, in bytes. A single event may be larger, and then goes alone.
pub const MAX_BYTES: u64 = 1024 * 1024;

const BEGIN: &[u8] = br#"{"events":["#;
const END: &[u8] = b"]}";

/// How the deliveries of a webhook are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    max_size: u32,
    max_wait: Duration,
}

/// Why a policy is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// A size out of bounds.
    #[error("must be 1 to {max}, not {0}", max = Policy::MAX_SIZE)]
    Size(u32),
    /// A wait out of bounds.
    #[error("must be 0 to {max}, not {0}", max = Policy::MAX_WAIT_MILLISECONDS)]
    Wait(u32),
}

impl Policy {
    /// Deliveries of one batch, where a webhook does not say otherwise.
    pub const DEFAULT_SIZE: u32 = 100;
    /// Most deliveries of one batch that a webhook may ask for.
    pub const MAX_SIZE: u32 = 1000;
    /// How long a delivery waits for others, where a webhook does not say otherwise.
    pub const DEFAULT_WAIT_MILLISECONDS: u32 = 5000;
    /// Longest that a delivery may wait for others.
    pub const MAX_WAIT_MILLISECONDS: u32 = 5 * 60 * 1000;

    /// A checked policy.
    pub fn new(max_size: u32, max_wait_milliseconds: u32) -> Result<Self, InvalidPolicy> {
        if !(1..=Self::MAX_SIZE).contains(&max_size) {
            return Err(InvalidPolicy::Size(max_size));
        }
        if max_wait_milliseconds > Self::MAX_WAIT_MILLISECONDS {
            return Err(InvalidPolicy::Wait(max_wait_milliseconds));
        }
        Ok(Self { max_size, max_wait: Duration::from_millis(max_wait_milliseconds.into()) })
    }

    /// Most deliveries of one batch.
    #[must_use]
    pub const fn max_size(&self) -> usize {
        self.max_size as usize
    }

    /// How long a delivery waits for others.
    #[must_use]
    pub const fn max_wait(&self) -> Duration {
        self.max_wait
    }
}

/// How much there is of some deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub deliveries: usize,
    /// What their events take in a body, at most.
    bytes: u64,
}

impl Amount {
    /// Adds a delivery.
    pub fn add(&mut self, pending: &Pending) {
        self.deliveries += 1;
        self.bytes += bytes(pending);
    }

    /// Takes a delivery away that was added.
    pub fn subtract(&mut self, pending: &Pending) {
        self.deliveries -= 1;
        self.bytes -= bytes(pending);
    }

    /// Whether they fit into one batch.
    #[must_use]
    pub const fn fits(&self, policy: Policy) -> bool {
        let body = (BEGIN.len() + END.len()) as u64 + self.bytes;
        self.deliveries <= policy.max_size() && body <= MAX_BYTES
    }
}

/// What an event takes in a body: itself, its envelope and a comma.
fn bytes(pending: &Pending) -> u64 {
    u64::from(pending.size) + ENVELOPE_BYTES as u64 + 1
}

/// The JSON object that a receiver gets: `{"events":[…]}`, each as if it came alone, beside the number of the attempt.
#[must_use]
pub fn body<'a>(webhook: WebhookId, events: impl IntoIterator<Item = (&'a Event, u32)>) -> Vec<u8> {
    let mut body = BEGIN.to_vec();
    for (index, (event, attempt)) in events.into_iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        event.write(webhook, attempt, &mut body);
    }
    body.extend_from_slice(END);
    body
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::delivery::Kind;
    use crate::event::Draft;
    use crate::id::{DeliveryId, EventKey};
    use crate::time::Time;

    const WEBHOOK: WebhookId = WebhookId::from_uid(Uuid::from_u128(1));

    fn event(id: &str) -> Event {
        let draft = Draft::parse(br#"{"type":"user.login","data":{}}"#).unwrap();
        draft.accept(id.parse().unwrap(), Time::from_secs(0))
    }

    fn pending(size: u32) -> Pending {
        Pending {
            id: DeliveryId::from_u64(1),
            event: EventKey::from_u64(1),
            webhook: WEBHOOK,
            attempts: 0,
            budget_from: 0,
            kind: Kind::Event,
            due: Time::MIN,
            line: None,
            batch: None,
            size,
        }
    }

    fn amount(sizes: &[u32]) -> Amount {
        let mut amount = Amount::default();
        for &size in sizes {
            amount.add(&pending(size));
        }
        amount
    }

    #[test]
    fn a_body_holds_each_event_as_if_it_came_alone() {
        let (one, two) = (event("evt_1"), event("evt_2"));
        let body = body(WEBHOOK, [(&one, 1), (&two, 3)]);
        let [one, two] =
            [one.body(WEBHOOK, 1), two.body(WEBHOOK, 3)].map(|it| String::from_utf8(it).unwrap());
        assert_eq!(String::from_utf8(body).unwrap(), format!(r#"{{"events":[{one},{two}]}}"#));
    }

    #[test]
    fn an_amount_is_never_less_than_the_body_takes_whatever_the_attempts() {
        let policy = Policy::new(1000, 0).unwrap();
        let event = event("evt_1");
        let size = u32::try_from(event.payload.len()).unwrap();
        let mut all = Amount::default();
        let fitting = std::iter::repeat_with(|| {
            all.add(&pending(size));
            all.fits(policy)
        });
        let count = fitting.take_while(|&fits| fits).count();
        let body = body(WEBHOOK, std::iter::repeat_n((&event, u32::MAX), count));
        assert!(body.len() as u64 <= MAX_BYTES, "{}", body.len());
    }

    #[test]
    fn what_does_not_fit_is_too_many_or_too_large() {
        let policy = Policy::new(2, 0).unwrap();
        assert!(amount(&[1, 1]).fits(policy));
        assert!(!amount(&[1, 1, 1]).fits(policy));
        assert!(!amount(&[1 << 19, 1 << 19]).fits(policy));
        let mut less = amount(&[1 << 19, 1 << 19]);
        less.subtract(&pending(1 << 19));
        assert_eq!(less, amount(&[1 << 19]));
    }

    #[test]
    fn bad_policies_say_what_is_wrong() {
        for (policy, says) in [
            (Policy::new(0, 1), "must be 1 to 1000, not 0"),
            (Policy::new(1001, 1), "must be 1 to 1000, not 1001"),
            (Policy::new(1, 300_001), "must be 0 to 300000, not 300001"),
        ] {
            assert_eq!(policy.unwrap_err().to_string(), says);
        }
    }
}
