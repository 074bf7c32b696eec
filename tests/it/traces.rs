//! Traces, from a caller through the program into a receiver, as a collector sees them.

use axum::http::StatusCode;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as SpanStatus;
use serde_json::{Value, json};

use crate::support::{Collector, Receiver, Request, Standalone, attributes};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn manifests(receiver: &Receiver, spec: &Value) -> String {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "key" }, "stringData": { "secret": "s3cr3t" },
    });
    let mut webhook = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Webhook", "metadata": { "name": "orders" },
        "spec": {
            "url": format!("{}?token=t0k3n", receiver.url()), "events": ["*"],
            "retry": { "intervalsSeconds": [1] }, "signing": { "secretRef": { "name": "key" } },
        },
    });
    webhook["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    format!("{secret}\n---\n{webhook}\n")
}

/// Publishes an event in a trace.
async fn publish(standalone: &Standalone, id: &str, traceparent: &str) {
    let url = format!("{}/v1/events", standalone.url());
    let event = json!({ "id": id, "type": "resource.created", "data": {} });
    let request = reqwest::Client::new().post(url).header("traceparent", traceparent).json(&event);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::ACCEPTED);
}

fn caller(flags: &str) -> String {
    format!("00-{TRACE}-{CALLER}-{flags}")
}

fn hex(id: &[u8]) -> String {
    let digits = id.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from_digit(digit.into(), 16).unwrap()).collect()
}

fn told(request: &Request) -> Option<&str> {
    request.headers.get("traceparent").map(|value| value.to_str().unwrap())
}

fn is_error(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code() == SpanStatus::Error)
}

#[tokio::test]
async fn a_trace_goes_from_the_caller_through_a_restart_into_the_receiver() {
    let collector = Collector::start().await;
    let answer = |nth, _: &_| if nth == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let receiver = Receiver::answering(answer).await;
    let files = [("orders.yaml", &*manifests(&receiver, &json!({})))];
    let mut standalone = Standalone::start(&files, &["--otlp-endpoint", collector.url()]).await;
    publish(&standalone, "evt_1", &caller("01")).await;
    receiver.requests(1).await;
    // What waits for the collector is sent at the end.
    assert!(standalone.stop().await.0.success());
    collector.spans(2).await;
    standalone.restart().await;
    let requests = receiver.requests(2).await;
    assert!(standalone.stop().await.0.success());
    let sent = collector.spans(3).await;

    assert_eq!(sent.resource["service.name"], "hookwright");
    let mut spans = sent.spans;
    spans.sort_by_key(|span| span.start_time_unix_nano);
    let [publish, failed, delivered] = &spans[..] else { panic!("{spans:#?}") };
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE));
    assert_eq!((publish.kind(), hex(&publish.parent_span_id)), (SpanKind::Producer, CALLER.to_owned()));
    assert_eq!(attributes(&publish.attributes)["messaging.message.id"], "evt_1");
    for (span, request, status, error) in
        [(failed, &requests[0], "503", true), (delivered, &requests[1], "200", false)]
    {
        assert_eq!((span.kind(), &span.parent_span_id), (SpanKind::Client, &publish.span_id));
        assert_eq!(attributes(&span.attributes)["http.response.status_code"], status);
        assert_eq!(is_error(span), error);
        assert_eq!(told(request), Some(&*format!("00-{TRACE}-{}-01", hex(&span.span_id))));
    }
    assert_eq!(attributes(&delivered.attributes)["http.request.resend_count"], "1");
    let all = format!("{spans:?}");
    assert!(!all.contains("t0k3n") && !all.contains("/hook") && !all.contains("s3cr3t"), "{all}");
}

#[tokio::test]
async fn a_batch_is_a_trace_of_its_own_that_links_to_its_events() {
    let collector = Collector::start().await;
    let receiver = Receiver::start().await;
    // So long that only a full batch is sent.
    let batch = json!({ "batch": { "maxSize": 2, "maxWaitMilliseconds": 300_000 } });
    let files = [("orders.yaml", &*manifests(&receiver, &batch))];
    let mut standalone = Standalone::start(&files, &["--otlp-endpoint", collector.url()]).await;
    publish(&standalone, "evt_1", &caller("01")).await;
    publish(&standalone, "evt_2", "not valid").await;
    let requests = receiver.requests(1).await;
    assert!(standalone.stop().await.0.success());
    let spans = collector.spans(3).await.spans;
    let (published, requested): (Vec<_>, Vec<_>) =
        spans.iter().partition(|span| span.kind() == SpanKind::Producer);
    let [request] = requested[..] else { panic!("{spans:#?}") };
    // What is not valid is none: a trace begins.
    assert!(published.iter().any(|span| span.parent_span_id.is_empty() && hex(&span.trace_id) != TRACE));
    let context = |trace: &[u8], span: &[u8]| format!("{}-{}", hex(trace), hex(span));
    let mut links: Vec<_> = request.links.iter().map(|link| context(&link.trace_id, &link.span_id)).collect();
    let mut events: Vec<_> = published.iter().map(|span| context(&span.trace_id, &span.span_id)).collect();
    links.sort();
    events.sort();
    assert_eq!((links, request.parent_span_id.len()), (events, 0));
    let own = format!("00-{}-01", context(&request.trace_id, &request.span_id));
    assert_eq!(told(&requests[0]), Some(&*own));
}

#[tokio::test]
async fn a_trace_that_its_caller_does_not_record_is_passed_on_and_not_recorded() {
    let collector = Collector::start().await;
    let receiver = Receiver::start().await;
    let files = [("orders.yaml", &*manifests(&receiver, &json!({})))];
    let mut standalone = Standalone::start(&files, &["--otlp-endpoint", collector.url()]).await;
    publish(&standalone, "evt_1", &caller("00")).await;
    let requests = receiver.requests(1).await;
    let told = told(&requests[0]).unwrap();
    assert!(told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-00"), "{told}");
    publish(&standalone, "evt_2", "").await;
    receiver.requests(2).await;
    assert!(standalone.stop().await.0.success());
    let spans = collector.spans(2).await.spans;
    assert!(spans.iter().all(|span| hex(&span.trace_id) != TRACE), "{spans:#?}");
}

#[tokio::test]
async fn without_a_collector_receivers_are_told_of_no_trace() {
    let receiver = Receiver::start().await;
    let standalone = Standalone::start(&[("orders.yaml", &manifests(&receiver, &json!({})))], &[]).await;
    publish(&standalone, "evt_1", &caller("01")).await;
    assert_eq!(told(&receiver.requests(1).await[0]), None);
}

#[tokio::test]
async fn a_collector_that_is_away_holds_up_nothing_and_is_told_of_once() {
    let receiver = Receiver::start().await;
    let files = [("orders.yaml", &*manifests(&receiver, &json!({})))];
    let nobody = Receiver::start().await.url().replace("/hook", "");
    let mut standalone = Standalone::start(&files, &["--otlp-endpoint", &nobody]).await;
    for id in ["evt_1", "evt_2", "evt_3"] {
        publish(&standalone, id, &caller("01")).await;
    }
    receiver.requests(3).await;
    let page = reqwest::get(format!("{}/metrics", standalone.url())).await.unwrap().text().await.unwrap();
    for counted in ["hookwright_spans_recorded_total 6\n", "hookwright_spans_sent_total 0\n"] {
        assert!(page.contains(counted), "{page}");
    }
    let (status, printed) = standalone.stop().await;
    assert!(status.success());
    assert_eq!(printed.matches("failed to send traces to the collector").count(), 1, "{printed}");
}
