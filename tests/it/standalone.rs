//! The engine on a folder of manifests, as a process.

use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::{Receiver, Request, Standalone, webhook};

const SECRET: &str = "
apiVersion: v1
kind: Secret
metadata: { name: key }
stringData: { secret: s3cr3t }
";

fn signed(name: &str, receiver: &Receiver, mut spec: Value) -> String {
    spec["signing"] = json!({ "secretRef": { "name": "key" } });
    webhook(name, receiver, spec)
}

#[tokio::test]
async fn every_attempt_is_shown_as_it_happens() {
    let answer = |nth, _: &_| if nth == 1 { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
    let receiver = Receiver::answering(answer).await;
    let orders = signed("orders", &receiver, json!({ "retry": { "intervalsSeconds": [1] } }));
    let files = [("orders.yaml", orders.as_str()), ("key.yaml", SECRET)];
    let mut standalone = Standalone::start(&files, &[]).await;
    standalone.prints("receivers on loopback are allowed here").await;
    standalone.publish(&json!({ "id": "evt_1", "type": "a.b", "data": {} })).await;
    standalone.prints("attempt 2  200").await;
    let (status, printed) = standalone.stop().await;
    assert!(status.success());
    let lines: Vec<_> = printed.lines().filter(|line| line.contains("attempt")).collect();
    for (line, parts) in lines.iter().zip([
        &[" ↻ orders ", " a.b ", " evt_1 ", "attempt 1  502", "next try in 1 s"],
        &[" ✓ orders ", " a.b ", " evt_1 ", "attempt 2  200", " ms"],
    ]) {
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
}

#[tokio::test]
async fn changes_of_the_folder_are_followed_and_broken_files_change_nothing() {
    let (before, after) = (Receiver::start().await, Receiver::start().await);
    let files = [("orders.yaml", &*signed("orders", &before, json!({}))), ("key.yaml", SECRET)];
    let mut standalone = Standalone::start(&files, &[]).await;
    standalone.write("orders.yaml", "{half: [written");
    standalone.prints(" ! orders.yaml, document 1: ").await;
    standalone.publish(&json!({ "id": "evt_1", "type": "a.b", "data": {} })).await;
    before.requests(1).await;

    standalone.write("orders.yaml", &signed("orders", &after, json!({ "retry": { "maxAttempts": 0 } })));
    standalone.prints("Webhook default/orders: spec.retry.maxAttempts: ").await;
    standalone.publish(&json!({ "id": "evt_2", "type": "a.b", "data": {} })).await;
    standalone.write("orders.yaml", &signed("orders", &after, json!({})));
    assert_eq!(after.requests(1).await[0].event_id(), "evt_2");
    assert_eq!(before.received().len(), 1);
}

#[tokio::test]
async fn what_waits_is_sent_after_a_restart_and_what_was_sent_is_not_sent_again() {
    let receiver = Receiver::start().await;
    let ping = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "WebhookDelivery", "metadata": { "name": "ping" },
        "spec": { "webhookRef": { "name": "orders" }, "event": { "id": "evt_ping", "type": "a.b" } },
    });
    let orders = |suspend: bool| signed("orders", &receiver, json!({ "suspend": suspend }));
    let files = [("orders.yaml", &*orders(false)), ("key.yaml", SECRET), ("ping.json", &*ping.to_string())];
    let mut standalone = Standalone::start(&files, &[]).await;
    assert_eq!(receiver.requests(1).await[0].event_id(), "evt_ping");
    assert!(standalone.stop().await.0.success());

    standalone.write("orders.yaml", &orders(true));
    standalone.restart().await;
    standalone.publish(&json!({ "id": "evt_1", "type": "a.b", "data": {} })).await;
    assert!(standalone.stop().await.0.success());

    standalone.write("orders.yaml", &orders(false));
    standalone.restart().await;
    let ids: Vec<_> = receiver.requests(2).await.iter().map(Request::event_id).collect();
    assert_eq!(ids, ["evt_ping", "evt_1"]);
}

#[tokio::test]
async fn loopback_can_be_refused_as_in_a_cluster() {
    let receiver = Receiver::start().await;
    let files = [("orders.yaml", &*signed("orders", &receiver, json!({}))), ("key.yaml", SECRET)];
    let mut standalone = Standalone::start(&files, &["--egress-allow", "none"]).await;
    standalone.publish(&json!({ "type": "a.b", "data": {} })).await;
    standalone.prints("egress policy").await;
    assert!(receiver.received().is_empty());
    let (_, printed) = standalone.stop().await;
    assert!(!printed.contains("receivers on loopback are allowed"), "{printed}");
}

/// A receiver whose answers do not end before they are let go.
async fn held_back() -> (Receiver, watch::Sender<bool>) {
    let (let_go, held) = watch::channel(false);
    let receiver = Receiver::answering(move |_, _| {
        let mut held = held.clone();
        Body::from_stream(futures::stream::once(async move {
            held.wait_for(|let_go| *let_go).await.map(|_| "done")
        }))
    })
    .await;
    (receiver, let_go)
}

/// A process that has been told to end, with one request to this receiver under way.
async fn told_to_end_amid_a_request(receiver: &Receiver) -> Standalone {
    let files = [("orders.yaml", &*signed("orders", receiver, json!({}))), ("key.yaml", SECRET)];
    let mut standalone = Standalone::start(&files, &["--log-level", "info"]).await;
    standalone.publish(&json!({ "id": "evt_1", "type": "a.b", "data": {} })).await;
    receiver.requests(1).await;
    standalone.terminate();
    standalone.prints("told to end").await;
    standalone
}

#[tokio::test]
async fn a_request_under_way_ends_before_the_process_does() {
    let (receiver, let_go) = held_back().await;
    let mut standalone = told_to_end_amid_a_request(&receiver).await;
    assert_eq!(standalone.ready().await, StatusCode::SERVICE_UNAVAILABLE);
    let_go.send_replace(true);
    let (status, printed) = standalone.ended().await;
    assert!(status.success() && printed.contains("attempt 1  200"), "{status}: {printed}");
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once_and_loses_nothing() {
    let (receiver, let_go) = held_back().await;
    let mut standalone = told_to_end_amid_a_request(&receiver).await;
    standalone.terminate();
    let (status, printed) = standalone.ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(printed.lines().last().unwrap().starts_with("hookwright: told twice to end"), "{printed}");
    let_go.send_replace(true);
    standalone.restart().await;
    let again = receiver.requests(2).await;
    assert_eq!((again[1].event_id(), again[1].attempt()), ("evt_1".to_owned(), 1));
}
