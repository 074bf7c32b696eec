//! What stands before the verifier: who may send at all, and how much.

mod allow;
mod client;
mod rate;

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::Request;
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, Ready, ready};
use tower::{Layer, Service};

pub use self::allow::AllowList;
pub use self::client::Clients;
pub use self::rate::RateLimit;
use crate::refusal::Refusal;

/// Decides about a request by its head.
pub trait Guard: Send + Sync + 'static {
    /// Lets the request through, or says why not.
    fn admit(&self, request: &Request<Body>) -> Result<(), Refusal>;
}

/// The layer of a guard.
#[derive(Debug)]
pub struct Guarded<G> {
    guard: Arc<G>,
}

impl<G: Guard> Guarded<G> {
    /// The layer of this guard.
    pub fn by(guard: G) -> Self {
        Self { guard: Arc::new(guard) }
    }
}

impl<G> Clone for Guarded<G> {
    fn clone(&self) -> Self {
        Self { guard: Arc::clone(&self.guard) }
    }
}

impl<G, S> Layer<S> for Guarded<G> {
    type Service = Behind<G, S>;

    fn layer(&self, inner: S) -> Behind<G, S> {
        Behind { guard: Arc::clone(&self.guard), inner }
    }
}

/// A service behind a guard.
#[derive(Debug)]
pub struct Behind<G, S> {
    guard: Arc<G>,
    inner: S,
}

impl<G, S: Clone> Clone for Behind<G, S> {
    fn clone(&self) -> Self {
        Self { guard: Arc::clone(&self.guard), inner: self.inner.clone() }
    }
}

impl<G, S> Service<Request<Body>> for Behind<G, S>
where
    G: Guard,
    S: Service<Request<Body>, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.guard.admit(&request) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(refusal) => Either::Right(ready(Ok(refusal.into_response()))),
        }
    }
}
