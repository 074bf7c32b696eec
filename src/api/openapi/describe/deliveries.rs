//! Deliveries.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::api::deliveries::{DeliveryView, Detailed, Filter, Page};
use crate::api::error::Kind;
use crate::api::openapi::Operation;

fn delivery() -> Value {
    json!({
        "id": "del_0dk2x3v9q4m8n", "webhook_id": "webhook_5f2b0c1e9a4d4c7f8e6b3a2d1c0f9e8d",
        "event_id": "evt_123abc", "event_type": "resource.created", "outcome": "Delivered", "delivered": true,
        "attempts": 1, "response_code": 200, "response_time_ms": 145, "delivered_at": "2024-01-15T10:30:00Z",
    })
}

fn retrying() -> Value {
    json!({
        "id": "del_0dk2x3v9q4m8p", "webhook_id": "webhook_5f2b0c1e9a4d4c7f8e6b3a2d1c0f9e8d",
        "event_id": "evt_456def", "event_type": "resource.updated", "outcome": "Retrying", "delivered": false,
        "attempts": 3, "response_time_ms": 30_000, "last_error": "a.example did not answer within 30000 ms",
        "next_retry_at": "2024-01-15T10:45:00Z",
    })
}

pub(in crate::api) fn list() -> Operation {
    Operation::new("listDeliveries", "List the deliveries of a webhook, newest first")
        .query::<Filter>()
        .answers::<Page>(
            StatusCode::OK,
            "A page of deliveries.",
            json!({ "deliveries": [delivery(), retrying()] }),
        )
        .leads_to("showDelivery", "/deliveries/0/id")
        .leads_to("retryDelivery", "/deliveries/0/id")
        .fails(&[Kind::Unavailable])
}

pub(in crate::api) fn show() -> Operation {
    let mut shown = delivery();
    shown["history"] = json!([{
        "attempt": 1, "started_at": "2024-01-15T10:30:00Z", "reason": "Delivered", "response_code": 200,
        "response_time_ms": 145, "response_body": "ok",
    }]);
    Operation::new("showDelivery", "Show a delivery with all its attempts")
        .answers::<Detailed>(StatusCode::OK, "The delivery.", shown)
        .fails(&[Kind::Unavailable])
}

pub(in crate::api) fn retry() -> Operation {
    Operation::new("retryDelivery", "Retry a delivery now")
        .about("Its attempts go on counting, and it has a fresh retry budget.")
        .answers::<DeliveryView>(StatusCode::ACCEPTED, "The delivery, due now.", retrying())
        .fails(&[Kind::Unavailable])
}
