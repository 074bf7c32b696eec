//! The problems that may be answered, each once for all operations.

use serde_json::{Value, json};

use crate::api::error::{Kind, Problem};

/// What a problem is called in the document.
pub(super) fn name(kind: Kind) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    kind.title().split(' ').map(capital).collect()
}

/// The answer that it is.
pub(super) fn response(kind: Kind) -> Value {
    let example = Problem::new(kind, detail(kind));
    let mut response = json!({
        "description": description(kind),
        "content": { Problem::CONTENT_TYPE: {
            "schema": { "$ref": "#/components/schemas/Problem" }, "example": example,
        } },
    });
    if let Some((header, description, schema)) = header(kind) {
        response["headers"] =
            json!({ header: { "description": description, "required": true, "schema": schema } });
    }
    response
}

fn header(kind: Kind) -> Option<(&'static str, &'static str, Value)> {
    match kind {
        Kind::Unavailable => {
            Some(("Retry-After", "After how many seconds to try again.", json!({ "type": "integer" })))
        }
        Kind::Unauthorized => Some((
            "WWW-Authenticate",
            "How to say who calls.",
            json!({ "type": "string", "const": "Bearer" }),
        )),
        Kind::MethodNotAllowed => Some(("Allow", "The methods there are.", json!({ "type": "string" }))),
        Kind::BadRequest
        | Kind::NotJson
        | Kind::Forbidden
        | Kind::NotFound
        | Kind::Timeout
        | Kind::Conflict
        | Kind::TooLarge
        | Kind::UnsupportedMediaType
        | Kind::InvalidField
        | Kind::Internal => None,
    }
}

const fn description(kind: Kind) -> &'static str {
    match kind {
        Kind::BadRequest | Kind::NotJson => "The request makes no sense, or its body is not JSON.",
        Kind::Unauthorized => "The call does not say who makes it, or nobody knows them.",
        Kind::Forbidden => "The caller may not do this; or a browser sent it for a page of another origin.",
        Kind::NotFound => "There is no such thing, or the caller may not see it.",
        Kind::MethodNotAllowed => "Not with this method.",
        Kind::Timeout => "The request did not arrive in time, or took too long.",
        Kind::Conflict => {
            "It contradicts what is there: an id is used for something else, somebody else owns a field, or the \
             webhook is in no state for it."
        }
        Kind::TooLarge => "The body is too large.",
        Kind::UnsupportedMediaType => "The body is not sent as `application/json`.",
        Kind::InvalidField => "A field or a parameter is missing, unknown or wrong; `errors` says which.",
        Kind::Internal => "A defect of Hookwright; its log has the details.",
        Kind::Unavailable => "It cannot be done, or not made durable, now: try again later.",
    }
}

const fn detail(kind: Kind) -> &'static str {
    match kind {
        Kind::BadRequest | Kind::NotJson => "the body did not arrive whole",
        Kind::Unauthorized => "send 'Authorization: Bearer TOKEN' with a token of the token file",
        Kind::Forbidden => {
            "system:serviceaccount:shop:orders may not create webhookevents.hookwright.dev in the namespace shop"
        }
        Kind::NotFound => "there is no webhook webhook_5f2b0c1e9a4d4c7f8e6b3a2d1c0f9e8d in this namespace",
        Kind::MethodNotAllowed => "GET /v1/events",
        Kind::Timeout => "the body did not arrive in time",
        Kind::Conflict => "/events: owned by argocd: change it there, or let argocd give it up",
        Kind::TooLarge => "the body may have at most 262144 bytes",
        Kind::UnsupportedMediaType => "the body must be sent with Content-Type: application/json",
        Kind::InvalidField => "/url: must begin with https:// or http://",
        Kind::Internal => "this is a defect of Hookwright; its log has the details",
        Kind::Unavailable => "the process is shutting down",
    }
}
