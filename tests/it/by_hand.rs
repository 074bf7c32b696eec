//! What users ask of webhooks by hand: to send a test, and to retry all that failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{self, Namespace, Operator, Receiver, eventually, webhook};

const EGRESS: &[&str] = &["--egress-allow", "127.0.0.0/8"];
const REDRIVE: &str = "hookwright.dev/redrive-requested-at";
const TEST: &str = "hookwright.dev/test-requested-at";

/// Waits until the webhook's status looks like this.
async fn shows(ns: &Namespace<'_>, what: &str, holds: impl Fn(&Value) -> bool) {
    eventually(what, async || {
        let found = ns.kubectl(&["get", "whk/orders", "--output=json"]).await.success();
        let status = serde_json::from_str::<Value>(&found).unwrap()["status"].take();
        if holds(&status) { Ok(()) } else { Err(status) }
    })
    .await;
}

async fn annotate(ns: &Namespace<'_>, annotation: &str, value: &str) {
    let pair = format!("{annotation}={value}");
    ns.kubectl(&["annotate", "--overwrite", "whk/orders", &pair]).await.success();
}

/// The messages of the Events for this reason.
async fn told(ns: &Namespace<'_>, reason: &str) -> String {
    let selector = format!("--field-selector=reason={reason}");
    eventually(reason, async || {
        let told = ns.kubectl(&["get", "events", &selector, "--output=jsonpath={.items[*].message}"]).await;
        let told = told.success();
        if told.is_empty() { Err(told) } else { Ok(told) }
    })
    .await
}

/// A receiver that fails until it is told to be well.
async fn switched() -> (Arc<AtomicBool>, Receiver) {
    let well = Arc::new(AtomicBool::new(false));
    let answer = Arc::clone(&well);
    let receiver = Receiver::answering(move |_, _| {
        if answer.load(Ordering::SeqCst) { StatusCode::OK } else { StatusCode::BAD_GATEWAY }
    });
    (well, receiver.await)
}

#[tokio::test]
async fn an_annotation_retries_all_that_failed_once_per_value() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("redrive").await;
    let (well, receiver) = switched().await;
    let mut operator = Operator::start(cluster, &ns, EGRESS).await;
    let once = json!({ "retry": { "enabled": false }, "circuitBreaker": { "enabled": false } });
    ns.apply(&webhook("orders", &receiver, once)).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
    for _ in 0..3 {
        operator.publish(&ns, &json!({ "type": "custom.sale", "data": {} })).await;
    }
    shows(&ns, "three failures", |status| status["counts"]["failed"] == 3).await;

    well.store(true, Ordering::SeqCst);
    annotate(&ns, REDRIVE, "one").await;
    shows(&ns, "three successes", |status| status["counts"]["delivered"] == 3).await;
    shows(&ns, "the echo", |status| status["redriveRequestedAt"] == "one").await;
    assert_eq!(told(&ns, "Redriven").await, "3 failed deliveries are retried, as one asks");
    let page = operator.metrics().await;
    assert!(page.contains("hookwright_deliveries_redriven_total{by=\"Annotation\"} 3\n"), "{page}");

    // As a crash between the redrive and its echo would leave it.
    well.store(false, Ordering::SeqCst);
    operator.publish(&ns, &json!({ "type": "custom.sale", "data": {} })).await;
    shows(&ns, "a failure", |status| status["counts"]["failed"] == 1).await;
    operator.kill().await;
    let lost = r#"[{"op":"remove","path":"/status/redriveRequestedAt"}]"#;
    let patch = ["patch", "whk/orders", "--subresource=status", "--type=json", "--patch", lost];
    ns.kubectl(&patch).await.success();
    operator.restart().await;
    shows(&ns, "the echo again", |status| status["redriveRequestedAt"] == "one").await;
    assert_eq!(receiver.received().len(), 7, "what failed since is left alone");
    annotate(&ns, REDRIVE, "two").await;
    receiver.requests(8).await;
}

