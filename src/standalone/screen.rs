//! What people see: a line on stdout for each attempt, notes on stderr.

use std::io::{self, Write};
use std::time::Duration;

use hookwright_engine::attempt::Attempt;
use hookwright_engine::delivery::State;
use hookwright_engine::time::Time;
use jiff::tz::TimeZone;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::delivery::{Attempted, Change, What};

/// Prints a line for each attempt until `shutdown`, and for those that ended before it.
pub async fn show(mut changes: broadcast::Receiver<Change>, shutdown: CancellationToken) {
    let zone = TimeZone::system();
    loop {
        let change = tokio::select! {
            biased;
            change = changes.recv() => change,
            () = shutdown.cancelled() => return,
        };
        match change {
            Ok(Change { what: What::Attempted(attempted), .. }) => print(&attempt(&attempted, &zone)),
            Ok(Change { what: What::Accepted | What::Sending | What::Canceled, .. }) => {}
            Err(RecvError::Lagged(missed)) => print(&format!("… {missed} changes came too fast to show")),
            Err(RecvError::Closed) => return,
        }
    }
}

/// A line on stdout. That nobody reads it any more is no reason to stop delivering.
pub fn print(line: &str) {
    drop(writeln!(io::stdout().lock(), "{line}"));
}

/// A line on stderr: something to know, or something wrong.
pub fn note(line: &str) {
    drop(writeln!(io::stderr().lock(), "{line}"));
}

/// `10:30:00 ✓ orders  resource.created  evt_123abc  attempt 1  200  12 ms`
fn attempt(attempted: &Attempted, zone: &TimeZone) -> String {
    let Attempted { record, event_id, event_type, endpoint } = attempted;
    let time = clock_time(record.at, zone);
    let name = if &*endpoint.namespace == "default" {
        endpoint.name.to_string()
    } else {
        format!("{}/{}", endpoint.namespace, endpoint.name)
    };
    let (mark, next) = match record.state {
        State::Delivered => ('✓', String::new()),
        State::Pending { due } => ('↻', format!("  next try in {}", short(due.since(record.at)))),
        State::Failed => ('✗', "  given up".to_owned()),
        State::DeadLettered => ('✗', "  dead-lettered".to_owned()),
        State::Canceled => ('✗', "  canceled".to_owned()),
    };
    let result = record.attempt.as_ref().map_or_else(|| "could not be sent".to_owned(), result);
    format!(
        "{time} {mark} {name:<16}  {:<20}  {:<18}  attempt {}  {result}{next}",
        event_type.as_str(),
        event_id.as_str(),
        record.attempts,
    )
}

/// `200  12 ms`, or why there was no answer.
fn result(attempt: &Attempt) -> String {
    let answer =
        attempt.outcome.status().map_or_else(|| attempt.outcome.to_string(), |status| status.to_string());
    format!("{answer}  {} ms", attempt.elapsed.as_millis())
}

fn clock_time(time: Time, zone: &TimeZone) -> String {
    time.to_timestamp().to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// A duration as people say it, in its largest unit.
fn short(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds @ 1..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// The time of a note, as in the lines of attempts.
pub(super) fn now() -> String {
    clock_time(clock::wall(), &TimeZone::system())
}
