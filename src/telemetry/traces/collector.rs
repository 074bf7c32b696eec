//! The way to the collector.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use reqwest::redirect;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::metrics::Metrics;

/// How long the collector may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most that is read of its answer, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// How often it is said that spans are lost.
const QUIET: Duration = Duration::from_mins(5);

/// Sends requests from the thread of the exporter, which has no runtime.
#[derive(Debug)]
pub(super) struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

impl Client {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        // Headers may hold tokens, so do not follow anybody elsewhere.
        let client =
            reqwest::Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build()?;
        Ok(Self { client, runtime: Handle::current() })
    }
}

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let exchange = self.runtime.spawn(async move {
            // Without its URL, which may hold tokens.
            let answer = client.execute(request.try_into()?).await.map_err(reqwest::Error::without_url)?;
            let (parts, body) = Response::<reqwest::Body>::from(answer).into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(parts, body))
        });
        Box::pin(async move { exchange.await? })
    }
}

/// Sends spans, and says now and then that it cannot.
#[derive(Debug)]
pub(super) struct Exporter<E> {
    inner: E,
    metrics: Arc<Metrics>,
    failing: Mutex<Failing>,
}

/// What was lost, and when that was said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Failing {
    said: Option<Instant>,
    lost: usize,
}

impl Failing {
    /// So many more spans are lost. Answers how many to report, if it is time to.
    fn lose(&mut self, spans: usize, now: Instant) -> Option<usize> {
        self.lost += spans;
        if self.said.is_some_and(|said| now.duration_since(said) < QUIET) {
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.lost))
    }
}

impl<E> Exporter<E> {
    pub(super) fn new(inner: E, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics, failing: Mutex::default() }
    }
}

impl<E: SpanExporter> SpanExporter for Exporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.inner.export(batch).await;
        match &exported {
            Ok(()) => self.metrics.spans_sent(spans),
            Err(error) => {
                let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(lost) = failing.lose(spans, Instant::now()) {
                    tracing::warn!(%error, lost, "failed to send traces to the collector, so that spans are lost");
                }
            }
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.inner.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_said_at_once_and_then_rarely_and_in_sum() {
        let begin = Instant::now();
        let mut failing = Failing::default();
        assert_eq!(failing.lose(3, begin), Some(3));
        for second in 1..300 {
            assert_eq!(failing.lose(1, begin + Duration::from_secs(second)), None);
        }
        assert_eq!(failing.lose(2, begin + QUIET), Some(301));
    }
}
