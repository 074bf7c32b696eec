//! `hookwright test`, `redrive` and `rotate`: what is done with one webhook.

use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::connection::Connection;
use super::deliveries::understood;
use super::error::Error;
use super::output::{FAINT, GOOD, Output, note, styled};
use super::progress::Progress;
use super::way::{Failed, Way};

/// How often those who wait for the end of a redrive ask.
const INTERVAL: Duration = Duration::from_secs(1);

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

/// Sends a test event.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwright test warehouse
  hookwright test warehouse --event-type user.login --data '{\"n\":7}'

Rights through the API server: get and patch webhooks; list webhookdeliveries")]
pub struct Test {
    #[command(flatten)]
    webhook: Named,
    /// Type of the event [default: test.ping]
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Its data (a JSON object)
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
}

impl Test {
    pub(super) async fn run(self) -> Result<(), Error> {
        let Self { webhook: Named { webhook, connection, output }, event_type, data } = self;
        let data = data.map(|data| {
            serde_json::from_str(&data).map_err(|error| Error::Input(format!("--data is no JSON: {error}")))
        });
        let answer = connection.open().await?.test(&webhook, event_type, data.transpose()?).await?;
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
#[command(after_help = "Examples:
  hookwright redrive warehouse --dry-run
  hookwright redrive warehouse --follow
  hookwright redrive warehouse --event-type user.login --since 2024-01-15T00:00:00Z

Rights through the API server: get, list, watch and patch webhooks")]
pub struct Redrive {
    #[command(flatten)]
    webhook: Named,
    /// Only count them
    #[arg(long)]
    dry_run: bool,
    /// Go on until no delivery of the webhook waits any more; exit code 1 where some have failed again
    #[arg(long, short, conflicts_with = "dry_run")]
    follow: bool,
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
        let Self {
            webhook: Named { webhook, connection, output },
            dry_run,
            follow,
            since,
            until,
            event_type,
        } = self;
        let (way, failed) = (connection.open().await?, Failed { since, until, event_type });
        let answer = if dry_run {
            way.count_failed(&webhook, &failed).await?
        } else {
            way.redrive(&webhook, &failed).await?
        };
        let Redriven { count } = understood(&answer)?;
        let deliveries = if count == 1 { "delivery" } else { "deliveries" };
        let done = if dry_run { "would be sent again" } else { "will be sent again" };
        output.print(&answer, |_| Vec::new(), |out| writeln!(out, "{count} failed {deliveries} {done}"))?;
        if follow { wait(&way, &webhook, &failed, count).await } else { Ok(()) }
    }
}

/// Waits until nothing waits, and says whether all went well.
async fn wait(way: &Way, webhook: &str, failed: &Failed, count: u64) -> Result<(), Error> {
    let progress = Progress::new("deliveries done", usize::try_from(count).unwrap_or(usize::MAX));
    loop {
        let unfinished = way.unfinished(webhook).await?;
        progress.reached(usize::try_from(count.saturating_sub(unfinished)).unwrap_or(usize::MAX));
        if unfinished == 0 {
            break;
        }
        tokio::time::sleep(INTERVAL).await;
    }
    drop(progress);
    match understood(&way.count_failed(webhook, failed).await?)? {
        Redriven { count: 0 } => Ok(()),
        Redriven { count } => Err(Error::NotDelivered(format!(
            "{count} failed again; 'hookwright deliveries {webhook}' says why"
        ))),
    }
}

/// Replaces the signing secret.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwright rotate warehouse
  hookwright rotate warehouse --output json

Rights through the API server: get webhooks; get and patch secrets")]
pub struct Rotate {
    #[command(flatten)]
    webhook: Named,
}

impl Rotate {
    pub(super) async fn run(self) -> Result<(), Error> {
        let Named { webhook, connection, output } = self.webhook;
        let answer = connection.open().await?.rotate(&webhook).await?;
        let secret = answer["secret"].as_str().unwrap_or_default().to_owned();
        let id = |answer: &Value| answer["id"].as_str().map(str::to_owned).into_iter().collect();
        output.print(&answer, id, |out| writeln!(out, "{secret}"))?;
        let overlap = match answer["overlap_seconds"].as_u64() {
            Some(0) => "does not sign any more".to_owned(),
            Some(seconds) => format!("signs, too, for {}", span(seconds)),
            None => "signs, too, for a while".to_owned(),
        };
        note(&format!("The secret is shown this once. The one before it {overlap}."));
        Ok(())
    }
}

/// Seconds as people say them.
fn span(seconds: u64) -> String {
    let whole = |unit: u64| seconds >= unit && seconds.is_multiple_of(unit);
    match seconds {
        _ if whole(3600) => format!("{} h", seconds / 3600),
        _ if whole(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}
