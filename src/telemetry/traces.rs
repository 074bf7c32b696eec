//! Traces: from the publish of an event, through its attempts, into its receivers.
//!
//! ```text
//! caller ── traceparent ──► publish: a span, whose context is kept with the event
//!                                └──► attempt: a span below it, a minute or a restart later
//!                                         └── traceparent ──► receiver
//! spans that have ended ──► a bounded queue ──► a thread that sends them to the collector
//! ```
//!
//! Off unless somebody names a collector. Whatever that does, deliveries do not wait for it: what the
//! queue has no room for is lost.

mod collector;
mod endpoint;
mod span;

use std::sync::Arc;
use std::time::Duration;

use hookwright_engine::batch;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use self::collector::{Client, Exporter};
pub use self::endpoint::{Endpoint, InvalidEndpoint};
pub use self::span::Span;
use crate::metrics::Metrics;

/// What the spans are made by, to those who read them.
const SERVICE: &str = "hookwright";
/// How long the last spans have to reach the collector in at shutdown.
const FLUSH: Duration = Duration::from_secs(5);

/// Makes spans, if they are wanted. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<Source>);

/// Makes spans, and counts them.
#[derive(Clone, Debug)]
struct Source {
    tracer: SdkTracer,
    metrics: Arc<Metrics>,
}

/// Sends them.
#[derive(Debug, Default)]
pub struct Export(Option<SdkTracerProvider>);

/// Why there are no traces, though they are wanted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings are wrong.
    #[error("failed to set up traces: {0}; see --otlp-endpoint and the OTEL_* variables")]
    Exporter(#[from] ExporterBuildError),
    /// There is no HTTP client.
    #[error("failed to set up the client of the collector: {0}")]
    Client(#[from] reqwest::Error),
}

/// Sends traces to the collector at this endpoint, or at the one that the environment names; to none
/// where neither does, or where the environment turns them off. Needs the runtime.
pub fn start(endpoint: Option<&Endpoint>, metrics: &Arc<Metrics>) -> Result<(Traces, Export), Error> {
    let variable = |name: &str| std::env::var(name).ok();
    if !endpoint::is_wanted(endpoint, variable) {
        return Ok(Default::default());
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new()?)
        .with_protocol(Protocol::HttpBinary);
    let exporter = match endpoint {
        Some(endpoint) => exporter.with_endpoint(endpoint.traces()),
        None => exporter,
    };
    // The sampler and the bounds of queue and batches are the SDK's, from OTEL_* or its defaults.
    let provider = SdkTracerProvider::builder()
        .with_resource(resource(variable("OTEL_SERVICE_NAME")))
        .with_max_links_per_span(batch::Policy::MAX_SIZE)
        .with_batch_exporter(Exporter::new(exporter.build()?, Arc::clone(metrics)))
        .build();
    let source = Source { tracer: provider.tracer(SERVICE), metrics: Arc::clone(metrics) };
    Ok((Traces(Some(source)), Export(Some(provider))))
}

/// What this process is: what the environment says of it goes before what it says itself.
fn resource(service: Option<String>) -> Resource {
    let resource = Resource::builder_empty()
        .with_service_name(SERVICE)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_detector(Box::new(EnvResourceDetector::new()));
    match service.filter(|name| !name.is_empty()) {
        Some(name) => resource.with_service_name(name),
        None => resource,
    }
    .build()
}

impl Export {
    /// Sends what waits, within bounds.
    pub async fn end(self) {
        let Self(Some(provider)) = self else { return };
        // Blocks, and its requests need the runtime.
        let flush = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH));
        if let Ok(Err(error)) = flush.await {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}
