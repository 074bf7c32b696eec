//! `hookwright deliveries` and `retry`

use std::collections::HashMap;
use std::time::Duration;

use anstyle::Style;
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::client::{Client, Connection};
use super::error::Error;
use super::output::{self, BAD, Cell, FAINT, GOOD, Output, PLAIN, WAITING, styled};

/// How often those who follow deliveries ask for news.
const INTERVAL: Duration = Duration::from_secs(1);

/// Shows deliveries.
#[derive(Debug, Args)]
pub struct Deliveries {
    /// Name or id of the webhook
    #[arg(value_name = "WEBHOOK")]
    webhook: String,
    /// Go on: show what changes, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Only those that were delivered (true), or were not (false)
    #[arg(long, value_name = "BOOL")]
    delivered: Option<bool>,
    /// Only those of events of this type
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(Deserialize)]
struct Page {
    deliveries: Vec<Delivery>,
}

#[derive(Clone, PartialEq, Deserialize)]
struct Delivery {
    id: String,
    event_id: String,
    event_type: String,
    outcome: String,
    attempts: u32,
    response_code: Option<u16>,
    response_time_ms: Option<u64>,
    delivered_at: Option<String>,
    last_error: Option<String>,
    next_retry_at: Option<String>,
}

impl Deliveries {
    pub(super) async fn run(self) -> Result<(), Error> {
        let client = self.connection.client()?;
        let webhook = client.webhook(&self.webhook).await?.id;
        let mut query = vec![("limit", self.limit.to_string())];
        query.extend(self.delivered.map(|delivered| ("delivered", delivered.to_string())));
        query.extend(self.event_type.map(|event_type| ("event_type", event_type)));
        let answer = client.get(&["v1", "webhooks", &webhook, "deliveries"], &query).await?;
        if self.follow {
            return follow(&client, &webhook, &query, answer).await;
        }
        let Page { deliveries } = client.understand(answer.clone())?;
        self.output.print(
            &answer,
            |_| deliveries.iter().map(|delivery| delivery.id.clone()).collect(),
            |out| {
                let head = ["DELIVERY", "TYPE", "EVENT", "OUTCOME", "ATTEMPTS", "CODE", "MS", "WHEN"];
                output::table(out, head, deliveries.iter().map(Delivery::row))
            },
        )
    }
}

/// Prints a line for each delivery that is new or has changed, the oldest first.
async fn follow(client: &Client, webhook: &str, query: &[(&str, String)], first: Value) -> Result<(), Error> {
    let mut shown: HashMap<String, Delivery> = HashMap::new();
    let mut answer = first;
    loop {
        let Page { deliveries } = client.understand(answer)?;
        for delivery in deliveries.iter().rev() {
            if shown.get(&delivery.id) != Some(delivery) {
                output::line(&delivery.line())?;
            }
        }
        // What has left the page is not asked for any more.
        shown = deliveries.into_iter().map(|delivery| (delivery.id.clone(), delivery)).collect();
        tokio::time::sleep(INTERVAL).await;
        answer = client.get(&["v1", "webhooks", webhook, "deliveries"], query).await?;
    }
}

impl Delivery {
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

    fn row(&self) -> [Cell; 8] {
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

    fn line(&self) -> String {
        let cells = self.row().map(|(style, text)| styled(style, &text.replace(char::is_control, " ")));
        cells.join("  ")
    }
}

/// Tries a delivery again.
#[derive(Debug, Args)]
pub struct Retry {
    /// Id of the delivery (del_…)
    #[arg(value_name = "DELIVERY")]
    delivery: String,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Retry {
    pub(super) async fn run(self) -> Result<(), Error> {
        let client = self.connection.client()?;
        let path = ["v1", "webhooks", "deliveries", &self.delivery, "retry"];
        let answer = client.post(&path, Vec::new()).await?;
        let delivery: Delivery = client.understand(answer.clone())?;
        self.output.print(
            &answer,
            |_| vec![delivery.id.clone()],
            |out| {
                let Delivery { id, event_type, event_id, attempts, .. } = &delivery;
                writeln!(out, "{id} ({event_type} {event_id}) is due now, after {attempts} attempts")
            },
        )
    }
}
