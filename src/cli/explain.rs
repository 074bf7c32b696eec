//! `hookwright explain`

use clap::Args;
use serde::Deserialize;

use super::error::Error;
use super::output::{self, BAD, FAINT, GOOD, PLAIN};
use super::send::Event;

/// Says who would get an event.
#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    event: Event,
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
        let (answer, explained, output) = self.event.post(&["v1", "events", "explain"]).await?;
        let Explained { webhooks } = explained;
        output.print(
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
