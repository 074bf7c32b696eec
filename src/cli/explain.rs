//! `hookwright explain`

use clap::Args;
use serde::Deserialize;

use super::connection::Connection;
use super::deliveries::understood;
use super::error::Error;
use super::output::{self, BAD, FAINT, GOOD, Output, PLAIN};
use super::send::Events;

/// Says who would get an event.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwright explain event.json
  hookwright mock user.login | hookwright explain - --output name

Rights through the API server: list webhooks")]
pub struct Explain {
    #[command(flatten)]
    event: Events,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(Deserialize)]
struct Explained {
    webhooks: Vec<Webhook>,
}

#[derive(Deserialize)]
struct Webhook {
    id: String,
    name: String,
    matches: bool,
    reason: String,
}

impl Explain {
    pub(super) async fn run(self) -> Result<(), Error> {
        let text = self.event.read()?;
        let [event] = self.event.split(&text)?[..] else {
            return Err(self.event.wrong("one event at a time is explained"));
        };
        let answer = self.connection.open().await?.explain(event).await?;
        let Explained { webhooks } = understood(&answer)?;
        self.output.print(
            &answer,
            |_| webhooks.iter().filter(|it| it.matches).map(|it| it.id.clone()).collect(),
            |out| {
                let rows = webhooks.iter().map(|Webhook { id, name, matches, reason }| {
                    let gets = if *matches { (GOOD, "yes".to_owned()) } else { (BAD, "no".to_owned()) };
                    [(PLAIN, name.clone()), gets, (PLAIN, reason.clone()), (FAINT, id.clone())]
                });
                output::table(out, ["WEBHOOK", "GETS IT", "WHY", "ID"], rows)
            },
        )
    }
}