#[tokio::test]
async fn the_api_counts_what_failed_and_retries_it() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("redrive-api").await;
    let (well, receiver) = switched().await;
    let operator = Operator::start(cluster, &ns, EGRESS).await;
    let body = json!({
        "url": receiver.url(), "events": ["*"], "retry_policy": { "enabled": false },
        "circuit_breaker": { "enabled": false },
    });
    let (_, made) = operator.call(&ns, Method::POST, "/v1/webhooks", Some(&body)).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    for event_type in ["custom.sale", "custom.sale", "custom.refund"] {
        operator.publish(&ns, &json!({ "type": event_type, "data": {} })).await;
    }
    receiver.requests(3).await;
    let redrive =
        async |body: Value| operator.call(&ns, Method::POST, &format!("{path}/redrive"), Some(&body)).await;
    eventually("that three failed", async || {
        let answer = redrive(json!({ "dry_run": true })).await;
        if answer == (StatusCode::OK, json!({ "count": 3 })) { Ok(()) } else { Err(answer) }
    })
    .await;
    for (narrow, count) in [
        (json!({ "event_type": "custom.refund" }), 1),
        (json!({ "until": "2000-01-01T00:00:00Z" }), 0),
        (json!({ "since": "2000-01-01T00:00:00Z" }), 3),
    ] {
        let mut body = narrow;
        body["dry_run"] = json!(true);
        assert_eq!(redrive(body).await, (StatusCode::OK, json!({ "count": count })));
    }
    assert_eq!(receiver.received().len(), 3, "counting changes nothing");

    well.store(true, Ordering::SeqCst);
    let sales = json!({ "event_type": "custom.sale" });
    assert_eq!(redrive(sales.clone()).await, (StatusCode::ACCEPTED, json!({ "count": 2 })));
    receiver.requests(5).await;
    assert_eq!(redrive(sales).await, (StatusCode::ACCEPTED, json!({ "count": 0 })));
    assert_eq!(redrive(json!({})).await, (StatusCode::ACCEPTED, json!({ "count": 1 })));
    receiver.requests(6).await;

    for (body, pointer) in [
        (json!({ "since": "noon" }), "/since"),
        (json!({ "until": "" }), "/until"),
        (json!({ "event_type": "a..b" }), "/event_type"),
        (json!({ "dry_run": 1 }), ""),
        (json!({ "dryRun": true }), ""),
        (json!([]), ""),
    ] {
        let (status, problem) = redrive(body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let unknown = "/v1/webhooks/webhook_00000000000000000000000000000002/redrive";
    assert_eq!(operator.call(&ns, Method::POST, unknown, Some(&json!({}))).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_annotation_sends_a_test_once_per_value_whatever_is_subscribed_to() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("test-annotation").await;
    let receiver =
        Receiver::answering(|nth, _| if nth == 1 { StatusCode::OK } else { StatusCode::BAD_GATEWAY }).await;
    let mut operator = Operator::start(cluster, &ns, EGRESS).await;
    let spec = json!({
        "events": ["custom.sale"], "filters": { "resourceTypes": ["order"] }, "retry": { "intervalsSeconds": [1] },
    });
    ns.apply(&webhook("orders", &receiver, spec)).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
    annotate(&ns, TEST, "one").await;
    let first = &receiver.requests(1).await[0];
    assert_eq!(first.headers["x-pcf-event"], "test.ping");
    shows(&ns, "the echo", |status| status["testRequestedAt"] == "one").await;
    shows(&ns, "the result", |status| status["lastDelivery"]["responseCode"] == 200).await;
    assert!(told(&ns, "TestSent").await.starts_with("a test.ping is sent as del_"));
    eventually("the test among the objects", async || {
        let columns = "--output=jsonpath={.items[*].spec.event.type}/{.items[*].status.outcome}";
        let seen = ns.kubectl(&["get", "whd", columns]).await.success();
        if seen == "test.ping/Delivered" { Ok(()) } else { Err(seen) }
    })
    .await;

    operator.kill().await;
    let lost = r#"[{"op":"remove","path":"/status/testRequestedAt"}]"#;
    let patch = ["patch", "whk/orders", "--subresource=status", "--type=json", "--patch", lost];
    ns.kubectl(&patch).await.success();
    operator.restart().await;
    shows(&ns, "the echo again", |status| status["testRequestedAt"] == "one").await;
    assert_eq!(receiver.received().len(), 1, "it was sent already");

    // One that fails has failed: no retry, though the webhook retries every second.
    annotate(&ns, TEST, "two").await;
    shows(&ns, "the failure", |status| status["counts"]["failed"] == 1).await;
    assert_eq!(receiver.received().len(), 2);
    shows(&ns, "that nothing waits", |status| status["counts"]["retrying"] == 0).await;
}
