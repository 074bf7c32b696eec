//! Publishing.

use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use super::{Bench, EVENT};

#[tokio::test]
async fn an_event_is_answered_with_its_deliveries_and_again_the_same_when_it_is_repeated() {
    let bench = Bench::new();
    let first = bench.post("/v1/events", EVENT).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert_eq!(first.body["id"], "evt_1");
    assert_eq!(first.body["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(first.body.get("duplicate"), None);

    let again = bench.post("/v1/events", EVENT).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(again.body["deliveries"], first.body["deliveries"]);
    assert_eq!(again.body["duplicate"], true);

    let other = bench.post("/v1/events", EVENT.replace(r#""n":1"#, r#""n":2"#)).await;
    assert_eq!((other.status, &other.body["title"]), (StatusCode::CONFLICT, &json!("Conflict")));
}

#[tokio::test]
async fn an_event_goes_to_the_webhooks_of_its_namespace_only() {
    let bench = Bench::new();
    let elsewhere = bench.post("/v1/events?namespace=shop", EVENT).await;
    assert_eq!((elsewhere.status, &elsewhere.body["deliveries"]), (StatusCode::ACCEPTED, &json!([])));
    let unmatched = bench.post("/v1/events", r#"{"type":"user.login","data":{}}"#).await;
    assert_eq!(unmatched.body["deliveries"], json!([]));
    assert!(unmatched.body["id"].as_str().unwrap().starts_with("evt_"));
}

#[tokio::test]
async fn a_bad_event_is_refused_with_what_is_wrong_and_where() {
    let bench = Bench::new();
    let large = format!(r#"{{"type":"a.b","data":{{"x":"{}"}}}}"#, "x".repeat(1024));
    for (body, status, pointers) in [
        ("", 400, &[] as &[&str]),
        ("{half", 400, &[]),
        ("[]", 422, &[""]),
        (r#"{"type":"a.b","type":"a.c","data":{}}"#, 422, &[""]),
        ("{}", 422, &["/type", "/data"]),
        (r#"{"type":7,"data":[],"extra/field":1}"#, 422, &["/type", "/data", "/extra~1field"]),
        (r#"{"type":"a b","data":{},"id":"a b","created_at":"noon"}"#, 422, &["/id", "/created_at", "/type"]),
        (&large, 413, &[]),
    ] {
        let answer = bench.post("/v1/events", body.to_owned()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        let empty = Vec::new();
        let errors = answer.body["errors"].as_array().unwrap_or(&empty);
        let found: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(found, pointers, "{body}");
        assert!(errors.iter().all(|error| error["detail"].is_string()));
    }
    let page = bench.get("/metrics").await.body.as_str().unwrap().to_owned();
    assert!(page.contains(r#"hookwright_events_refused_total{reason="Invalid"} 7"#), "{page}");
    assert!(page.contains(r#"hookwright_events_refused_total{reason="TooLarge"} 1"#), "{page}");
}

#[tokio::test]
async fn the_events_of_a_batch_are_judged_one_by_one_and_answered_in_order() {
    let bench = Bench::new();
    let event = |id: &str, n: u32| json!({ "id": id, "type": "resource.created", "data": { "n": n } });
    let events =
        json!({ "events": [event("a", 1), event("a", 1), event("a", 2), { "data": {} }, event("b", 1)] });
    let answer = bench.post("/v1/events/batch", events.to_string()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let results = answer.body["results"].as_array().unwrap();
    let told: Vec<_> = results.iter().map(|it| (&it["id"], &it["duplicate"], &it["status"])).collect();
    let (a, b, null) = (json!("a"), json!("b"), Value::Null);
    let (yes, conflict, invalid) = (json!(true), json!(409), json!(422));
    let expected = [
        (&a, &null, &null),
        (&a, &yes, &null),
        (&null, &null, &conflict),
        (&null, &null, &invalid),
        (&b, &null, &null),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_batch_has_1_to_1000_events() {
    let bench = Bench::new();
    for count in [0, 1001] {
        let events = vec![json!({ "type": "a.b", "data": {} }); count];
        let answer = bench.post("/v1/events/batch", json!({ "events": events }).to_string()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.body["errors"][0]["pointer"], "/events");
    }
    let answer = bench.post("/v1/events/batch", r#"{"events":[],"more":1}"#).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn events_are_taken_once_all_webhooks_are_known_and_until_the_process_is_told_to_end() {
    let bench = Bench::unsynced();
    let unavailable = async || {
        for answer in [bench.get("/readyz").await, bench.post("/v1/events", EVENT).await] {
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.headers[header::RETRY_AFTER], "5");
        }
        let batch = bench.post("/v1/events/batch", format!(r#"{{"events":[{EVENT},{{}}]}}"#)).await;
        assert_eq!(batch.status, StatusCode::SERVICE_UNAVAILABLE);
        let statuses: Vec<_> =
            batch.body["results"].as_array().unwrap().iter().map(|it| &it["status"]).collect();
        assert_eq!(statuses, [503, 422]);
        assert_eq!(bench.get("/healthz").await.status, StatusCode::OK);
    };
    unavailable().await;
    bench.api.delivery.synced([].into());
    assert_eq!(bench.get("/readyz").await.status, StatusCode::OK);
    assert_eq!(bench.post("/v1/events", EVENT).await.status, StatusCode::ACCEPTED);
    bench.api.stopping.cancel();
    unavailable().await;
}

#[tokio::test]
async fn the_catalogue_names_the_built_in_types() {
    let answer = Bench::new().get("/v1/event-types").await;
    assert!(answer.body["event_types"].as_array().unwrap().contains(&json!("test.ping")));
}
