//! The order in which deliveries arrive.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::support::{self, Operator, Receiver, Request, eventually, webhook};

#[tokio::test]
async fn events_about_one_object_arrive_in_order_through_a_failure_and_a_crash() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("per-key").await;
    let fails_once = |nth, _: &Request| if nth == 1 { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
    let receiver = Receiver::answering(fails_once).await;
    let mut operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    let spec = json!({ "concurrency": { "ordering": "PerKey" }, "retry": { "intervalsSeconds": [5] } });
    ns.apply(&webhook("orders", &receiver, spec)).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
    for (id, object) in [("a_1", "a"), ("a_2", "a"), ("a_3", "a"), ("b_1", "b")] {
        let event = json!({ "id": id, "type": "a.b", "data": { "object": { "id": object } } });
        assert_eq!(operator.publish(&ns, &event).await.0, StatusCode::ACCEPTED);
    }
    let requests = receiver.requests(2).await;
    let begin: Vec<_> = requests.iter().map(Request::event_id).collect();
    assert_eq!(begin, ["a_1", "b_1"], "only what is about the same object waits");
    operator.kill().await;
    operator.restart().await;

    let arrived = eventually("the last of them to arrive", async || {
        let arrived: Vec<_> = receiver.received().iter().map(Request::event_id).collect();
        if arrived.contains(&"a_3".to_owned()) { Ok(arrived) } else { Err(arrived) }
    })
    .await;
    let about_a: Vec<_> = arrived.iter().filter(|id| id.starts_with("a_")).collect();
    assert_eq!(about_a, ["a_1", "a_1", "a_2", "a_3"]);
}

#[tokio::test]
async fn a_strict_webhook_sends_one_after_the_other_and_can_be_tested_all_the_same() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("strict").await;
    let fails = |_, request: &Request| {
        let first = request.event_id() == "evt_1" && request.attempt() == 1;
        if first { StatusCode::BAD_GATEWAY } else { StatusCode::OK }
    };
    let receiver = Receiver::answering(fails).await;
    let operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    let spec = json!({ "concurrency": { "ordering": "Strict" }, "retry": { "intervalsSeconds": [3600] } });
    ns.apply(&webhook("orders", &receiver, spec)).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
    for id in ["evt_1", "evt_2"] {
        let event = json!({ "id": id, "type": "a.b", "data": {} });
        assert_eq!(operator.publish(&ns, &event).await.0, StatusCode::ACCEPTED);
    }
    receiver.requests(1).await;

    let id = operator.get(&ns, "/v1/webhooks").await["data"][0]["id"].as_str().unwrap().to_owned();
    let test = format!("/v1/webhooks/{id}/test");
    let (status, tried) = operator.call(&ns, Method::POST, &test, Some(&json!({}))).await;
    assert_eq!((status, &tried["delivered"]), (StatusCode::OK, &json!(true)), "{tried}");

    let listed = operator.get(&ns, &format!("/v1/webhooks/{id}/deliveries")).await;
    let of = |event: &str| listed["deliveries"].as_array().unwrap().iter().find(|it| it["event_id"] == event);
    assert_eq!(of("evt_2").unwrap()["next_retry_at"], json!(null), "{listed}");
    let first = of("evt_1").unwrap()["id"].as_str().unwrap();
    let retry = format!("/v1/webhooks/deliveries/{first}/retry");
    assert_eq!(operator.call(&ns, Method::POST, &retry, None).await.0, StatusCode::ACCEPTED);
    let arrived: Vec<_> = receiver.requests(4).await.iter().map(Request::event_id).collect();
    assert_eq!(
        (&arrived[0], &arrived[2..]),
        (&"evt_1".to_owned(), ["evt_1", "evt_2"].map(str::to_owned).as_slice())
    );
}
