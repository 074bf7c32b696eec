//! `hookwright deliveries` and `retry`

use clap::Args;
use serde::Deserialize;

use super::connection::Connection;
use super::delivery::{Delivery, Page};
use super::error::Error;
use super::output::{self, Output};
use super::way::{Retried, Shown};

/// Shows deliveries.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwright deliveries warehouse
  hookwright deliveries warehouse --delivered false --output json
  hookwright deliveries warehouse --follow

Rights through the API server: get webhooks; list and, to follow, watch webhookdeliveries")]
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

impl Deliveries {
    pub(super) async fn run(self) -> Result<(), Error> {
        let Self { webhook, follow, delivered, event_type, limit, connection, output } = self;
        let way = connection.open().await?;
        let shown = Shown { delivered, event_type, limit };
        if follow {
            return way.follow(&webhook, &shown).await;
        }
        let answer = way.deliveries(&webhook, &shown).await?;
        let Page { deliveries } = understood(&answer)?;
        output.print(
            &answer,
            |_| deliveries.iter().map(|delivery| delivery.id.clone()).collect(),
            |out| output::table(out, Delivery::HEAD, deliveries.iter().map(Delivery::row)),
        )
    }
}

/// Tries a delivery again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwright retry del_06d8k3q7m2x5r
  kubectl hookwright retry warehouse-06d8k3q7m2x5r

Rights through the API server: list, watch and patch webhookdeliveries")]
pub struct Retry {
    /// Id of the delivery (del_…), or the name of its object
    #[arg(value_name = "DELIVERY")]
    delivery: String,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Retry {
    pub(super) async fn run(self) -> Result<(), Error> {
        let way = self.connection.open().await?;
        let Retried { answer, attempted } = way.retry(&self.delivery).await?;
        let delivery: Delivery = understood(&answer)?;
        self.output.print(
            &answer,
            |_| vec![delivery.id.clone()],
            |out| {
                let Delivery { id, event_type, event_id, attempts, .. } = &delivery;
                write!(out, "{id} ({event_type} {event_id}) ")?;
                if attempted {
                    writeln!(out, "is {}, after attempt {attempts}", delivery.outcome)
                } else {
                    writeln!(out, "is due now, after {attempts} attempts")
                }
            },
        )?;
        if attempted && !delivery.delivered {
            let why = delivery.last_error.unwrap_or(delivery.outcome);
            return Err(Error::NotDelivered(why));
        }
        Ok(())
    }
}

/// What an answer says, in a type of ours.
pub(super) fn understood<T: for<'de> Deserialize<'de>>(answer: &serde_json::Value) -> Result<T, Error> {
    T::deserialize(answer)
        .map_err(|error| Error::Foreign { server: "whoever was asked".to_owned(), detail: error.to_string() })
}
