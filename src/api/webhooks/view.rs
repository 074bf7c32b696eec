//! A webhook as the API shows it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{places, schema};
use crate::api::openapi::time;
use crate::crd::Webhook;
use crate::store::{Delivery, Summary};
use hookwright_engine::delivery::State;
use hookwright_engine::id::WebhookId;

/// A webhook.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
pub(in crate::api) struct View {
    id: String,
    /// The name of its object.
    name: String,
    active: bool,
    /// Why nothing is sent though it is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<HeldView>,
    /// `url`, `events`, `description` and all that it was told, in the places where it may be told.
    #[serde(flatten)]
    #[schemars(schema_with = "schema::shown")]
    settings: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_delivery: Option<LastDelivery>,
    /// The signing secret: shown where it was made, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// By what its receiver did, a webhook is held until it changes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Hold")]
struct HeldView {
    reason: &'static str,
    message: String,
}

/// The delivery attempted last.
#[derive(Debug, Serialize, JsonSchema)]
struct LastDelivery {
    delivered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    delivered_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_code: Option<u16>,
}

impl From<&Delivery> for LastDelivery {
    fn from(delivery: &Delivery) -> Self {
        let delivered = delivery.state == State::Delivered;
        Self {
            delivered,
            delivered_at: delivery.finished.filter(|_| delivered).map(|time| time.to_string()),
            response_code: delivery.last_attempt.as_ref().and_then(|attempt| attempt.outcome.status()),
        }
    }
}

impl View {
    /// What is known of a webhook, as the engine has it at `generation`.
    pub(super) fn new(
        id: WebhookId,
        webhook: &Webhook,
        summary: &Summary,
        generation: Option<i64>,
    ) -> Result<Self, serde_json::Error> {
        let held = generation.and_then(|generation| summary.held(generation));
        let created = webhook.metadata.creation_timestamp.as_ref();
        Ok(Self {
            id: id.to_string(),
            name: webhook.metadata.name.clone().unwrap_or_default(),
            active: !webhook.spec.suspend,
            held: held.map(|held| HeldView { reason: held.reason(), message: held.to_string() }),
            settings: settings(&serde_json::to_value(&webhook.spec)?),
            created_at: created.map(|time| time.0.to_string()),
            last_delivery: summary.last.as_ref().map(LastDelivery::from),
            secret: None,
        })
    }

    /// Shows the signing secret.
    pub(super) fn with_secret(self, secret: Option<String>) -> Self {
        Self { secret, ..self }
    }
}

/// The spec with each field where the API has it.
fn settings(spec: &Value) -> Map<String, Value> {
    let mut shown = json!({});
    show("", spec, &mut shown);
    match shown {
        Value::Object(settings) => settings,
        _ => Map::new(),
    }
}

fn show(path: &str, value: &Value, shown: &mut Value) {
    let value = match (path, value) {
        ("/suspend", _) => return, // It is `active`, which is always shown.
        ("/request/headers", Value::Array(list)) => list.iter().filter_map(header).collect(),
        (places::BACKOFF, percent) => percent.as_f64().map_or(Value::Null, |percent| json!(percent / 100.0)),
        ("/filters/expressions", Value::Array(list)) => list.iter().enumerate().map(expression).collect(),
        (_, Value::Object(fields)) => {
            for (name, value) in fields {
                show(&format!("{path}/{name}"), value, shown);
            }
            return;
        }
        (_, value) => places::snake_fields(value.clone()),
    };
    let pointer = places::of_api(path);
    *pointer.split('/').skip(1).fold(shown, |object, name| &mut object[name]) = value;
}

fn header(item: &Value) -> Option<(String, Value)> {
    let name = item["name"].as_str()?.to_owned();
    let value = match &item["valueFrom"]["secretKeyRef"] {
        Value::Null => item["value"].clone(),
        reference => json!({ "value_from": { "secret_key_ref": reference } }),
    };
    Some((name, value))
}

/// Its text, or all of it where it was given a name.
fn expression((index, item): (usize, &Value)) -> Value {
    if item["name"] == places::expression_name(index) {
        item["cel"].clone()
    } else {
        places::snake_fields(item.clone())
    }
}
