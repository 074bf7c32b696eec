//! A delivery, as the command line knows and shows it.

use anstyle::Style;
use serde::{Deserialize, Serialize};

use super::output::{BAD, Cell, FAINT, GOOD, PLAIN, WAITING, styled};

/// Deliveries, newest first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Page {
    pub(super) deliveries: Vec<Delivery>,
}

/// A delivery, with the fields of the REST API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) event_id: String,
    pub(super) event_type: String,
    pub(super) outcome: String,
    pub(super) delivered: bool,
    pub(super) attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_time_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delivered_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_retry_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dead_letter_of: Option<String>,
}

impl Delivery {
    /// The titles of its cells.
    pub(super) const HEAD: [&str; 8] =
        ["DELIVERY", "TYPE", "EVENT", "OUTCOME", "ATTEMPTS", "CODE", "MS", "WHEN"];

    /// Whether nothing more happens to it by itself.
    pub(super) fn ended(&self) -> bool {
        matches!(self.outcome.as_str(), "Delivered" | "Failed" | "DeadLettered" | "Canceled")
    }

    fn style(&self) -> Style {
        match self.outcome.as_str() {
            "Delivered" => GOOD,
            "Failed" | "DeadLettered" => BAD,
            "Retrying" => WAITING,
            _ => PLAIN,
        }
    }

    /// When it was delivered, or will be tried again, or why it was not.
    fn when(&self) -> String {
        match (&self.delivered_at, &self.next_retry_at, &self.last_error) {
            (Some(delivered), _, _) => delivered.clone(),
            (None, Some(next), Some(error)) => format!("next try {next}: {error}"),
            (None, Some(next), None) => format!("next try {next}"),
            (None, None, Some(error)) => error.clone(),
            (None, None, None) => String::new(),
        }
    }

    /// Its cells.
    pub(super) fn row(&self) -> [Cell; 8] {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        [
            (PLAIN, self.id.clone()),
            (PLAIN, self.event_type.clone()),
            (FAINT, self.event_id.clone()),
            (self.style(), self.outcome.clone()),
            (PLAIN, self.attempts.to_string()),
            (PLAIN, number(self.response_code.map(u64::from))),
            (PLAIN, number(self.response_time_ms)),
            (FAINT, self.when()),
        ]
    }

    /// All of it in a line.
    pub(super) fn line(&self) -> String {
        let cells = self.row().map(|(style, text)| styled(style, &text.replace(char::is_control, " ")));
        cells.join("  ")
    }
}
