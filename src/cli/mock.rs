//! `hookwright mock`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hookwright_engine::event::Draft;
use hookwright_engine::id::WebhookId;
use hookwright_engine::pattern::{CATALOGUE, EventType};
use hookwright_signature::pcf;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::client::{innermost, secret};
use super::error::Error;
use super::output::{FAINT, GOOD, line, styled};
use crate::clock;

/// How long a receiver has, as with webhooks.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Most of an answer that is shown, in characters.
const SHOWN: usize = 1000;

/// Makes a test event.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwright mock resource.created
  hookwright mock user.login | hookwright send -
  hookwright mock user.login --send http://127.0.0.1:3000/ --secret-file secret")]
pub struct Mock {
    /// Type of the event: one of the catalogue, or any other
    #[arg(value_name = "TYPE", value_parser = event_type)]
    #[arg(long_help = long_help())]
    event_type: EventType,
    /// Sign it and post it to this receiver, instead of printing it
    #[arg(long, value_name = "URL", requires = "secret_file")]
    send: Option<Url>,
    /// File with the secret to sign with
    #[arg(long, value_name = "FILE", requires = "send")]
    secret_file: Option<PathBuf>,
}

fn event_type(text: &str) -> Result<EventType, String> {
    text.parse().map_err(|error| format!("{error}"))
}

fn long_help() -> String {
    format!("Type of the event: any, or one of the catalogue: {}", CATALOGUE.join(", "))
}

impl Mock {
    pub(super) async fn run(self) -> Result<(), Error> {
        let event = event(&self.event_type);
        match (self.send, self.secret_file) {
            (Some(url), Some(path)) => send(url, &path, &event).await,
            _ => line(&format!("{event:#}")),
        }
    }
}

/// An event as an application publishes it.
fn event(event_type: &EventType) -> Value {
    json!({
        "id": format!("evt_test_{:08x}", fastrand::u32(..)),
        "type": event_type.as_str(),
        "created_at": clock::wall().to_string(),
        "data": data(event_type.as_str()),
        "metadata": {
            "user_id": "user_test_789", "ip_address": "192.0.2.1", "user_agent": "hookwright-mock/1.0",
            "request_id": format!("req_test_{:08x}", fastrand::u32(..)),
        },
    })
}

/// What such an event is usually about.
fn data(event_type: &str) -> Value {
    let (group, what) = event_type.split_once('.').unwrap_or((event_type, ""));
    let object = |attributes: Value| json!({ "id": format!("{group}_test_456"), "type": group, "attributes": attributes });
    let changed = |before: Value, after: Value, changes: Value| json!({ "object": object(after), "previous_attributes": before, "changes": changes });
    match (group, what) {
        ("resource", "updated") => changed(
            json!({ "name": "Test Resource", "status": "active" }),
            json!({ "name": "Updated Test Resource", "status": "inactive" }),
            json!({ "name": ["Test Resource", "Updated Test Resource"], "status": ["active", "inactive"] }),
        ),
        ("resource", _) => {
            json!({ "object": object(json!({ "name": "Test Resource", "status": "active" })) })
        }
        ("user", "updated") => changed(
            json!({ "email": "test@example.com" }),
            json!({ "email": "new@example.com" }),
            json!({ "email": ["test@example.com", "new@example.com"] }),
        ),
        ("user", _) => {
            json!({ "object": object(json!({ "email": "test@example.com", "name": "Test User" })) })
        }
        ("auth", _) => json!({ "object": object(json!({ "method": "password", "client": "web" })) }),
        ("system", _) => {
            json!({ "object": object(json!({ "severity": "info", "message": "This is a test" })) })
        }
        ("test", _) => json!({ "message": "This is a test" }),
        _ => json!({ "object": object(json!({})) }),
    }
}

/// Posts an event as a webhook would.
async fn send(url: Url, secret_file: &std::path::Path, event: &Value) -> Result<(), Error> {
    let secret = secret(secret_file)?;
    let now = clock::wall();
    let draft =
        Draft::parse(event.to_string().as_bytes()).map_err(|error| Error::Input(error.to_string()))?;
    let Some(id) = draft.id.clone() else { return Err(Error::Input("the event has no id".to_owned())) };
    let event_type = draft.event_type.to_string();
    let body = draft.accept(id.clone(), now).body(WebhookId::from_uid(Uuid::nil()), 1);
    let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
    let client = client.build().map_err(|error| Error::Client(innermost(&error)))?;
    let answer = client
        .post(url.clone())
        .header(CONTENT_TYPE, "application/json")
        .header("X-PCF-Signature", pcf::sign(&secret, now.as_secs(), &body))
        .header("X-PCF-Timestamp", now.as_secs())
        .header("X-PCF-Event", &event_type)
        .body(body)
        .send()
        .await
        .map_err(|error| Error::NotDelivered(format!("{url}: {}", innermost(&error))))?;
    let status = answer.status();
    let told = answer.text().await.unwrap_or_default();
    let told: String = told.chars().take(SHOWN).map(|it| if it.is_control() { ' ' } else { it }).collect();
    if !status.is_success() {
        return Err(Error::NotDelivered(format!("{url} answers {status}: {told}")));
    }
    line(&format!("{} {event_type} {id}: {status} {}", styled(GOOD, "delivered"), styled(FAINT, &told)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_an_event_of_every_type_of_the_catalogue_that_can_be_published() {
        for event_type in CATALOGUE.iter().chain(&["custom.order.shipped", "odd"]) {
            let made = event(&event_type.parse().unwrap());
            let draft = Draft::parse(made.to_string().as_bytes()).unwrap();
            assert_eq!(draft.event_type.as_str(), *event_type);
        }
    }

    #[test]
    fn an_update_tells_what_has_changed() {
        for event_type in ["resource.updated", "user.updated"] {
            let data = data(event_type);
            for (attribute, change) in data["changes"].as_object().unwrap() {
                assert_eq!(change[0], data["previous_attributes"][attribute], "{event_type}");
                assert_eq!(change[1], data["object"]["attributes"][attribute], "{event_type}");
            }
        }
    }
}
