//! Identifiers. Each has its own type, so that none can stand where another is meant.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::time::Time;

/// Crockford's base 32, lower case: sorts as the numbers do, and is a valid object name.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Digits that hold any 63-bit number.
const DIGITS: usize = 13;

/// Why a text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {expected}")]
pub struct InvalidId {
    text: String,
    expected: &'static str,
}

impl InvalidId {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.chars().take(64).collect(), expected }
    }
}

/// A webhook: `webhook_` and the UID of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebhookId(Uuid);

impl WebhookId {
    /// The webhook whose object has this UID.
    #[must_use]
    pub const fn from_uid(uid: Uuid) -> Self {
        Self(uid)
    }

    /// The UID of the webhook's object.
    #[must_use]
    pub const fn uid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "webhook_{}", self.0.simple())
    }
}

impl FromStr for WebhookId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.strip_prefix("webhook_")
            .filter(|uid| uid.len() == 32)
            .and_then(|uid| Uuid::try_parse(uid).ok())
            .map(Self)
            .ok_or_else(|| InvalidId::new(text, "a webhook id (webhook_ and 32 hexadecimal digits)"))
    }
}

/// A delivery: `del_` and a number that grows with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(u64);

/// An accepted event's place in the log: grows with time, unique across namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey(u64);

macro_rules! numbered {
    ($name:ident) => {
        impl $name {
            /// From its number, as the store keeps it.
            #[must_use]
            pub const fn from_u64(number: u64) -> Self {
                Self(number)
            }

            /// Its number, below 2^63.
            #[must_use]
            pub const fn as_u64(self) -> u64 {
                self.0
            }

            /// The lowest one that is handed out at `time`.
            #[must_use]
            pub fn first_at(time: Time) -> Self {
                let millis = u64::try_from(time.as_millis()).unwrap_or(0).min(Sequence::MAX_MILLIS);
                Self(millis << Sequence::COUNTER_BITS)
            }

            /// When it was handed out.
            #[must_use]
            pub const fn time(self) -> Time {
                Time::from_millis((self.0 >> Sequence::COUNTER_BITS).cast_signed())
            }
        }
    };
}
numbered!(DeliveryId);
numbered!(EventKey);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "del_{}", encode(self.0))
    }
}

impl FromStr for DeliveryId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.strip_prefix("del_")
            .and_then(decode)
            .map(Self)
            .ok_or_else(|| InvalidId::new(text, "a delivery id (del_ and 13 characters)"))
    }
}

/// A batch: `batch_` and a number made of the deliveries in it, so that the same ones have the same id
/// each time they are sent together, and others have another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(NonZeroU64);

impl BatchId {
    /// The batch of these deliveries, which are in the order of their ids.
    #[must_use]
    pub fn of(deliveries: impl IntoIterator<Item = DeliveryId>) -> Self {
        let mut digest = Sha256::new();
        deliveries.into_iter().for_each(|delivery| digest.update(delivery.0.to_le_bytes()));
        let mut number = [0; 8];
        number.copy_from_slice(&digest.finalize()[..8]);
        Self::from_u64(u64::from_le_bytes(number) >> 1).unwrap_or(Self(NonZeroU64::MIN))
    }

    /// From its number, as the store keeps it; 0 is none.
    #[must_use]
    pub const fn from_u64(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Its number, below 2^63.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch_{}", encode(self.0.get()))
    }
}

/// An event's id as its producer gave it, or `evt_` and a number that grows with time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(Arc<str>);

impl EventId {
    /// Longest id, in bytes.
    pub const MAX_LEN: usize = 128;

    /// The id of an event that came without one.
    #[must_use]
    pub fn generated(key: EventKey) -> Self {
        Self(format!("evt_{}", encode(key.0)).into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EventId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':');
        if !text.is_empty() && text.len() <= Self::MAX_LEN && text.bytes().all(allowed) {
            return Ok(Self(text.into()));
        }
        Err(InvalidId::new(text, "an event id (1 to 128 characters of A-Z a-z 0-9 _ - . :)"))
    }
}

