//! `hookwright explain`

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use super::client::Connection;
use super::error::Error;
use super::output::{self, BAD, FAINT, GOOD, Output, PLAIN};
use super::send::input;

/// Says who would get an event.
#[derive(Debug, Args)]
pub struct Explain {
    /// File with the event (JSON), or - for what comes on stdin
    #[arg(value_name = "EVENT")]
    event: PathBuf,
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
        let event = input(&self.event)?;
        let client = self.connection.client()?;
        let answer = client.post(&["v1", "events", "explain"], event).await?;
        let Explained { webhooks } = client.understand(answer.clone())?;
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
