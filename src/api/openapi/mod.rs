//! `/openapi.json`: what can be called, in the words of OpenAPI 3.1, generated from the routes and the types that
//! they take and answer.
//!
//! ```text
//! routes ── Operation: parameters, body, answers, problems ──► paths
//!                            │ schemars (JSON Schema 2020-12 is the dialect of OpenAPI 3.1)
//!                            └──► components: the schemas by their names, a response for each problem
//! ```
//!
//! Libraries for this want their own routers and derives; what is left of them here, where schemas come from
//! schemars as those of the custom resources do, is less than they would ask for.

pub(super) mod describe;
mod operation;
mod problem;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use axum::http::{Method, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde_json::{Map, Value, json};

pub use self::operation::Operation;
use self::schema::Schemas;
pub(super) use self::schema::{optional_time, time};
use super::auth::{Access, Resource};
use super::error::Kind;
use super::{Route, routes};

const DESCRIPTION: &str = "Publishes events, keeps webhooks, and shows what became of deliveries.\n\n\
    A webhook here is the `Webhook` object of the cluster: both sides see one another's changes at once. \
    Every answer that is not 2xx is a problem (RFC 9457); an unknown field or parameter is refused, never ignored.";

/// `GET /openapi.json`
pub(super) async fn show() -> impl IntoResponse {
    // Anybody may ask, so that it is made once.
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}

/// The document as text, as `hookwright openapi` prints it.
pub fn text() -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&document()).map(|text| text + "\n")
}

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut kinds = BTreeSet::new();
    for route in routes() {
        let problems = problems(&route);
        let operation = operation(&route, &problems, &mut schemas);
        kinds.extend(problems);
        paths.entry(route.path).or_default().insert(route.method.as_str().to_ascii_lowercase(), operation);
    }
    let responses: Map<_, _> =
        kinds.into_iter().map(|kind| (problem::name(kind), problem::response(kind))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hookwright", "version": env!("CARGO_PKG_VERSION"), "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas.finish(),
            "responses": responses,
            "securitySchemes": { "bearer": {
                "type": "http", "scheme": "bearer",
                "description": "A token that the cluster knows, of the audience that the operator accepts; in \
                                standalone mode one of the token file, or none on loopback without such a file.",
            } },
        },
    })
}

fn operation(route: &Route, problems: &BTreeSet<Kind>, schemas: &mut Schemas) -> Value {
    let mut operation = route.operation.render(schemas);
    let mut parameters = parameters(route);
    parameters.extend(route.operation.parameters());
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    operation["tags"] = json!([tag(route)]);
    if let Some(rights) = rights(route.access) {
        let description = operation["description"].as_str().map(|text| format!("{text}\n\n{rights}"));
        operation["description"] = description.unwrap_or(rights).into();
        operation["security"] = json!([{ "bearer": [] }]);
    } else {
        operation["security"] = json!([]);
    }
    for kind in problems {
        let reference = format!("#/components/responses/{}", problem::name(*kind));
        operation["responses"][kind.status().as_str()] = json!({ "$ref": reference });
    }
    operation
}

/// The parameters that a route has by what it is.
fn parameters(route: &Route) -> Vec<Value> {
    let mut parameters = Vec::new();
    if route.path.contains("{id}") {
        let deliveries = route.path.starts_with("/v1/webhooks/deliveries/");
        let (pattern, example, what) = if deliveries {
            ("^del_[0-9a-z]{13}$", "del_0dk2x3v9q4m8n", "delivery")
        } else {
            ("^webhook_[0-9a-f]{32}$", "webhook_5f2b0c1e9a4d4c7f8e6b3a2d1c0f9e8d", "webhook")
        };
        parameters.push(json!({
            "name": "id", "in": "path", "required": true, "description": format!("The id of the {what}."),
            "schema": { "type": "string", "pattern": pattern }, "example": example,
        }));
    }
    if matches!(route.access, Access::Namespaced(..)) {
        parameters.push(json!({
            "name": "namespace", "in": "query",
            "description": "The namespace to act in. Default: that of the caller's service account, else `default`.",
            "schema": { "type": "string", "pattern": "^[a-z0-9-]{1,63}$" },
        }));
    }
    parameters
}

/// What may be answered instead: what follows from the route, and what its operation adds.
fn problems(route: &Route) -> BTreeSet<Kind> {
    let mut kinds = BTreeSet::from([Kind::Internal]);
    if !route.has_own_timeout() || route.operation.takes_body() {
        kinds.insert(Kind::Timeout);
    }
    if route.access != Access::Anybody {
        kinds.extend([Kind::Unauthorized, Kind::Forbidden, Kind::Unavailable]);
    }
    if matches!(route.access, Access::Namespaced(..)) {
        kinds.insert(Kind::InvalidField);
    }
    if route.method != Method::GET {
        kinds.insert(Kind::Forbidden);
    }
    if route.path.contains("{id}") {
        kinds.extend([Kind::BadRequest, Kind::NotFound]);
    }
    if route.operation.takes_body() {
        kinds.extend([Kind::BadRequest, Kind::TooLarge, Kind::UnsupportedMediaType, Kind::InvalidField]);
    }
    kinds.extend(route.operation.problems());
    kinds
}

fn tag(route: &Route) -> &'static str {
    match route.access {
        Access::Namespaced(_, Resource::Webhooks) => "webhooks",
        Access::Namespaced(_, Resource::WebhookDeliveries) => "deliveries",
        Access::Namespaced(_, Resource::WebhookEvents) | Access::Known => "events",
        Access::Path | Access::Anybody => "process",
    }
}

/// What a caller must be allowed.
fn rights(access: Access) -> Option<String> {
    match access {
        Access::Anybody => None,
        Access::Known => Some("Needs a token, and no right.".to_owned()),
        Access::Namespaced(verb, resource) => Some(format!(
            "Needs the right to {} `{}.{}` in the namespace.",
            verb.as_str(),
            resource.as_str(),
            Resource::GROUP
        )),
        Access::Path => Some("Needs the right to get this path (`nonResourceURLs`).".to_owned()),
    }
}

#[cfg(test)]
mod tests;
