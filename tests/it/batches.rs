//! Events that are sent together, from the manifest to what a receiver gets.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{self, Receiver, Request, Standalone};

fn manifests(receiver: &Receiver, batch: &Value) -> String {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "key" }, "stringData": { "secret": "s3cr3t" },
    });
    let webhook = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Webhook", "metadata": { "name": "orders" },
        "spec": {
            "url": receiver.url(), "events": ["*"], "retry": { "intervalsSeconds": [1] },
            "signing": { "secretRef": { "name": "key" } }, "batch": batch,
        },
    });
    format!("{secret}\n---\n{webhook}\n")
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers[name].to_str().unwrap()
}

/// The ids of the events of a batch, and which attempt each says it is.
fn events(request: &Request) -> Vec<(String, u64)> {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let events = body["events"].as_array().unwrap().iter();
    let each = events.map(|event| {
        (event["id"].as_str().unwrap().to_owned(), event["webhook"]["attempt"].as_u64().unwrap())
    });
    each.collect()
}

async fn publish(standalone: &Standalone, ids: &[&str]) -> Vec<String> {
    let mut deliveries = Vec::new();
    for id in ids {
        let event = json!({ "id": id, "type": "resource.created", "data": {} });
        let receipt = standalone.publish(&event).await;
        deliveries.push(receipt["deliveries"][0].as_str().unwrap().to_owned());
    }
    deliveries
}

#[tokio::test]
async fn a_batch_that_failed_comes_again_as_it_was_and_a_change_of_mind_loses_nothing() {
    let receiver =
        Receiver::answering(|nth, _| if nth == 1 { StatusCode::BAD_GATEWAY } else { StatusCode::OK }).await;
    // So long that only a full batch is sent.
    let batch = json!({ "maxSize": 3, "maxWaitMilliseconds": 300_000 });
    let mut standalone = Standalone::start(&[("orders.yaml", &manifests(&receiver, &batch))], &[]).await;
    let deliveries = publish(&standalone, &["evt_1", "evt_2", "evt_3"]).await;
    let requests = receiver.requests(2).await;
    for (attempt, request) in (1..).zip(&requests) {
        support::verify(request, "s3cr3t");
        assert_eq!(header(request, "x-pcf-event"), "batch");
        assert_eq!(header(request, "x-pcf-delivery"), header(&requests[0], "x-pcf-delivery"));
        let expected = ["evt_1", "evt_2", "evt_3"].map(|id| (id.to_owned(), attempt));
        assert_eq!(events(request), expected);
    }
    for delivery in &deliveries {
        let path = format!("/v1/webhooks/deliveries/{delivery}");
        support::eventually("a record of each delivery", async || {
            let (_, shown) = standalone.call(Method::GET, &path, None).await;
            if shown["delivered"] == true && shown["attempts"] == 2 { Ok(()) } else { Err(shown) }
        })
        .await;
    }

    // A test waits for no others.
    publish(&standalone, &["evt_4", "evt_5"]).await;
    let (_, listed) = standalone.call(Method::GET, "/v1/webhooks", None).await;
    let test = format!("/v1/webhooks/{}/test", listed["data"][0]["id"].as_str().unwrap());
    let (status, tried) = standalone.call(Method::POST, &test, Some(&json!({}))).await;
    assert_eq!((status, &tried["delivered"]), (StatusCode::OK, &json!(true)), "{tried}");
    assert_eq!(events(&receiver.requests(3).await[2]).len(), 1);

    standalone.write("orders.yaml", &manifests(&receiver, &json!({ "enabled": false })));
    let mut singles: Vec<_> = receiver.requests(5).await[3..].iter().map(Request::event_id).collect();
    singles.sort(); // Two requests at a time.
    assert_eq!(singles, ["evt_4", "evt_5"]);
    let (status, _) = standalone.stop().await;
    assert!(status.success());
}

#[tokio::test]
async fn the_api_makes_a_webhook_of_batches_as_applications_ask_for_it() {
    let receiver = Receiver::start().await;
    let standalone = Standalone::start(&[], &[]).await;
    let batch = json!({ "enabled": true, "max_size": 100, "max_wait_ms": 100 });
    let body = json!({ "url": receiver.url(), "events": ["resource.*"], "config": { "batch": batch } });
    let (status, made) = standalone.call(Method::POST, "/v1/webhooks", Some(&body)).await;
    assert_eq!((status, &made["config"]["batch"]), (StatusCode::CREATED, &batch), "{made}");
    publish(&standalone, &["evt_1"]).await;
    // Alone, as no other came within its time.
    assert_eq!(events(&receiver.requests(1).await[0]), [("evt_1".to_owned(), 1)]);
}
