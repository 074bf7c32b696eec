//! Which events were handled before, so that a delivery that comes again does nothing again.

#[cfg(feature = "redis")]
mod redis;

use std::time::{Duration, Instant};

use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

#[cfg(feature = "redis")]
pub use self::redis::Redis;

/// How long an event is remembered once it was handled. Senders try less long.
const REMEMBERED: Duration = Duration::from_hours(24);
/// How long an event may be worked on before it counts as given up, as its process may have crashed: longer
/// than all attempts and the pauses between them. One that comes again later is handled again.
const CLAIMED: Duration = Duration::from_mins(5);
/// Events remembered in one process; beyond it the oldest are forgotten. About 100 MiB.
const CAPACITY: u64 = 500_000;

/// What became of an event before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: it is now the caller's to handle.
    New,
    /// Somebody is at it.
    InProgress,
    /// It was handled.
    Done,
}

/// Remembers events by their ids. Whoever claims one then either keeps or releases it.
pub trait Memory: Send + Sync + 'static {
    /// Why it could not be asked.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Takes an event, unless somebody has it already.
    fn claim(&self, event: &str) -> impl Future<Output = Result<Claim, Self::Error>> + Send;

    /// It was handled: remember it.
    fn keep(&self, event: &str) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// It could not be handled: forget it, so that it may come again.
    fn release(&self, event: &str) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Remembers events in this process, until it ends. Enough where one process receives them and a
/// repetition after its restart does no harm.
#[derive(Clone, Debug)]
pub struct InProcess {
    events: Cache<String, Step>,
}

/// How far an event has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Claimed,
    Done,
}

/// How long each step is remembered.
struct Periods {
    claimed: Duration,
    done: Duration,
}

impl Expiry<String, Step> for Periods {
    fn expire_after_create(&self, _: &String, step: &Step, _: Instant) -> Option<Duration> {
        Some(match step {
            Step::Claimed => self.claimed,
            Step::Done => self.done,
        })
    }

    fn expire_after_update(
        &self,
        event: &String,
        step: &Step,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(event, step, now)
    }
}

impl InProcess {
    /// Remembers half a million events for 24 hours.
    #[must_use]
    pub fn new() -> Self {
        Self::with(CAPACITY, Periods { claimed: CLAIMED, done: REMEMBERED })
    }

    fn with(capacity: u64, periods: Periods) -> Self {
        // The default policy would rather turn away new events than forget old ones.
        let policy = EvictionPolicy::lru();
        let events = Cache::builder().max_capacity(capacity).eviction_policy(policy);
        Self { events: events.expire_after(periods).build() }
    }
}

impl Default for InProcess {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory for InProcess {
    type Error = std::convert::Infallible;

    async fn claim(&self, event: &str) -> Result<Claim, Self::Error> {
        let entry = self.events.entry_by_ref(event).or_insert(Step::Claimed);
        Ok(match entry.value() {
            _ if entry.is_fresh() => Claim::New,
            Step::Claimed => Claim::InProgress,
            Step::Done => Claim::Done,
        })
    }

    async fn keep(&self, event: &str) -> Result<(), Self::Error> {
        self.events.insert(event.to_owned(), Step::Done);
        Ok(())
    }

    async fn release(&self, event: &str) -> Result<(), Self::Error> {
        self.events.invalidate(event);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn claim(memory: &impl Memory, event: &str) -> Claim {
        memory.claim(event).await.unwrap()
    }

    /// What every memory does.
    pub(super) async fn remembers(memory: &impl Memory) {
        assert_eq!(claim(memory, "evt_1").await, Claim::New);
        assert_eq!(claim(memory, "evt_1").await, Claim::InProgress);
        assert_eq!(claim(memory, "evt_2").await, Claim::New);
        memory.keep("evt_1").await.unwrap();
        assert_eq!(claim(memory, "evt_1").await, Claim::Done);
        memory.release("evt_2").await.unwrap();
        assert_eq!(claim(memory, "evt_2").await, Claim::New);
    }

    #[tokio::test]
    async fn an_event_is_claimed_once_and_again_when_it_was_released() {
        remembers(&InProcess::new()).await;
    }

    #[tokio::test]
    async fn of_many_who_claim_an_event_at_once_one_gets_it() {
        let memory = InProcess::new();
        let claims = (0..100).map(|_| {
            let memory = memory.clone();
            tokio::spawn(async move { claim(&memory, "evt_1").await })
        });
        let claims = futures_util::future::join_all(claims).await;
        let new = claims.into_iter().filter(|claim| *claim.as_ref().unwrap() == Claim::New);
        assert_eq!(new.count(), 1);
    }

    #[tokio::test]
    async fn what_is_claimed_is_given_up_and_what_is_done_forgotten_in_its_time() {
        let (long, none) = (Duration::from_hours(1), Duration::ZERO);
        let memory = InProcess::with(10, Periods { claimed: none, done: long });
        assert_eq!(claim(&memory, "evt_1").await, Claim::New);
        assert_eq!(claim(&memory, "evt_1").await, Claim::New, "given up");
        memory.keep("evt_1").await.unwrap();
        assert_eq!(claim(&memory, "evt_1").await, Claim::Done);

        let memory = InProcess::with(10, Periods { claimed: long, done: none });
        assert_eq!(claim(&memory, "evt_1").await, Claim::New);
        memory.keep("evt_1").await.unwrap();
        assert_eq!(claim(&memory, "evt_1").await, Claim::New, "forgotten");
    }

    #[tokio::test]
    async fn what_is_too_much_costs_the_oldest() {
        let (claimed, done) = (CLAIMED, REMEMBERED);
        let memory = InProcess::with(10, Periods { claimed, done });
        for event in 0..100 {
            memory.keep(&format!("evt_{event}")).await.unwrap();
            memory.events.run_pending_tasks();
        }
        assert_eq!(claim(&memory, "evt_99").await, Claim::Done);
        assert_eq!(claim(&memory, "evt_0").await, Claim::New);
    }
}
