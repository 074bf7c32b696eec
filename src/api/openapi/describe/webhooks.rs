//! Webhooks.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::api::error::Kind;
use crate::api::openapi::Operation;
use crate::api::webhooks::redrive::{Counted, Wanted};
use crate::api::webhooks::schema::{NewWebhook, WebhookPatch};
use crate::api::webhooks::trial::{Ping, Tried};
use crate::api::webhooks::{Listed, Rotated, Selection, View};

fn shown() -> Value {
    json!({
        "id": "webhook_5f2b0c1e9a4d4c7f8e6b3a2d1c0f9e8d", "name": "webhook-x7k2m9q4bd",
        "url": "https://your-app.com/webhooks", "events": ["resource.created", "resource.updated"], "active": true,
        "description": "Production webhook for resource events", "created_at": "2024-01-15T10:30:00Z",
        "config": { "content_type": "application/json", "headers": { "X-Custom-Header": "value" } },
    })
}

fn asked() -> Value {
    json!({
        "url": "https://your-app.com/webhooks", "events": ["resource.created", "resource.updated"], "active": true,
        "description": "Production webhook for resource events",
        "config": {
            "content_type": "application/json", "secret": "your_webhook_secret", "insecure_ssl": false,
            "headers": { "X-Custom-Header": "value" },
        },
        "retry_policy": { "max_attempts": 5, "intervals": [60, 300, 900, 3600, 7200], "timeout": 30 },
    })
}

pub(in crate::api) fn create() -> Operation {
    let mut made = shown();
    made["secret"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into();
    Operation::new("createWebhook", "Create a webhook")
        .about("The answer is given when deliveries follow the webhook. Its `secret` is shown only here.")
        .body::<NewWebhook>(json!({ "webhook": asked() }))
        .answers::<View>(StatusCode::CREATED, "The webhook.", made)
        .leads_to("showWebhook", "/id")
        .leads_to("patchWebhook", "/id")
        .leads_to("testWebhook", "/id")
        .leads_to("rotateSecret", "/id")
        .leads_to("listDeliveries", "/id")
        .leads_to("deleteWebhook", "/id")
        .fails(&[Kind::Conflict, Kind::Unavailable])
}

pub(in crate::api) fn list() -> Operation {
    let mut entry = shown();
    entry["last_delivery"] =
        json!({ "delivered": true, "delivered_at": "2024-01-15T10:30:00Z", "response_code": 200 });
    Operation::new("listWebhooks", "List the webhooks, by name")
        .query::<Selection>()
        .answers::<Listed>(StatusCode::OK, "A page of webhooks.", json!({ "data": [entry] }))
        .fails(&[Kind::Unavailable])
}

pub(in crate::api) fn show() -> Operation {
    Operation::new("showWebhook", "Show a webhook")
        .answers::<View>(StatusCode::OK, "The webhook.", shown())
        .fails(&[Kind::Unavailable])
}

pub(in crate::api) fn patch() -> Operation {
    let mut paused = shown();
    paused["active"] = false.into();
    Operation::new("patchWebhook", "Change a webhook")
        .about(
            "A merge patch (RFC 7396): what it does not name stays, what it says is null is removed. The answer is \
             given when deliveries follow the change.",
        )
        .body::<WebhookPatch>(json!({ "pause": { "active": false } }))
        .answers::<View>(StatusCode::OK, "The webhook as it is now.", paused)
        .fails(&[Kind::Conflict, Kind::Unavailable])
}

pub(in crate::api) fn delete() -> Operation {
    Operation::new("deleteWebhook", "Delete a webhook")
        .about("Its unfinished deliveries are canceled.")
        .answers_nothing("It is gone.")
        .fails(&[Kind::Conflict, Kind::Unavailable])
}

pub(in crate::api) fn rotate() -> Operation {
    Operation::new("rotateSecret", "Give a webhook a new signing secret")
        .about("The one before signs beside it for a while, as `signing.rotation` says.")
        .answers::<Rotated>(
            StatusCode::OK,
            "The new secret, shown only here.",
            json!({
                "id": "webhook_5f2b0c1e9a4d4c7f8e6b3a2d1c0f9e8d",
                "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            }),
        )
        .fails(&[Kind::Conflict, Kind::InvalidField, Kind::Unavailable])
}

pub(in crate::api) fn redrive() -> Operation {
    Operation::new("redriveDeliveries", "Retry all failed deliveries of a webhook")
        .about("Their attempts go on counting, and each has a fresh retry budget.")
        .body::<Wanted>(json!({
            "all": {}, "count": { "dry_run": true },
            "some": { "event_type": "resource.created", "since": "2024-01-15T00:00:00Z" },
        }))
        .answers::<Counted>(StatusCode::OK, "How many there are: it was a dry run.", json!({ "count": 23 }))
        .answers::<Counted>(StatusCode::ACCEPTED, "How many are due now.", json!({ "count": 23 }))
        .fails(&[Kind::Unavailable])
}

pub(in crate::api) fn test() -> Operation {
    Operation::new("testWebhook", "Send one event to a webhook, now, and wait for the answer")
        .about("One attempt, which is in the log afterwards, and is not tried again.")
        .body::<Ping>(
            json!({ "ping": {}, "other": { "event_type": "resource.created", "data": { "test": true } } }),
        )
        .answers::<Tried>(
            StatusCode::OK,
            "What came of it, also where it was not delivered.",
            json!({
                "delivered": true, "response_code": 200, "response_time_ms": 145, "response_body": "ok",
                "delivery_id": "del_0dk2x3v9q4m8n",
            }),
        )
        .fails(&[Kind::Conflict, Kind::Unavailable])
}
