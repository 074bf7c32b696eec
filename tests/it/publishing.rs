//! From an applied webhook and a published event to a verified request and a status.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{self, Operator, Receiver, Request, webhook};

const SECRET: &str = "
apiVersion: v1
kind: Secret
metadata: { name: orders-key }
stringData: { key: your_webhook_secret }
";

#[tokio::test]
async fn an_event_reaches_the_receiver_signed_and_the_objects_say_so() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("publish").await;
    let receiver = Receiver::start().await;
    let operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    ns.apply(SECRET).await;
    ns.apply(&webhook(
        "orders",
        &receiver,
        json!({ "signing": { "secretRef": { "name": "orders-key", "key": "key" } } }),
    ))
    .await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();

    let event = json!({
        "id": "evt_123abc", "type": "resource.created", "created_at": "2024-01-15T10:30:00Z",
        "data": { "object": { "id": "res_456", "type": "resource" }, "changes": null },
        "metadata": { "user_id": "user_789" },
    });
    let (status, answer) = operator.publish(&ns, &event).await;
    assert_eq!((status, &answer["id"]), (StatusCode::ACCEPTED, &json!("evt_123abc")));

    let request = receiver.requests(1).await.remove(0);
    support::verify(&request, "your_webhook_secret");
    assert_eq!(request.headers["x-pcf-event"], "resource.created");
    assert_eq!(request.headers["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let id = ns.kubectl(&["get", "whk/orders", "--output=jsonpath={.status.id}"]).await.success();
    assert_eq!(body["webhook"], json!({ "id": id, "attempt": 1, "version": "1.0" }));
    assert_eq!(body["data"], event["data"]);
    assert_eq!(body["metadata"], event["metadata"]);

    support::eventually("the delivery in the webhook's status", async || {
        let columns = "--output=jsonpath={.status.counts.delivered} {.status.lastDelivery.responseCode}";
        let seen = ns.kubectl(&["get", "whk/orders", columns]).await.success();
        if seen == "1 200" { Ok(()) } else { Err(seen) }
    })
    .await;
    support::eventually("the delivery among the objects", async || {
        let seen = ns.kubectl(&["get", "webhookdeliveries", "--no-headers"]).await.success();
        let columns: Vec<_> = seen.split_whitespace().skip(1).take(4).map(str::to_owned).collect();
        if columns == ["orders", "resource.created", "Delivered", "200"] { Ok(()) } else { Err(seen) }
    })
    .await;
}

#[tokio::test]
async fn an_event_published_again_is_not_sent_again_and_another_under_its_id_is_refused() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("again").await;
    let receiver = Receiver::start().await;
    let operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    ns.apply(&webhook("orders", &receiver, json!({}))).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();

    let event = |id: &str, n: u32| json!({ "id": id, "type": "custom.sale", "data": { "n": n } });
    let (_, first) = operator.publish(&ns, &event("evt_1", 1)).await;
    let (status, second) = operator.publish(&ns, &event("evt_1", 1)).await;
    assert_eq!((status, &second["duplicate"]), (StatusCode::ACCEPTED, &json!(true)));
    assert_eq!(first["deliveries"], second["deliveries"]);
    let (status, problem) = operator.publish(&ns, &event("evt_1", 2)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("evt_1"), "{problem}");

    operator.publish(&ns, &event("evt_2", 1)).await;
    let ids: Vec<_> = receiver.requests(2).await.iter().map(Request::event_id).collect();
    assert_eq!(ids, ["evt_1", "evt_2"]);
}

#[tokio::test]
async fn a_suspended_webhook_queues_and_a_deleted_one_cancels_what_waits() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("suspend").await;
    let (waits, other) = (Receiver::start().await, Receiver::start().await);
    let operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    ns.apply(&webhook("orders", &waits, json!({ "suspend": true }))).await;
    ns.apply(&webhook("doomed", &waits, json!({ "suspend": true }))).await;
    ns.apply(&webhook("other", &other, json!({}))).await;
    ns.kubectl(&["wait", "whk", "--all", "--for=condition=Accepted", "--timeout=60s"]).await.success();

    let (_, answer) = operator.publish(&ns, &json!({ "id": "evt_1", "type": "a.b", "data": {} })).await;
    assert_eq!(answer["deliveries"].as_array().unwrap().len(), 3);
    other.requests(1).await; // What was published with it has been sent.
    assert!(waits.received().is_empty());

    ns.kubectl(&["delete", "whk/doomed"]).await.success();
    ns.kubectl(&["patch", "whk/orders", "--type=merge", "--patch", r#"{"spec":{"suspend":false}}"#])
        .await
        .success();
    assert_eq!(waits.requests(1).await[0].event_id(), "evt_1");
    let mut ended = Vec::new();
    for delivery in answer["deliveries"].as_array().unwrap() {
        let path = format!("/v1/webhooks/deliveries/{}", delivery.as_str().unwrap());
        ended.push(
            support::eventually("the delivery to end", async || {
                let found = operator.get(&ns, &path).await;
                let outcome = found["outcome"].as_str().unwrap_or_default().to_owned();
                if matches!(outcome.as_str(), "Delivered" | "Canceled") { Ok(outcome) } else { Err(found) }
            })
            .await,
        );
    }
    ended.sort();
    assert_eq!(ended, ["Canceled", "Delivered", "Delivered"]);
    assert_eq!(waits.received().len(), 1, "the deleted webhook got something");
}
