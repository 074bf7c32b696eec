//! Leaves a receiver alone that fails nearly always, and asks it now and then whether it is well.

use std::time::Duration;

use crate::attempt::Verdict;
use crate::id::DeliveryId;
use crate::time::Time;

/// When the circuit to a receiver opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    failure_percent: u32,
    minimum_attempts: u32,
    window: Duration,
    open: Duration,
}

/// Why a policy is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// Failures out of bounds.
    #[error("must be 1 to 100, not {0}")]
    FailurePercent(u32),
    /// Attempts out of bounds.
    #[error("must be 1 to {max}, not {0}", max = Policy::MAX_MINIMUM_ATTEMPTS)]
    MinimumAttempts(u32),
    /// A window out of bounds.
    #[error("must be 1 to {max}, not {0}", max = Policy::MAX_SECONDS)]
    Window(u32),
    /// A time of rest out of bounds.
    #[error("must be 1 to {max}, not {0}", max = Policy::MAX_SECONDS)]
    Open(u32),
}

impl Policy {
    /// Attempts without which nothing is concluded, of the default policy.
    pub const DEFAULT_MINIMUM_ATTEMPTS: u32 = 10;
    /// Most attempts that a policy may ask for before anything is concluded.
    pub const MAX_MINIMUM_ATTEMPTS: u32 = 10_000;
    /// Failures of the default policy, in percent.
    pub const DEFAULT_FAILURE_PERCENT: u32 = 70;
    /// Window of the default policy.
    pub const DEFAULT_WINDOW_SECONDS: u32 = 300;
    /// Time between probes of the default policy.
    pub const DEFAULT_OPEN_SECONDS: u32 = 30;
    /// Longest window, and longest time between probes.
    pub const MAX_SECONDS: u32 = 60 * 60;

    /// A checked policy: the circuit opens for `open_seconds` when of at least `minimum_attempts`
    /// within `window_seconds` at least `failure_percent` failed.
    pub fn new(
        failure_percent: u32,
        minimum_attempts: u32,
        window_seconds: u32,
        open_seconds: u32,
    ) -> Result<Self, InvalidPolicy> {
        if !(1..=100).contains(&failure_percent) {
            return Err(InvalidPolicy::FailurePercent(failure_percent));
        }
        if !(1..=Self::MAX_MINIMUM_ATTEMPTS).contains(&minimum_attempts) {
            return Err(InvalidPolicy::MinimumAttempts(minimum_attempts));
        }
        if !(1..=Self::MAX_SECONDS).contains(&window_seconds) {
            return Err(InvalidPolicy::Window(window_seconds));
        }
        if !(1..=Self::MAX_SECONDS).contains(&open_seconds) {
            return Err(InvalidPolicy::Open(open_seconds));
        }
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let (window, open) = (seconds(window_seconds), seconds(open_seconds));
        Ok(Self { failure_percent, minimum_attempts, window, open })
    }

    /// How far back attempts count.
    #[must_use]
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// How long nothing is sent before the next probe.
    #[must_use]
    pub const fn open(&self) -> Duration {
        self.open
    }

    /// Whether so many failures of so many attempts open the circuit.
    #[must_use]
    pub const fn trips(&self, attempts: u64, failures: u64) -> bool {
        attempts >= self.minimum_attempts as u64
            && failures.saturating_mul(100) >= attempts.saturating_mul(self.failure_percent as u64)
    }
}

impl Default for Policy {
    /// Open at 70 % failures of at least 10 attempts within 5 minutes, with a probe every 30 seconds.
    fn default() -> Self {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Self {
            failure_percent: Self::DEFAULT_FAILURE_PERCENT,
            minimum_attempts: Self::DEFAULT_MINIMUM_ATTEMPTS,
            window: seconds(Self::DEFAULT_WINDOW_SECONDS),
            open: seconds(Self::DEFAULT_OPEN_SECONDS),
        }
    }
}

/// Whether deliveries flow to a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Circuit {
    /// They do.
    Closed,
    /// They wait, but for a probe now and then.
    Open,
}

/// Parts of the window that are forgotten one at a time.
const SLOTS: usize = 10;

/// The circuit to one receiver.
#[derive(Debug)]
pub(crate) struct Breaker {
    policy: Policy,
    slots: [Slot; SLOTS],
    state: State,
}

/// The attempts of a tenth of the window.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Which tenth, counted since the epoch.
    number: i64,
    attempts: u64,
    failures: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// Nothing is sent until then.
    Open(Time),
    /// This delivery shows whether the receiver is well.
    Probing(DeliveryId),
}

