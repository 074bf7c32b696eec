//! How far the sender's time may be from ours.

use core::time::Duration;

use crate::rejection::Rejection;

/// The times a request may be signed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Our time, in seconds since the Unix epoch.
    pub now: i64,
    /// How far from it a timestamp may be, in either direction.
    pub tolerance: Duration,
}

impl Window {
    /// Five minutes: long enough for clocks that differ, short enough to make replays hard.
    pub const DEFAULT_TOLERANCE: Duration = Duration::from_mins(5);

    /// The default tolerance around a time in seconds since the Unix epoch.
    #[must_use]
    pub const fn at(now: i64) -> Self {
        Self { now, tolerance: Self::DEFAULT_TOLERANCE }
    }

    /// Reads the header of a timestamp and checks that it lies within the window.
    pub(crate) fn admit(self, header: &str) -> Result<i64, Rejection> {
        // Digits only: the text is signed as it stands, so that it can have but one form.
        if header.is_empty() || !header.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Rejection::MalformedTimestamp);
        }
        let timestamp: i64 = header.parse().map_err(|_| Rejection::MalformedTimestamp)?;
        let distance = Duration::from_secs(self.now.abs_diff(timestamp));
        if distance <= self.tolerance {
            Ok(timestamp)
        } else if timestamp < self.now {
            Err(Rejection::TooOld(distance))
        } else {
            Err(Rejection::TooNew(distance))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tolerance_holds_in_both_directions_and_includes_its_ends() {
        let window = Window::at(1_000);
        assert_eq!(window.admit("700"), Ok(700));
        assert_eq!(window.admit("1300"), Ok(1_300));
        assert_eq!(window.admit("699"), Err(Rejection::TooOld(Duration::from_secs(301))));
        assert_eq!(window.admit("1301"), Err(Rejection::TooNew(Duration::from_secs(301))));
    }

    #[test]
    fn a_timestamp_is_digits_that_fit() {
        for wrong in ["", "+1000", "-1", "1e3", " 1000", "1000.0", "99999999999999999999"] {
            assert_eq!(Window::at(1_000).admit(wrong), Err(Rejection::MalformedTimestamp), "{wrong}");
        }
    }
}
