//! What the process says of itself beside its metrics: logs, to stderr, one JSON object per line or as text
//! for people; and [`traces`], where there is a collector.

pub mod traces;

use std::io;

use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::LogFormat;

/// Sends the logs of this process to stderr from now on. Fails when it was done before.
pub fn init(format: LogFormat, level: Targets) -> Result<(), TryInitError> {
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => {
            lines.with_target(false).with_ansi(io::IsTerminal::is_terminal(&io::stderr())).boxed()
        }
    };
    tracing_subscriber::registry().with(lines.with_filter(level)).try_init()
}
