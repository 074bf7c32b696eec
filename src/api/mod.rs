//! The REST API: keeps webhooks, takes events, shows what became of them, and tells how the process is.
//!
//! One file per resource. Every answer that is not 2xx is an `application/problem+json`
//! ([`error::Problem`]), whoever makes it: a handler, the router or a layer.
//!
//! What can be called is a table, [`routes`], that says of each call what it takes to be allowed;
//! [`auth`] sees to it before a handler does.

pub mod auth;
mod body;
mod deliveries;
pub mod error;
mod event_types;
mod events;
pub(crate) mod explain;
mod health;
pub mod openapi;
mod query;
mod route;
pub mod server;
mod time;
pub mod tls;
mod trace;
pub mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;

use crate::metrics::Metrics;
use crate::{delivery, store};
use auth::{Access, Gate, Resource, Verb};
use error::{Kind, Problem};
pub use route::Route;
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
    /// Lets callers in.
    pub gate: Gate,
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
    /// Serves all routes.
    pub fn router(self) -> Router {
        let local = matches!(self.gate, Gate::Local);
        let routes = route::router(routes(), self);
        // Tokens are not sent by themselves. Where there are none, a page of another origin could
        // have the browser of this machine call.
        layers(if local { routes.layer(CsrfLayer::new()) } else { routes })
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

/// Everything that can be called.
#[must_use]
pub fn routes() -> Vec<Route> {
    use Access::{Anybody, Known, Namespaced, Path};
    use Resource::{WebhookDeliveries, WebhookEvents, Webhooks};
    use Verb::{Create, Delete, Get, List, Patch};
    use openapi::describe;
    vec![
        Route::post("/v1/events", Namespaced(Create, WebhookEvents), events::publish)
            .described(describe::events::publish()),
        Route::post("/v1/events/batch", Namespaced(Create, WebhookEvents), events::publish_batch)
            .described(describe::events::publish_batch()),
        // Tells what webhooks subscribe to.
        Route::post("/v1/events/explain", Namespaced(List, Webhooks), explain::explain)
            .described(describe::events::explain()),
        Route::get("/v1/event-types", Known, event_types::list).described(describe::events::types()),
        Route::get("/v1/webhooks", Namespaced(List, Webhooks), webhooks::list)
            .described(describe::webhooks::list()),
        Route::post("/v1/webhooks", Namespaced(Create, Webhooks), webhooks::create)
            .described(describe::webhooks::create()),
        Route::get("/v1/webhooks/{id}", Namespaced(Get, Webhooks), webhooks::show)
            .described(describe::webhooks::show()),
        Route::patch("/v1/webhooks/{id}", Namespaced(Patch, Webhooks), webhooks::patch)
            .described(describe::webhooks::patch()),
        Route::delete("/v1/webhooks/{id}", Namespaced(Delete, Webhooks), webhooks::delete)
            .described(describe::webhooks::delete()),
        // As a patch may replace the signing key, too.
        Route::post("/v1/webhooks/{id}/secret/rotate", Namespaced(Patch, Webhooks), webhooks::rotate)
            .described(describe::webhooks::rotate()),
        // As a `WebhookDelivery` that somebody creates is sent, too.
        Route::post("/v1/webhooks/{id}/test", Namespaced(Create, WebhookDeliveries), webhooks::trial::send)
            .described(describe::webhooks::test())
            .with_own_timeout(),
        Route::post(
            "/v1/webhooks/{id}/redrive",
            Namespaced(Patch, WebhookDeliveries),
            webhooks::redrive::send,
        )
        .described(describe::webhooks::redrive()),
        Route::get("/v1/webhooks/{id}/deliveries", Namespaced(List, WebhookDeliveries), deliveries::list)
            .described(describe::deliveries::list()),
        Route::get("/v1/webhooks/deliveries/{id}", Namespaced(Get, WebhookDeliveries), deliveries::show)
            .described(describe::deliveries::show()),
        Route::post(
            "/v1/webhooks/deliveries/{id}/retry",
            Namespaced(Patch, WebhookDeliveries),
            deliveries::retry,
        )
        .described(describe::deliveries::retry()),
        Route::get("/metrics", Path, health::metrics).described(describe::process::metrics()),
        Route::get("/metrics/webhooks", Path, health::webhooks).described(describe::process::glance()),
        Route::get("/openapi.json", Anybody, openapi::show).described(describe::process::openapi()),
        Route::get("/healthz", Anybody, health::alive).described(describe::process::alive()),
        Route::get("/readyz", Anybody, health::ready).described(describe::process::ready()),
    ]
}

/// What is around all routes, and explains what no handler answers.
fn layers(routes: Router) -> Router {
    routes.layer(CatchPanicLayer::custom(panicked)).layer(middleware::from_fn(explain))
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
