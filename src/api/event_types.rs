//! `/v1/event-types`: the catalogue.

use axum::Json;
use hookwright_engine::pattern::CATALOGUE;
use schemars::JsonSchema;
use serde::Serialize;

/// The types that every installation knows; others are accepted too.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Catalogue {
    event_types: &'static [&'static str],
}

pub(super) async fn list() -> Json<Catalogue> {
    Json(Catalogue { event_types: &CATALOGUE })
}
