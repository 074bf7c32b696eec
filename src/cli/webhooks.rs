//! `hookwright test`, `redrive` and `rotate`: what is done with one webhook.

use std::io::Write;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Connection;
use super::error::Error;
use super::output::{FAINT, GOOD, Output, styled};

/// A webhook by its name or id, and how it is reached.
#[derive(Debug, Args)]
struct Named {
    /// Name or id of the webhook
    #[arg(value_name = "WEBHOOK")]
    webhook: String,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Named {
    /// Posts to a route of the webhook and answers what came back.
    async fn post(self, route: &[&str], body: &Value) -> Result<(Value, Output), Error> {
        let client = self.connection.client()?;
        let webhook = client.webhook(&self.webhook).await?;
        let path = [&["v1", "webhooks", &webhook.id], route].concat();
        Ok((client.post(&path, body.to_string().into_bytes()).await?, self.output))
    }
}

/// Sends a test event.
#[derive(Debug, Args)]
pub struct Test {
    #[command(flatten)]
    webhook: Named,
    /// Type of the event
    #[arg(long, value_name = "TYPE", default_value = "test.ping")]
    event_type: String,
    /// Its data (a JSON object)
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
}

impl Test {
    pub(super) async fn run(self) -> Result<(), Error> {
        let mut body = json!({ "event_type": self.event_type });
        if let Some(data) = self.data {
            let wrong = |error| Error::Input(format!("--data is no JSON: {error}"));
            body["data"] = serde_json::from_str(&data).map_err(wrong)?;
        }
        let (answer, output) = self.webhook.post(&["test"], &body).await?;
        let text = |field: &str| answer[field].as_str().map(str::to_owned);
        let code = answer["response_code"].as_u64().map(|code| format!("HTTP {code}"));
        if answer["delivered"] != true {
            let why = text("error").or(code).unwrap_or_else(|| "the receiver did not answer".to_owned());
            output.print(&answer, |_| Vec::new(), |_| Ok(()))?;
            return Err(Error::NotDelivered(why));
        }
        output.print(
            &answer,
            |_| text("delivery_id").into_iter().collect(),
            |out| {
                let (code, ms) = (code.unwrap_or_default(), &answer["response_time_ms"]);
                writeln!(out, "{} {code} in {ms} ms", styled(GOOD, "delivered"))?;
                match text("response_body").filter(|body| !body.is_empty()) {
                    Some(body) => writeln!(out, "{}", styled(FAINT, &body.replace(char::is_control, " "))),
                    None => Ok(()),
                }
            },
        )
    }
}

/// Makes failed deliveries due.
#[derive(Debug, Args)]
pub struct Redrive {
    #[command(flatten)]
    webhook: Named,
    /// Only count them
    #[arg(long)]
    dry_run: bool,
    /// Only those made at or after this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those made before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those of events of this type
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
}

#[derive(Deserialize)]
struct Redriven {
    count: u64,
}

impl Redrive {
    pub(super) async fn run(self) -> Result<(), Error> {
        let Self { webhook, dry_run, since, until, event_type } = self;
        let mut body = json!({ "dry_run": dry_run });
        for (field, value) in [("since", since), ("until", until), ("event_type", event_type)] {
            if let Some(value) = value {
                body[field] = value.into();
            }
        }
        let (answer, output) = webhook.post(&["redrive"], &body).await?;
        let Redriven { count } = Redriven::deserialize(&answer)
            .map_err(|error| Error::Input(format!("the API answers a redrive otherwise: {error}")))?;
        let deliveries = if count == 1 { "delivery" } else { "deliveries" };
        let done = if dry_run { "would be sent again" } else { "will be sent again" };
        output.print(&answer, |_| Vec::new(), |out| writeln!(out, "{count} failed {deliveries} {done}"))
    }
}

/// Replaces the signing secret.
#[derive(Debug, Args)]
pub struct Rotate {
    #[command(flatten)]
    webhook: Named,
}

impl Rotate {
    pub(super) async fn run(self) -> Result<(), Error> {
        let (answer, output) = self.webhook.post(&["secret", "rotate"], &json!({})).await?;
        let secret = answer["secret"].as_str().unwrap_or_default().to_owned();
        output.print(
            &answer,
            |answer| answer["id"].as_str().map(str::to_owned).into_iter().collect(),
            |out| {
                writeln!(out, "{secret}")?;
                writeln!(
                    anstream::stderr(),
                    "This is shown once. The secret before it signs, too, for a while."
                )
            },
        )
    }
}
