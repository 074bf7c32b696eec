//! The spans there are, described by the semantic conventions of OpenTelemetry: never with a secret, nor with
//! the path or query of a URL, which may hold one.

use std::sync::Arc;

use hookwright_engine::attempt::{Outcome, Verdict};
use hookwright_engine::engine::Send;
use hookwright_engine::event::{Draft, Event};
use hookwright_engine::trace::Trace;
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags,
    TraceId, TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace;

use super::{SERVICE, Source, Traces};
use crate::store::{PublishError, Receipt};

/// A span that is under way, if there are traces. It ends with what it is about, at the latest when it is dropped.
#[derive(Debug)]
pub struct Span(Option<trace::Span>);

impl Traces {
    /// An event is published: below what its draft says it is published in.
    #[must_use]
    pub fn publish(&self, namespace: &str, draft: &Draft) -> Span {
        let Self(Some(source)) = self else { return Span(None) };
        let attributes = [
            KeyValue::new("messaging.system", SERVICE),
            KeyValue::new("messaging.operation.name", "publish"),
            KeyValue::new("messaging.operation.type", "send"),
            KeyValue::new("messaging.destination.name", namespace.to_owned()),
            KeyValue::new("hookwright.event.type", draft.event_type.to_string()),
        ];
        // Named by the destination, of which there are few; there is no bound to types of events.
        let builder = SpanBuilder::from_name(format!("publish {namespace}"))
            .with_kind(SpanKind::Producer)
            .with_attributes(attributes);
        source.begin(builder, draft.trace)
    }

    /// A request is made. Of one event: below its publish. Of several it is a trace of its own, with a link
    /// to each of them; unless none of them is recorded.
    #[must_use]
    pub fn attempt(&self, send: &Send, events: &[Option<Arc<Event>>]) -> Span {
        let Self(Some(source)) = self else { return Span(None) };
        let published: Vec<_> = events.iter().flatten().filter_map(|event| event.trace).collect();
        let first = published.first().copied();
        let alone = events.len() == 1 || !published.iter().any(|trace| trace.sampled);
        let (parent, links) = if alone { (first, Vec::new()) } else { (None, published) };
        let links = links.into_iter().map(|trace| Link::with_context(context(trace))).collect();
        let builder = SpanBuilder::from_name("POST")
            .with_kind(SpanKind::Client)
            .with_attributes(described(send, events))
            .with_links(links);
        source.begin(builder, parent)
    }
}

impl Source {
    fn begin(&self, builder: SpanBuilder, parent: Option<Trace>) -> Span {
        let span = self.tracer.build_with_context(builder, &below(parent));
        if span.span_context().is_sampled() {
            self.metrics.span_recorded();
        }
        Span(Some(span))
    }
}

impl Span {
    /// Where those belong that follow from it, if there are traces.
    #[must_use]
    pub fn trace(&self) -> Option<Trace> {
        let context = self.0.as_ref()?.span_context();
        let (id, span) = (context.trace_id().to_bytes(), context.span_id().to_bytes());
        context.is_valid().then_some(Trace { id, span, sampled: context.is_sampled() })
    }

    /// Ends the span of a publish.
    pub fn published(self, accepted: &Result<Receipt, PublishError>) {
        let Self(Some(mut span)) = self else { return };
        match accepted {
            Ok(Receipt { event_id, deliveries, duplicate }) => {
                span.set_attribute(KeyValue::new("messaging.message.id", event_id.to_string()));
                span.set_attribute(KeyValue::new("hookwright.deliveries", count(deliveries.len())));
                span.set_attribute(KeyValue::new("hookwright.duplicate", *duplicate));
            }
            Err(PublishError::Conflict(_)) => fail(&mut span, "Conflict"),
            Err(PublishError::Unavailable(_)) => fail(&mut span, "Unavailable"),
        }
        span.end();
    }

    /// Ends the span of an attempt.
    pub fn attempted(self, outcome: &Outcome) {
        let Self(Some(mut span)) = self else { return };
        if let Some(status) = outcome.status() {
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        }
        match outcome.verdict() {
            Verdict::Success => {}
            Verdict::Gone | Verdict::Retry | Verdict::Uncharged => fail(&mut span, &error_type(outcome)),
        }
        span.end();
    }
}

/// What is known of a request before it is made.
fn described(send: &Send, events: &[Option<Arc<Event>>]) -> Vec<KeyValue> {
    let url = send.receiver.url.as_url();
    let mut attributes = vec![
        KeyValue::new("http.request.method", "POST"),
        KeyValue::new("url.scheme", url.scheme().to_owned()),
        KeyValue::new("server.address", url.host_str().unwrap_or_default().to_owned()),
        KeyValue::new("server.port", i64::from(url.port_or_known_default().unwrap_or_default())),
        KeyValue::new("hookwright.namespace", send.endpoint.namespace.to_string()),
        KeyValue::new("hookwright.webhook.id", send.endpoint.id.to_string()),
        KeyValue::new("hookwright.webhook.name", send.endpoint.name.to_string()),
    ];
    if send.batch.is_some() {
        attributes.push(KeyValue::new("messaging.batch.message_count", count(send.deliveries.len())));
    } else if let Some(pending) = send.deliveries.first() {
        attributes.push(KeyValue::new("hookwright.delivery.id", pending.id.to_string()));
        attributes.push(KeyValue::new("hookwright.attempt", i64::from(pending.attempts) + 1));
        if pending.attempts > 0 {
            attributes.push(KeyValue::new("http.request.resend_count", i64::from(pending.attempts)));
        }
        if let Some(Some(event)) = events.first() {
            attributes.push(KeyValue::new("messaging.message.id", event.id.to_string()));
            attributes.push(KeyValue::new("hookwright.event.type", event.event_type.to_string()));
        }
    }
    attributes
}

/// Why an attempt was none that counts: the status, or a word of a closed set.
fn error_type(outcome: &Outcome) -> String {
    outcome.status().map_or_else(|| outcome.reason().to_owned(), |status| status.to_string())
}

fn fail(span: &mut trace::Span, error_type: &str) {
    span.set_attribute(KeyValue::new("error.type", error_type.to_owned()));
    span.set_status(Status::error(error_type.to_owned()));
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A place below that of a span that may be of another process.
fn below(parent: Option<Trace>) -> Context {
    // Never the thread's own: what runs on it has nothing to do with this.
    let none = Context::new();
    parent.map_or(none.clone(), |trace| none.with_remote_span_context(context(trace)))
}

fn context(trace: Trace) -> SpanContext {
    let Trace { id, span, sampled } = trace;
    let flags = TraceFlags::default().with_sampled(sampled);
    SpanContext::new(TraceId::from_bytes(id), SpanId::from_bytes(span), flags, true, TraceState::NONE)
}
