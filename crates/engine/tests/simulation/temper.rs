//! How receivers behave.

use std::time::Duration;

use fastrand::Rng;
use hookwright_engine::attempt::{Failure, FailureReason, Fault, Outcome};
use hookwright_engine::time::Time;

/// How a receiver behaves.
#[derive(Clone, Copy, Debug)]
pub enum Temper {
    Healthy,
    Failing,
    Flaky,
    Hanging,
    Busy,
    Leaving,
}

impl Temper {
    pub fn any(rng: &mut Rng) -> Self {
        match rng.u32(0..8) {
            0..2 => Self::Healthy,
            2 => Self::Failing,
            3 => Self::Hanging,
            4 => Self::Busy,
            5 => Self::Leaving,
            _ => Self::Flaky,
        }
    }

    /// What a request comes to, and after how long.
    pub fn answer(self, rng: &mut Rng, now: Time) -> (Outcome, Duration) {
        let status = |status| Outcome::Responded { status, retry_after: None };
        let latency = Duration::from_millis(rng.u64(1..200));
        if rng.u32(0..50) == 0 {
            return (Outcome::Fault(Fault::Store("the disk is slow".into())), latency);
        }
        match self {
            Self::Healthy => (status(200), latency),
            Self::Failing => (status(500), latency),
            Self::Flaky if rng.bool() => (status(204), latency),
            Self::Flaky => (status(302), latency),
            Self::Hanging => {
                let failure = Failure { reason: FailureReason::Timeout, message: "no answer".into() };
                (Outcome::Failed(failure), Duration::from_secs(30))
            }
            Self::Busy => {
                let retry_after = Some(now + Duration::from_secs(rng.u64(0..200_000)));
                (Outcome::Responded { status: 429, retry_after }, latency)
            }
            Self::Leaving => (status(410), latency),
        }
    }
}
