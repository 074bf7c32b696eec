//! What became of events.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Bench, WEBHOOK};

fn list(parameters: &str) -> String {
    format!("/v1/webhooks/{WEBHOOK}/deliveries?{parameters}")
}

fn event_ids(page: &Value) -> Vec<&str> {
    page["deliveries"].as_array().unwrap().iter().map(|it| it["event_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_delivery_is_shown_with_all_its_attempts() {
    let bench = Bench::new();
    let id = bench.attempted("evt_1").await;
    let mut shown = bench.get(&format!("/v1/webhooks/deliveries/{id}")).await.body;
    assert!(shown["delivered_at"].take().is_string() && shown["history"][0]["started_at"].take().is_string());
    let attempt = json!({
        "attempt": 1, "started_at": null, "reason": "Delivered", "response_code": 200, "response_time_ms": 7,
        "response_body": "as told",
    });
    let expected = json!({
        "id": id, "webhook_id": WEBHOOK.to_string(), "event_id": "evt_1", "event_type": "resource.created",
        "outcome": "Delivered", "delivered": true, "attempts": 1, "response_code": 200, "response_time_ms": 7,
        "delivered_at": null, "history": [attempt],
    });
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_failed_delivery_says_why_and_can_be_retried_by_hand() {
    let bench = Bench::new();
    bench.receivers.0.store(500, Ordering::Relaxed);
    let id = bench.attempted("evt_1").await;
    let path = format!("/v1/webhooks/deliveries/{id}");
    let failed = bench.get(&path).await.body;
    assert_eq!((&failed["outcome"], &failed["delivered"]), (&json!("Failed"), &json!(false)));
    assert_eq!((&failed["last_error"], failed.get("next_retry_at")), (&json!("HTTP 500"), None));

    bench.receivers.0.store(200, Ordering::Relaxed);
    let retried = bench.post(&format!("{path}/retry"), "").await;
    assert_eq!((retried.status, &retried.body["id"]), (StatusCode::ACCEPTED, &json!(id)));
    let delivered = bench.shows(&id, |shown| shown["delivered"] == true).await;
    assert_eq!(delivered["attempts"], 2);
}

#[tokio::test]
async fn a_list_goes_page_by_page_from_the_newest() {
    let bench = Bench::new();
    for id in ["evt_1", "evt_2", "evt_3"] {
        bench.attempted(id).await;
    }
    let first = bench.get(&list("limit=2")).await.body;
    assert_eq!(event_ids(&first), ["evt_3", "evt_2"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = bench.get(&list(&format!("limit=2&cursor={cursor}"))).await.body;
    assert_eq!(event_ids(&second), ["evt_1"]);
    assert_eq!(second.get("next_cursor"), None);
    assert_eq!(bench.get(&list("limit=3")).await.body.get("next_cursor"), None);
}

#[tokio::test]
async fn a_list_can_be_narrowed() {
    let bench = Bench::new();
    bench.attempted("evt_1").await;
    bench.receivers.0.store(500, Ordering::Relaxed);
    bench.attempted("evt_2").await;
    for (parameters, expected) in [
        ("delivered=true", &["evt_1"] as &[_]),
        ("delivered=false", &["evt_2"]),
        ("event_type=resource.created", &["evt_2", "evt_1"]),
        ("event_type=user.login", &[]),
        ("until=2000-01-01T00:00:00Z", &[]),
        ("since=2000-01-01T00:00:00Z", &["evt_2", "evt_1"]),
    ] {
        assert_eq!(event_ids(&bench.get(&list(parameters)).await.body), expected, "{parameters}");
    }
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_explained() {
    let bench = Bench::new();
    for (parameters, says) in [
        ("limit=0", "limit must be 1 to 500, not 0"),
        ("limit=many", "limit"),
        ("cursor=x", "query parameter cursor: is not one that a list gave"),
        ("since=noon", "query parameter since: must be an RFC 3339 time"),
        ("event_type=a..b", "query parameter event_type: segment '' of 'a..b'"),
        ("limits=1", "unknown field `limits`"),
        ("namespace=A", "a namespace is 1 to 63 characters"),
    ] {
        let answer = bench.get(&list(parameters)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{parameters}");
        assert!(answer.body["detail"].as_str().unwrap().contains(says), "{parameters}: {}", answer.body);
    }
}

#[tokio::test]
async fn what_is_unknown_or_of_another_namespace_is_not_found() {
    let bench = Bench::new();
    let id = bench.attempted("evt_1").await;
    let unknown = "/v1/webhooks/webhook_00000000000000000000000000000002/deliveries".to_owned();
    let delivery = format!("/v1/webhooks/deliveries/{id}");
    for path in [
        "/v1/webhooks/deliveries/del_0000000000001".to_owned(),
        "/v1/webhooks/deliveries/wrong".to_owned(),
        format!("{delivery}?namespace=other"),
        list("namespace=other"),
        unknown,
    ] {
        let answer = bench.get(&path).await;
        assert_eq!(
            (answer.status, &answer.body["title"]),
            (StatusCode::NOT_FOUND, &json!("Not found")),
            "{path}"
        );
    }
    let retried = bench.post(&format!("{delivery}/retry?namespace=other"), "").await;
    assert_eq!(retried.status, StatusCode::NOT_FOUND);
}
