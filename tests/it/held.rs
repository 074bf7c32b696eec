//! Webhooks that are held by what their receivers did.

use std::sync::atomic::Ordering;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{self, Operator, Receiver, eventually, webhook};

/// So many failed attempts and more, over this time, hold a webhook.
const ENOUGH: usize = 10;
const FIVE_DAYS_MS: i64 = 5 * 24 * 60 * 60 * 1000;

#[tokio::test]
async fn days_of_nothing_but_failure_hold_a_webhook_until_it_changes_and_lose_nothing() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("failing").await;
    let (receiver, well) = Receiver::well_or(StatusCode::INTERNAL_SERVER_ERROR).await;
    let mut operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    let spec = json!({
        "retry": { "maxAttempts": 50, "intervalsSeconds": [1], "maxIntervalSeconds": 1 },
        "circuitBreaker": { "enabled": false },
    });
    ns.apply(&webhook("orders", &receiver, spec)).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
    for _ in 0..5 {
        let event = json!({ "type": "resource.created", "data": {} });
        assert_eq!(operator.publish(&ns, &event).await.0, StatusCode::ACCEPTED);
    }
    receiver.requests(ENOUGH).await;
    // Five days pass.
    assert!(operator.sigterm().await.success());
    let log = rusqlite::Connection::open(operator.database()).unwrap();
    let sql = "UPDATE webhooks SET failing_since = failing_since - ?1, failing_last = failing_last - ?1";
    assert_eq!(log.execute(sql, [FIVE_DAYS_MS]).unwrap(), 1);
    drop(log);
    operator.restart().await;

    let reason = "--output=jsonpath={.status.conditions[?(@.type=='EndpointHealthy')].reason}";
    eventually("that it is held", async || {
        let seen = ns.kubectl(&["get", "whk/orders", reason]).await.success();
        if seen == "Failing" { Ok(()) } else { Err(seen) }
    })
    .await;
    let selector = "--field-selector=reason=Failing,type=Warning";
    let note = eventually("the Event", async || {
        let notes = ns.kubectl(&["get", "events", selector, "--output=jsonpath={.items[*].message}"]).await;
        let notes = notes.success();
        if notes.is_empty() { Err(notes) } else { Ok(notes) }
    })
    .await;
    assert!(note.starts_with("no delivery has succeeded since "), "{note}");
    let page = operator.metrics().await;
    assert!(page.contains("hookwright_webhooks_held_total{reason=\"Failing\"} 1\n"), "{page}");
    let shown = operator.get(&ns, "/v1/webhooks").await["data"][0].clone();
    assert_eq!((&shown["active"], &shown["held"]["reason"]), (&json!(true), &json!("Failing")), "{shown}");
    let path = format!("/v1/webhooks/{}/test", shown["id"].as_str().unwrap());
    let (status, problem) = operator.call(&ns, Method::POST, &path, Some(&json!({}))).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");

    well.store(true, Ordering::SeqCst);
    operator.kill().await; // Held all the same after a restart.
    operator.restart().await;
    let shown: Value = operator.get(&ns, "/v1/webhooks").await["data"][0].clone();
    assert_eq!(shown["held"]["reason"], "Failing", "{shown}");
    let sent = receiver.received().len();
    let changed = r#"{"spec":{"description":"mended"}}"#;
    ns.kubectl(&["patch", "whk/orders", "--type=merge", "--patch", changed]).await.success();
    let delivered = receiver.requests(sent + 5).await;
    assert_eq!(delivered.len(), sent + 5, "each that waited came once, and nothing before the change");
    eventually("that it is well", async || {
        let shown = operator.get(&ns, "/v1/webhooks").await["data"][0].clone();
        if shown.get("held").is_none() { Ok(()) } else { Err(shown) }
    })
    .await;
}
