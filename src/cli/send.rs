//! `hookwright send`

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::client::{self, Connection};
use super::error::Error;
use super::output::Output;

/// An event, and how it reaches the API.
#[derive(Debug, Args)]
pub(super) struct Event {
    /// File with the event (JSON), or - for what comes on stdin
    #[arg(value_name = "EVENT")]
    file: PathBuf,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Event {
    /// Posts it to a route, and gives what came back, also in a type of ours.
    pub(super) async fn post<T>(self, route: &[&str]) -> Result<(Value, T, Output), Error>
    where
        T: for<'de> Deserialize<'de>,
    {
        let event = input(&self.file)?;
        let client = self.connection.client()?;
        let answer = client.post(route, event).await?;
        let understood = client.understand(answer.clone())?;
        Ok((answer, understood, self.output))
    }
}

/// Publishes an event.
#[derive(Debug, Args)]
pub struct Send {
    #[command(flatten)]
    event: Event,
}

#[derive(Deserialize)]
struct Accepted {
    id: String,
    deliveries: Vec<String>,
    #[serde(default)]
    duplicate: bool,
}

impl Send {
    pub(super) async fn run(self) -> Result<(), Error> {
        let (answer, accepted, output) = self.event.post(&["v1", "events"]).await?;
        let Accepted { id, deliveries, duplicate } = accepted;
        output.print(
            &answer,
            |_| vec![id.clone()],
            |out| {
                let known = if duplicate { ", as it was before" } else { "" };
                let webhooks = if deliveries.len() == 1 { "webhook" } else { "webhooks" };
                writeln!(out, "{id} accepted{known}, for {} {webhooks}", deliveries.len())?;
                deliveries.iter().try_for_each(|delivery| writeln!(out, "  {delivery}"))
            },
        )
    }
}

/// What a file holds, or what comes on stdin where it is `-`.
pub(super) fn input(path: &Path) -> Result<Vec<u8>, Error> {
    if path != Path::new("-") {
        return client::read(path);
    }
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input).map_err(|error| Error::file(Path::new("stdin"), &error))?;
    Ok(input)
}
