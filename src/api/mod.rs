//! The REST API: keeps webhooks, takes events, shows what became of them, and tells how the process is.
//!
//! One file per resource. Every answer that is not 2xx is an `application/problem+json`
//! ([`error::Problem`]), whoever makes it: a handler, the router or a layer.
//!
//! There is no authentication yet, so it listens on loopback unless told otherwise, and refuses
//! what a web page of another origin sends from a browser on the same machine.

mod body;
mod deliveries;
pub mod error;
mod event_types;
mod events;
mod health;
mod query;
pub mod server;
pub mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::timeout::TimeoutLayer;

use crate::metrics::Metrics;
use crate::{delivery, store};
use error::{Kind, Problem};
use webhooks::catalog::Catalog;

/// How long a request may take, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What the API answers from.
#[derive(Clone, Debug)]
pub struct Api {
    /// Takes events.
    pub delivery: delivery::Handle,
    /// Knows what became of them.
    pub store: store::Handle,
    /// Keeps the webhooks.
    pub catalog: Arc<dyn Catalog>,
    /// Counts events.
    pub metrics: Arc<Metrics>,
    /// The largest event accepted, in bytes.
    pub max_event_bytes: usize,
    /// Canceled when no more events are taken, because the process is about to end.
    pub stopping: CancellationToken,
}

impl Api {
    /// All routes.
    pub fn router(self) -> Router {
        let routes = Router::new()
            .route("/v1/events", post(events::publish))
            .route("/v1/events/batch", post(events::publish_batch))
            .route("/v1/event-types", get(event_types::list))
            .route("/v1/webhooks", get(webhooks::list).post(webhooks::create))
            .route("/v1/webhooks/{id}", get(webhooks::show).patch(webhooks::patch).delete(webhooks::delete))
            .route("/v1/webhooks/{id}/secret/rotate", post(webhooks::rotate))
            .route("/v1/webhooks/{id}/deliveries", get(deliveries::list))
            .route("/v1/webhooks/deliveries/{id}", get(deliveries::show))
            .route("/v1/webhooks/deliveries/{id}/retry", post(deliveries::retry))
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready))
            .route("/metrics", get(health::metrics))
            .route("/metrics/webhooks", get(health::webhooks))
            .with_state(self.clone());
        let waiting =
            Router::new().route("/v1/webhooks/{id}/test", post(webhooks::trial::send)).with_state(self);
        layers(routes, waiting)
    }

    /// Whether events are taken, or why not.
    fn ready(&self) -> Result<(), Problem> {
        if self.stopping.is_cancelled() {
            return Err(Problem::unavailable("the process is shutting down"));
        }
        if !self.delivery.is_ready() {
            return Err(Problem::unavailable("the webhooks are still being read"));
        }
        Ok(())
    }
}

/// What guards every route, and explains what no handler answers. Those that are `waiting` for a
/// receiver bound their time themselves.
fn layers(routes: Router, waiting: Router) -> Router {
    routes
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .merge(waiting)
        .layer(CsrfLayer::new())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(explain))
}

/// Turns plain errors of the router and of layers into problems; their headers (`Allow`) stay.
async fn explain(request: Request, next: Next) -> Response {
    let asked = format!("{} {}", request.method(), request.uri().path());
    let answer = next.run(request).await;
    let explained = answer.headers().get(header::CONTENT_TYPE).is_some_and(|it| it == Problem::CONTENT_TYPE);
    if answer.status().is_success() || explained {
        return answer;
    }
    let mut problem = Problem::new(Kind::of(answer.status()), asked).into_response();
    for name in [header::ALLOW, header::CONNECTION] {
        if let Some(value) = answer.headers().get(&name) {
            problem.headers_mut().insert(name, value.clone());
        }
    }
    problem
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a request handler panicked");
    Problem::new(Kind::Internal, "this is a defect of Hookwright; its log has the details").into_response()
}

#[cfg(test)]
mod tests;
