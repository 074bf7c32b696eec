//! The ways into the API.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware;
use axum::routing::{self, MethodRouter};
use tower_http::timeout::TimeoutLayer;

use super::auth::{Access, Guard, guard};
use super::openapi::Operation;
use super::{Api, REQUEST_TIMEOUT};

/// One way into the API: what is called, what that takes, and who answers. There is no other way to
/// make a route, so that none is without its [`Access`].
#[derive(Debug)]
pub struct Route {
    /// The method. `HEAD` is answered wherever `GET` is.
    pub method: Method,
    /// The path, with `{}` around what varies.
    pub path: &'static str,
    /// What its callers need.
    pub access: Access,
    /// What it takes and answers.
    pub operation: Operation,
    timeout: Timeout,
    handler: MethodRouter<Api>,
}

/// Who ends a request that takes too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timeout {
    Usual,
    Own,
}

impl Route {
    /// `GET`
    pub(super) fn get<T: 'static>(path: &'static str, access: Access, handler: impl Handler<T, Api>) -> Self {
        Self::new(Method::GET, path, access, routing::get(handler))
    }

    /// `POST`
    pub(super) fn post<T: 'static>(
        path: &'static str,
        access: Access,
        handler: impl Handler<T, Api>,
    ) -> Self {
        Self::new(Method::POST, path, access, routing::post(handler))
    }

    /// `PATCH`
    pub(super) fn patch<T: 'static>(
        path: &'static str,
        access: Access,
        handler: impl Handler<T, Api>,
    ) -> Self {
        Self::new(Method::PATCH, path, access, routing::patch(handler))
    }

    /// `DELETE`
    pub(super) fn delete<T: 'static>(
        path: &'static str,
        access: Access,
        handler: impl Handler<T, Api>,
    ) -> Self {
        Self::new(Method::DELETE, path, access, routing::delete(handler))
    }

    fn new(method: Method, path: &'static str, access: Access, handler: MethodRouter<Api>) -> Self {
        Self { method, path, access, operation: Operation::default(), timeout: Timeout::Usual, handler }
    }

    /// Says what it takes and answers.
    pub(super) fn described(self, operation: Operation) -> Self {
        Self { operation, ..self }
    }

    pub(super) fn has_own_timeout(&self) -> bool {
        self.timeout == Timeout::Own
    }

    /// The handler waits for a receiver, and bounds its time itself.
    pub(super) fn with_own_timeout(self) -> Self {
        Self { timeout: Timeout::Own, ..self }
    }

    /// The handler behind what guards it.
    fn guarded(self, api: &Api) -> MethodRouter<Api> {
        let Self { method: _, path, access, operation: _, timeout, handler } = self;
        let handler = match timeout {
            Timeout::Usual => handler
                .route_layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT)),
            Timeout::Own => handler,
        };
        let guarding = Guard { gate: api.gate.clone(), metrics: Arc::clone(&api.metrics), access, path };
        handler.route_layer(middleware::from_fn_with_state(guarding, guard))
    }
}

/// Serves these routes.
pub(super) fn router(routes: Vec<Route>, api: Api) -> Router {
    let serve = |router: Router<Api>, route: Route| router.route(route.path, route.guarded(&api));
    routes.into_iter().fold(Router::new(), serve).with_state(api)
}
