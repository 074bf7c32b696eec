//! The time, for everything that waits: follows the system's clock forward, never back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookwright_engine::time::Time;
use tokio::time::Instant;

/// A clock that never goes back and never stands still.
///
/// Steps of the system's clock forward are followed (a machine that slept has work that is due);
/// steps back are not (a retry would wait an hour more for no reason).
#[derive(Clone, Debug)]
pub struct Clock {
    last: Arc<Mutex<(Instant, Time)>>,
}

impl Clock {
    /// A clock that begins at the system's time.
    #[must_use]
    pub fn system() -> Self {
        Self { last: Arc::new(Mutex::new((Instant::now(), wall()))) }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Time {
        // A panic cannot leave the pair half-written.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let instant = Instant::now();
        let elapsed = instant.duration_since(last.0);
        // Whole milliseconds only, so that the rest is not lost at the next call.
        let elapsed = Duration::from_millis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        last.0 += elapsed;
        last.1 = (last.1 + elapsed).max(wall());
        last.1
    }

    /// Lets a test step it forward.
    #[cfg(test)]
    pub(crate) fn advance(&self, step: Duration) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.1 = last.1 + step;
    }

    /// How long to wait from now until `time`; zero when it has passed.
    #[must_use]
    pub fn until(&self, time: Time) -> Duration {
        time.since(self.now())
    }
}

/// The system's clock, as receivers see it: what signatures are dated with.
#[must_use]
#[allow(clippy::disallowed_methods)] // The one place that reads the system's clock.
pub fn wall() -> Time {
    Time::from_millis(jiff::Timestamp::now().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn goes_on_while_the_systems_clock_stands_still() {
        let clock = Clock::system();
        let begin = clock.now();
        tokio::time::advance(Duration::from_hours(1)).await;
        assert!(clock.now().since(begin) >= Duration::from_hours(1));
        assert_eq!(clock.until(begin), Duration::ZERO);
    }
}
