//! The layer that lets only genuine requests through.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use hookwright_signature::{SecretString, Window, pcf, standard};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower::{Layer, Service};

use crate::refusal::Refusal;

/// Longest body, in bytes: a full batch of events, in the form that takes most room.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// Verifies the signature of each request before anything else reads it: a [`Layer`] for any
/// service that takes the request on, its body now in memory.
///
/// Requests may be signed by either scheme. The first secret is the current one; give the one
/// before it, too, while a secret is being rotated.
#[derive(Clone, Debug)]
pub struct Verifier {
    secrets: Arc<[SecretString]>,
    tolerance: Duration,
    max_body_bytes: usize,
}

impl Verifier {
    /// Accepts what was signed with one of the secrets within the last five minutes.
    pub fn new(secrets: impl IntoIterator<Item = SecretString>) -> Self {
        let secrets = secrets.into_iter().collect();
        Self { secrets, tolerance: Window::DEFAULT_TOLERANCE, max_body_bytes: MAX_BODY_BYTES }
    }

    /// How far the sender's clock may be from ours.
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The longest body that is read, in bytes; 4 MiB where nothing else is said.
    #[must_use]
    pub const fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Checks a request whose body is at hand, as of `now`.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Result<(), Refusal> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        let window = Window { now, tolerance: self.tolerance };
        // Any secret can sign the PCF scheme, so that it is the one to ask where both are there.
        if let (Some(timestamp), Some(signature)) = (header("x-pcf-timestamp"), header("x-pcf-signature")) {
            let previous = header("x-pcf-signature-previous");
            let headers = pcf::Headers { timestamp, signature, previous };
            return Ok(pcf::verify(&self.secrets, headers, body, window)?);
        }
        let [id, timestamp, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(header);
        let (Some(id), Some(timestamp), Some(signature)) = (id, timestamp, signature) else {
            return Err(Refusal::Unsigned);
        };
        let headers = standard::Headers { id, timestamp, signature };
        Ok(standard::verify(&self.secrets, headers, body, window)?)
    }

    async fn admit(&self, request: Request<Body>) -> Result<Request<Body>, Refusal> {
        let (parts, body) = request.into_parts();
        let body = read(body, self.max_body_bytes).await?;
        self.verify(&parts.headers, &body, now())?;
        Ok(Request::from_parts(parts, Body::from(body)))
    }
}

async fn read(body: Body, most: usize) -> Result<Bytes, Refusal> {
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge(most)),
        Err(_) => Err(Refusal::Incomplete),
    }
}

#[allow(clippy::disallowed_methods)] // The one place of a receiver that asks for the time of day.
fn now() -> SystemTime {
    SystemTime::now()
}

impl<S> Layer<S> for Verifier {
    type Service = Verified<S>;

    fn layer(&self, inner: S) -> Verified<S> {
        Verified { verifier: self.clone(), inner }
    }
}

/// A service that genuine requests reach only; see [`Verifier`].
#[derive(Clone, Debug)]
pub struct Verified<S> {
    verifier: Verifier,
    inner: S,
}

impl<S> Service<Request<Body>> for Verified<S>
where
    S: Service<Request<Body>> + Clone + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let verifier = self.verifier.clone();
        // The one that was asked for its readiness, not its clone.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            match verifier.admit(request).await {
                Ok(request) => Ok(inner.call(request).await?.into_response()),
                Err(refusal) => {
                    tracing::warn!(%refusal, "a request was refused");
                    Ok(refusal.into_response())
                }
            }
        })
    }
}
