//! Times that callers give.

use hookwright_engine::time::Time;

/// The time of a text, or what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Time, &'static str> {
    let timestamp: jiff::Timestamp =
        text.parse().map_err(|_| "must be an RFC 3339 time such as 2024-01-15T10:30:00Z")?;
    Ok(Time::from_millis(timestamp.as_millisecond()))
}
