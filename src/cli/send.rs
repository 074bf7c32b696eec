//! `hookwright send`

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::client;
use super::connection::Connection;
use super::deliveries::understood;
use super::error::Error;
use super::output::Output;
use super::progress::Progress;

/// Where events come from.
#[derive(Debug, Args)]
pub(super) struct Events {
    /// File with the event (JSON), or - for what comes on stdin
    #[arg(value_name = "EVENT")]
    file: PathBuf,
}

impl Events {
    /// What the file holds.
    pub(super) fn read(&self) -> Result<Vec<u8>, Error> {
        input(&self.file)
    }

    /// The events in that, at least one.
    pub(super) fn split<'a>(&self, text: &'a [u8]) -> Result<Vec<&'a RawValue>, Error> {
        let events = serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>();
        let events: Vec<_> = events
            .collect::<Result<_, _>>()
            .map_err(|error| self.wrong(&format!("an event is a JSON object: {error}")))?;
        if events.is_empty() {
            Err(self.wrong("it is empty: an event (JSON) is expected"))
        } else {
            Ok(events)
        }
    }

    /// That the file is not what it should be.
    pub(super) fn wrong(&self, detail: &str) -> Error {
        let stdin = self.file == Path::new("-");
        Error::file(if stdin { Path::new("stdin") } else { &self.file }, &detail)
    }
}

/// Publishes events.
#[derive(Debug, Args)]
#[command(
    after_help = "A file may hold many events, one after another, such as one a line (NDJSON): each is judged by itself, and
the exit code is 1 where one was not accepted. An event that has an id is never sent twice, so the file can be sent again.

Examples:
  hookwright send event.json
  hookwright mock user.login | hookwright send -
  hookwright send events.ndjson --output json

Rights through the API server: list webhooks; create and get webhookdeliveries"
)]
pub struct Send {
    #[command(flatten)]
    events: Events,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

/// What became of an event.
#[derive(Deserialize)]
#[serde(untagged)]
enum Judged {
    Accepted {
        id: String,
        deliveries: Vec<String>,
        #[serde(default)]
        duplicate: bool,
    },
    Refused {
        detail: String,
    },
}

impl Send {
    pub(super) async fn run(self) -> Result<(), Error> {
        let Self { events, connection, output } = self;
        let text = events.read()?;
        let events = events.split(&text)?;
        let way = connection.open().await?;
        if let [event] = events[..] {
            let answer = way.send(event).await?;
            return print(output, &answer, &[understood(&answer)?]);
        }
        let progress = Progress::new("events sent", events.len());
        let results = way.send_all(&events, &progress).await?;
        drop(progress);
        let judged: Vec<Judged> = results.iter().map(understood).collect::<Result<_, _>>()?;
        print(output, &json!({ "results": results }), &judged)?;
        let failed = judged.iter().filter(|judged| matches!(judged, Judged::Refused { .. })).count();
        if failed == 0 { Ok(()) } else { Err(Error::Refusals { failed, all: judged.len() }) }
    }
}

fn print(output: Output, answer: &Value, judged: &[Judged]) -> Result<(), Error> {
    let id = |judged: &Judged| match judged {
        Judged::Accepted { id, .. } => Some(id.clone()),
        Judged::Refused { .. } => None,
    };
    output.print(
        answer,
        |_| judged.iter().filter_map(id).collect(),
        |out| (1..).zip(judged).try_for_each(|(number, judged)| judged.write(number, out)),
    )
}

impl Judged {
    fn write(&self, number: usize, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Accepted { id, deliveries, duplicate } => {
                let known = if *duplicate { ", as it was before" } else { "" };
                let webhooks = if deliveries.len() == 1 { "webhook" } else { "webhooks" };
                writeln!(out, "{id} accepted{known}, for {} {webhooks}", deliveries.len())?;
                deliveries.iter().try_for_each(|delivery| writeln!(out, "  {delivery}"))
            }
            Self::Refused { detail } => {
                writeln!(out, "event {number} not accepted: {}", detail.replace(char::is_control, " "))
            }
        }
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
