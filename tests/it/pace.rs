//! How fast a receiver gets what waits for it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{self, Namespace, Operator, Receiver, eventually, webhook};

#[tokio::test]
async fn a_rate_limit_spreads_what_is_published_at_once() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("rate-limit").await;
    let receiver = Receiver::start().await;
    let operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    ns.apply(&webhook("orders", &receiver, json!({ "rateLimit": { "requests": 1 } }))).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();

    let begin = Instant::now();
    for _ in 0..3 {
        let event = json!({ "type": "resource.created", "data": {} });
        assert_eq!(operator.publish(&ns, &event).await.0, StatusCode::ACCEPTED);
    }
    assert_eq!(receiver.requests(3).await.len(), 3);
    assert!(begin.elapsed() >= Duration::from_secs(2), "three requests took {:?}", begin.elapsed());
}

#[tokio::test]
async fn a_receiver_that_always_fails_is_left_alone_until_a_probe_arrives() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("circuit").await;
    let (receiver, well) = Receiver::well_or(StatusCode::INTERNAL_SERVER_ERROR).await;
    let operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    let spec = json!({
        "retry": { "maxAttempts": 50, "intervalsSeconds": [1], "maxIntervalSeconds": 1 },
        "circuitBreaker": { "minimumAttempts": 3, "openSeconds": 2 },
    });
    ns.apply(&webhook("orders", &receiver, spec)).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
    for _ in 0..3 {
        let event = json!({ "type": "resource.created", "data": {} });
        assert_eq!(operator.publish(&ns, &event).await.0, StatusCode::ACCEPTED);
    }
    until(&ns, "EndpointHealthy", "CircuitOpen").await;
    let page = operator.metrics().await;
    assert!(page.contains("hookwright_circuits_open 1\n"), "{page}");
    let sent = receiver.received().len();

    well.store(true, Ordering::SeqCst);
    receiver.requests(sent + 3).await;
    until(&ns, "EndpointHealthy", "Delivered").await;
    for reason in ["CircuitOpen", "CircuitClosed"] {
        let selector = format!("--field-selector=reason={reason}");
        eventually(reason, async || {
            let events = ns.kubectl(&["get", "events", &selector, "--output=name"]).await.success();
            if events.lines().count() == 1 { Ok(()) } else { Err(events) }
        })
        .await;
    }
}

#[tokio::test]
async fn a_receiver_that_asks_for_quiet_is_shown_to_do_so() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("quiet").await;
    let busy = |_, _: &support::Request| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3600")]);
    let receiver = Receiver::answering(busy).await;
    let operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    ns.apply(&webhook("orders", &receiver, json!({}))).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
    let event = json!({ "type": "resource.created", "data": {} });
    assert_eq!(operator.publish(&ns, &event).await.0, StatusCode::ACCEPTED);
    until(&ns, "EndpointHealthy", "RetryAfter").await;
    eventually("the Event", async || {
        let found =
            ns.kubectl(&["get", "events", "--field-selector=reason=RetryAfter", "--output=name"]).await;
        let events = found.success();
        if events.lines().count() == 1 { Ok(()) } else { Err(events) }
    })
    .await;
    let page = operator.metrics().await;
    assert!(page.contains("hookwright_webhooks_restrained{reason=\"RetryAfter\"} 1\n"), "{page}");
}

/// Waits until a condition of the webhook has this reason.
async fn until(ns: &Namespace<'_>, condition: &str, reason: &str) {
    let path = format!("--output=jsonpath={{.status.conditions[?(@.type=='{condition}')].reason}}");
    eventually(reason, async || {
        let seen = ns.kubectl(&["get", "whk/orders", &path]).await.success();
        if seen == reason { Ok(()) } else { Err(seen) }
    })
    .await;
}
