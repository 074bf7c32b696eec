//! What tells how the process is, and this document.

use std::borrow::Cow;

use axum::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;

use crate::api::error::Kind;
use crate::api::health::OPEN_METRICS;
use crate::api::openapi::Operation;
use crate::metrics::Glance;

pub(in crate::api) fn alive() -> Operation {
    Operation::new("isAlive", "Whether the process lives").answers_text("It does.", "text/plain", "ok\n")
}

pub(in crate::api) fn ready() -> Operation {
    Operation::new("isReady", "Whether events are taken")
        .answers_text("They are.", "text/plain", "ok\n")
        .fails(&[Kind::Unavailable])
}

pub(in crate::api) fn metrics() -> Operation {
    Operation::new("showMetrics", "Show the metrics, for Prometheus").answers_text(
        "The metrics.",
        OPEN_METRICS,
        "# TYPE hookwright_attempts_in_flight gauge\nhookwright_attempts_in_flight 0\n# EOF\n",
    )
}

pub(in crate::api) fn glance() -> Operation {
    Operation::new("showGlance", "Show deliveries, latency and errors at a glance")
        .about("What happened since the process was started; latency is that of the last 1,000 attempts.")
        .answers::<Glance>(
            StatusCode::OK,
            "At a glance.",
            json!({
                "deliveries": { "total": 1543, "successful": 1520, "failed": 23 },
                "latency": { "average": 245.0, "p95": 520, "p99": 1200 },
                "errors": { "500": 10, "Timeout": 8 },
            }),
        )
}

/// A document of OpenAPI.
struct Document;

impl JsonSchema for Document {
    fn schema_name() -> Cow<'static, str> {
        "Document".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "required": ["openapi", "info", "paths"] })
    }
}

pub(in crate::api) fn openapi() -> Operation {
    Operation::new("showOpenAPI", "Show this document").answers::<Document>(
        StatusCode::OK,
        "The document.",
        json!({ "openapi": "3.1.0", "info": { "title": "Hookwright", "version": "0.1.0" }, "paths": {} }),
    )
}