/// Hands out numbers that grow with time and never repeat: 42 bits of milliseconds, then 21 bits
/// of a counter. A clock that jumps back is outwaited, not followed.
#[derive(Debug)]
pub struct Sequence {
    last: u64,
}

impl Sequence {
    const COUNTER_BITS: u32 = 21;
    const MAX_MILLIS: u64 = (1 << 42) - 1;

    /// Continues after `last`, the highest number handed out so far (0 for none).
    #[must_use]
    pub const fn after(last: u64) -> Self {
        Self { last }
    }

    /// The next number, at the time `now`.
    pub fn next(&mut self, now: Time) -> u64 {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0) & Self::MAX_MILLIS;
        self.last = (self.last + 1).max(millis << Self::COUNTER_BITS);
        self.last
    }
}

fn encode(mut number: u64) -> String {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(number % 32) as usize];
        number /= 32;
    }
    digits.iter().map(|&digit| char::from(digit)).collect()
}

fn decode(text: &str) -> Option<u64> {
    if text.len() != DIGITS {
        return None;
    }
    let number = text.bytes().try_fold(0_u64, |number, byte| {
        let digit = ALPHABET.iter().position(|&letter| letter == byte)?;
        number.checked_mul(32)?.checked_add(digit as u64)
    })?;
    (i64::try_from(number).is_ok()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_they_are_written() {
        let delivery = DeliveryId::from_u64(u64::MAX >> 1);
        assert_eq!(delivery.to_string().parse(), Ok(delivery));
        let webhook = WebhookId::from_uid(Uuid::from_u128(7));
        assert_eq!(webhook.to_string().parse(), Ok(webhook));
        for wrong in ["", "del_", "del_!!!!!!!!!!!!!", "webhook_1", "del_zzzzzzzzzzzzz"] {
            assert!(wrong.parse::<DeliveryId>().is_err() && wrong.parse::<WebhookId>().is_err());
        }
    }

    #[test]
    fn numbers_say_when_they_were_handed_out() {
        let now = Time::from_millis(1_705_314_600_120);
        let mut sequence = Sequence::after(0);
        let (first, second) = (sequence.next(now), sequence.next(now));
        assert_eq!(DeliveryId::from_u64(first), DeliveryId::first_at(now));
        assert_eq!(DeliveryId::from_u64(second).time(), now);
        assert_eq!(EventKey::first_at(Time::MIN).as_u64(), 0);
        assert!(i64::try_from(EventKey::first_at(Time::from_millis(i64::MAX)).as_u64()).is_ok());
    }

    #[test]
    fn a_batch_has_the_id_of_its_deliveries() {
        let batch = |ids: &[u64]| BatchId::of(ids.iter().copied().map(DeliveryId::from_u64));
        assert_eq!(batch(&[1, 2]), batch(&[1, 2]));
        assert_ne!(batch(&[1, 2]), batch(&[1]));
        assert_ne!(batch(&[1, 2]), batch(&[1, 3]));
        assert_eq!(BatchId::from_u64(batch(&[1]).as_u64()), Some(batch(&[1])));
        assert_eq!(BatchId(NonZeroU64::MIN).to_string(), "batch_0000000000001");
    }

    #[test]
    fn event_ids_are_bounded_and_plain() {
        assert!("evt_123abc".parse::<EventId>().is_ok());
        for wrong in ["", "a b", "é", "a\"", &"x".repeat(129)] {
            assert!(wrong.parse::<EventId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_sequence_grows_even_when_the_clock_jumps_back() {
        let mut sequence = Sequence::after(0);
        let first = sequence.next(Time::from_millis(1_000));
        let second = sequence.next(Time::from_millis(1));
        let third = sequence.next(Time::from_millis(2_000));
        assert!(first < second && second < third);
        assert_eq!(third >> 21, 2_000);
    }
}
