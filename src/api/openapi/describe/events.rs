//! Publishing.

use std::borrow::Cow;

use axum::http::StatusCode;
use hookwright_engine::id::EventId;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::api::error::Kind;
use crate::api::event_types::Catalogue;
use crate::api::events::{Accepted, MAX_BATCH, Results};
use crate::api::explain::Explained;
use crate::api::openapi::Operation;

/// An event as it is published.
struct Event;

impl JsonSchema for Event {
    fn schema_name() -> Cow<'static, str> {
        "Event".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object", "required": ["type", "data"], "additionalProperties": false,
            "properties": {
                "id": {
                    "type": ["string", "null"], "pattern": "^[A-Za-z0-9_.:-]+$", "minLength": 1,
                    "maxLength": EventId::MAX_LEN,
                    "description": "Publishing the same event again under the same id within 24 hours makes nothing new. \
                                    Default: one that grows with time.",
                },
                "type": {
                    "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}(\\.[A-Za-z0-9_-]{1,64}){0,7}$",
                    "description": "What happened.",
                },
                "created_at": {
                    "type": ["string", "null"], "format": "date-time", "maxLength": 64,
                    "description": "When. Default: now.",
                },
                "data": { "type": "object", "description": "Passed on byte for byte." },
                "metadata": { "type": ["object", "null"], "description": "Passed on byte for byte." },
            },
        })
    }
}

/// Several of them.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code)] // It is a schema only.
struct EventBatch {
    /// Each is judged by itself.
    #[schemars(length(min = 1, max = MAX_BATCH))]
    events: Vec<Event>,
}

fn resource_created() -> Value {
    json!({
        "id": "evt_123abc", "type": "resource.created", "created_at": "2024-01-15T10:30:00Z",
        "data": {
            "object": { "id": "res_456", "type": "resource", "attributes": { "name": "New Resource" } },
            "previous_attributes": null, "changes": null,
        },
        "metadata": {
            "user_id": "user_789", "ip_address": "192.168.1.1", "user_agent": "PCF-SDK/1.0", "request_id": "req_xyz789",
        },
    })
}

fn accepted() -> Value {
    json!({ "id": "evt_123abc", "deliveries": ["del_0dk2x3v9q4m8n"] })
}

pub(in crate::api) fn publish() -> Operation {
    Operation::new("publishEvent", "Publish an event")
        .about(
            "Answered when the event and its deliveries are on stable storage. Where the operator sends traces, a \
             `traceparent` (W3C Trace Context) says which one the event belongs to; one that is not valid is ignored.",
        )
        .body::<Event>(json!({ "event": resource_created() }))
        .answers::<Accepted>(StatusCode::ACCEPTED, "The event is accepted.", accepted())
        .leads_to("showDelivery", "/deliveries/0")
        .fails(&[Kind::Conflict, Kind::Unavailable])
}

pub(in crate::api) fn publish_batch() -> Operation {
    let refused = json!({
        "type": "https://hookwright.dev/problems/invalid-field", "title": "Invalid field", "status": 422,
        "detail": "/data: is required", "errors": [{ "pointer": "/data", "detail": "is required" }],
    });
    Operation::new("publishEvents", "Publish a batch of events")
        .about(
            "Each event is judged by itself, and `results` has what was said to each, in their order. Where one could \
             not be made durable the answer is 503 with the same `results`: publish the batch again.",
        )
        .body::<EventBatch>(json!({ "batch": { "events": [resource_created()] } }))
        .answers::<Results>(
            StatusCode::ACCEPTED,
            "Every event was judged.",
            json!({ "results": [accepted(), refused] }),
        )
        .fails(&[Kind::Unavailable])
}

pub(in crate::api) fn explain() -> Operation {
    let webhook = json!({
        "id": "webhook_0f8fad5bd9cb469fa16570867728950e", "name": "warehouse", "matches": false,
        "reason": "none of its patterns selects the event's type: order.*",
    });
    Operation::new("explainEvent", "Say which webhooks would get an event")
        .about("And why the others would not. Nothing is accepted, and nothing is sent.")
        .body::<Event>(json!({ "event": resource_created() }))
        .answers::<Explained>(
            StatusCode::OK,
            "All webhooks of the namespace.",
            json!({ "webhooks": [webhook] }),
        )
        .fails(&[Kind::Unavailable])
}

pub(in crate::api) fn types() -> Operation {
    Operation::new("listEventTypes", "List the built-in event types")
        .about("Other types are accepted, too: `custom.*` is for applications.")
        .answers::<Catalogue>(
            StatusCode::OK,
            "The catalogue.",
            json!({ "event_types": ["resource.created", "resource.updated"] }),
        )
}
