//! A collector of traces, by the official types of OTLP.

use std::collections::HashMap;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::DEADLINE;

/// What a collector was sent.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// The spans, in the order that they came in.
    pub spans: Vec<Span>,
    /// What the process said of itself with the latest of them.
    pub resource: HashMap<String, String>,
}

/// A collector on loopback that keeps all spans. It goes with the test's runtime, or when it is dropped.
pub struct Collector {
    url: String,
    sent: watch::Receiver<Sent>,
    server: JoinHandle<()>,
}

impl Collector {
    /// One that is content with everything.
    pub async fn start() -> Self {
        let (record, sent) = watch::channel(Sent::default());
        let take = move |headers: HeaderMap, body: Bytes| async move {
            assert_eq!(headers[header::CONTENT_TYPE], "application/x-protobuf");
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            record.send_modify(|sent| {
                for of_process in request.resource_spans {
                    sent.resource = attributes(&of_process.resource.unwrap().attributes);
                    let spans = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
                    sent.spans.extend(spans);
                }
            });
            (StatusCode::OK, ExportTraceServiceResponse::default().encode_to_vec())
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(take));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, sent, server }
    }

    /// Where it listens, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until so many spans came, and returns all there are.
    pub async fn spans(&self, count: usize) -> Sent {
        let mut sent = self.sent.clone();
        match timeout(DEADLINE, sent.wait_for(|sent| sent.spans.len() >= count)).await {
            Ok(sent) => sent.unwrap().clone(),
            Err(late) => panic!("waited for {count} spans ({late}); there came {:#?}", *self.sent.borrow()),
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Attributes by their keys, as text.
pub fn attributes(attributes: &[KeyValue]) -> HashMap<String, String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(is)) => is.to_string(),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(|it| (it.key.clone(), text(&it.value))).collect()
}
