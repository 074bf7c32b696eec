//! Liveness, readiness and metrics.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::Api;
use super::error::{Kind, Problem};
use crate::metrics::Glance;

pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Events are taken.
pub(super) async fn ready(State(api): State<Api>) -> Result<&'static str, Problem> {
    api.ready()?;
    Ok("ok\n")
}

pub(super) async fn metrics(State(api): State<Api>) -> Result<impl IntoResponse, Problem> {
    let page = api
        .metrics
        .page(api.store.stats())
        .map_err(|_| Problem::new(Kind::Internal, "the metrics cannot be shown"))?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], page))
}

/// `GET /metrics/webhooks`
pub(super) async fn webhooks(State(api): State<Api>) -> Json<Glance> {
    Json(api.metrics.glance())
}
