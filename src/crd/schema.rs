//! Schemas of fields that Rust's types alone do not describe.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::rule;
use super::webhook::MAX_EVENTS;

/// Longest event type or pattern: 8 segments of 64 characters and the dots between them.
const MAX_PATTERN_LEN: usize = 8 * 64 + 7;
/// Most members of a free JSON object, at its top.
const MAX_MEMBERS: usize = 1024;
/// Most conditions of a status.
const MAX_CONDITIONS: usize = 16;

pub(super) fn events(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "minItems": 1, "maxItems": MAX_EVENTS, "x-kubernetes-list-type": "atomic",
        "items": {
            "type": "string", "minLength": 1, "maxLength": MAX_PATTERN_LEN,
            "x-kubernetes-validations": [rule::event_pattern()],
        },
    })
}

pub(super) fn event_type(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": MAX_PATTERN_LEN,
        "x-kubernetes-validations": [rule::event_type()],
    })
}

pub(super) fn object_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 253,
        "x-kubernetes-validations": [rule::object_name()],
    })
}

pub(super) fn secret_key(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 253,
        "x-kubernetes-validations": [rule::secret_key()],
    })
}

pub(super) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

pub(super) fn count(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int64", "minimum": 0 })
}

/// Any JSON object: passed through, not looked into.
pub(super) fn json_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": MAX_MEMBERS, "x-kubernetes-preserve-unknown-fields": true,
    })
}

/// The conditions of a status, as `metav1.Condition` has them.
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    let text = |max: usize, pattern: &str| json!({ "type": "string", "maxLength": max, "pattern": pattern });
    json_schema!({
        "type": "array", "maxItems": MAX_CONDITIONS,
        "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": described("What it is about.", text(316, "^[A-Za-z][A-Za-z0-9]*$")),
                "status": described("Whether it holds.", json!({ "type": "string", "enum": ["True", "False", "Unknown"] })),
                "observedGeneration": described(
                    "The generation of the spec that it speaks of.",
                    json!({ "type": "integer", "format": "int64", "minimum": 0 }),
                ),
                "lastTransitionTime": described(
                    "When its status changed last.",
                    json!({ "type": "string", "format": "date-time" }),
                ),
                "reason": described("Why, in one word.", text(1024, "^[A-Za-z][A-Za-z0-9]*$")),
                "message": described("Why, for people.", json!({ "type": "string", "maxLength": 32768 })),
            },
        },
    })
}

fn described(description: &str, mut schema: Value) -> Value {
    schema["description"] = description.into();
    schema
}