impl Breaker {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, slots: [Slot::default(); SLOTS], state: State::Closed }
    }

    pub(crate) const fn circuit(&self) -> Circuit {
        match self.state {
            State::Closed => Circuit::Closed,
            State::Open(_) | State::Probing(_) => Circuit::Open,
        }
    }

    /// When the next request may be sent; `None` while a probe is under way.
    pub(crate) const fn next(&self) -> Option<Time> {
        match self.state {
            State::Closed => Some(Time::MIN),
            State::Open(until) => Some(until),
            State::Probing(_) => None,
        }
    }

    /// A request is sent.
    pub(crate) const fn sends(&mut self, delivery: DeliveryId) {
        if let State::Open(_) = self.state {
            self.state = State::Probing(delivery);
        }
    }

    /// A request has ended. While the circuit is open only the probe counts: others were sent before.
    pub(crate) fn landed(&mut self, delivery: DeliveryId, verdict: Verdict, now: Time) {
        match self.state {
            State::Closed => self.count(verdict, now),
            State::Probing(probe) if probe == delivery => match verdict {
                Verdict::Success => *self = Self::new(self.policy),
                Verdict::Retry | Verdict::Gone => self.state = State::Open(now + self.policy.open),
                Verdict::Uncharged => self.state = State::Open(now),
            },
            State::Open(_) | State::Probing(_) => {}
        }
    }

    fn count(&mut self, verdict: Verdict, now: Time) {
        let failed = match verdict {
            Verdict::Success => false,
            Verdict::Retry | Verdict::Gone => true,
            Verdict::Uncharged => return,
        };
        let tenth = i64::try_from(self.policy.window.as_millis()).unwrap_or(i64::MAX) / 10;
        let number = now.as_millis().div_euclid(tenth);
        let oldest = number - 9;
        // The slot of a tenth that has left the window is free for the present one.
        let Some(slot) = self.slots.iter_mut().min_by_key(|slot| (slot.number != number, slot.number)) else {
            return;
        };
        if slot.number != number {
            *slot = Slot { number, ..Slot::default() };
        }
        slot.attempts += 1;
        slot.failures += u64::from(failed);
        let recent = self.slots.iter().filter(|slot| slot.number >= oldest);
        let (attempts, failures) =
            recent.fold((0, 0), |(attempts, failures), it| (attempts + it.attempts, failures + it.failures));
        if failed && self.policy.trips(attempts, failures) {
            self.state = State::Open(now + self.policy.open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    fn id(id: u64) -> DeliveryId {
        DeliveryId::from_u64(id)
    }

    /// A breaker of the default policy that has seen these attempts, one a second, and the time.
    fn after(verdicts: &[Verdict]) -> (Breaker, Time) {
        let mut breaker = Breaker::new(Policy::default());
        let mut now = NOW;
        for &verdict in verdicts {
            now = now + SECOND;
            breaker.landed(id(1), verdict, now);
        }
        (breaker, now)
    }

    #[test]
    fn it_opens_when_most_of_enough_recent_attempts_failed() {
        let (ok, bad, ours) = (Verdict::Success, Verdict::Retry, Verdict::Uncharged);
        assert_eq!(after(&[bad; 9]).0.circuit(), Circuit::Closed);
        assert_eq!(after(&[bad; 10]).0.circuit(), Circuit::Open);
        assert_eq!(after(&[ours; 50]).0.circuit(), Circuit::Closed);
        assert_eq!(after(&[[ok; 3].as_slice(), &[bad; 7]].concat()).0.circuit(), Circuit::Open);
        assert_eq!(after(&[[ok; 4].as_slice(), &[bad; 8]].concat()).0.circuit(), Circuit::Closed);
    }

    #[test]
    fn old_attempts_are_forgotten() {
        let (mut breaker, now) = after(&[Verdict::Retry; 9]);
        breaker.landed(id(1), Verdict::Retry, now + Duration::from_mins(5));
        assert_eq!(breaker.circuit(), Circuit::Closed);
        let (mut breaker, now) = after(&[Verdict::Success; 100]);
        for second in 300..310 {
            breaker.landed(id(1), Verdict::Retry, now + Duration::from_secs(second));
        }
        assert_eq!(breaker.circuit(), Circuit::Open);
    }

    #[test]
    fn one_probe_at_a_time_decides_whether_it_closes() {
        let (mut breaker, now) = after(&[Verdict::Retry; 10]);
        let rested = now + Duration::from_secs(30);
        assert_eq!(breaker.next(), Some(rested));
        breaker.sends(id(7));
        assert_eq!(breaker.next(), None);
        breaker.landed(id(1), Verdict::Success, rested); // sent before it opened
        assert_eq!((breaker.circuit(), breaker.next()), (Circuit::Open, None));
        breaker.landed(id(7), Verdict::Retry, rested);
        assert_eq!(breaker.next(), Some(rested + Duration::from_secs(30)));
        breaker.sends(id(8));
        breaker.landed(id(8), Verdict::Uncharged, rested);
        assert_eq!(breaker.next(), Some(rested));
        breaker.sends(id(9));
        breaker.landed(id(9), Verdict::Success, rested);
        assert_eq!((breaker.circuit(), breaker.next()), (Circuit::Closed, Some(Time::MIN)));
        breaker.landed(id(1), Verdict::Retry, rested);
        assert_eq!(breaker.circuit(), Circuit::Closed, "what was before counts no longer");
    }

    #[test]
    fn bad_policies_say_what_is_wrong() {
        for (policy, says) in [
            (Policy::new(0, 1, 1, 1), "must be 1 to 100, not 0"),
            (Policy::new(1, 10_001, 1, 1), "must be 1 to 10000, not 10001"),
            (Policy::new(1, 1, 3601, 1), "must be 1 to 3600, not 3601"),
            (Policy::new(1, 1, 1, 0), "must be 1 to 3600, not 0"),
        ] {
            assert_eq!(policy.unwrap_err().to_string(), says);
        }
    }
}
