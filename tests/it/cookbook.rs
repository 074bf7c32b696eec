//! What an application does with webhooks, in the forms that its developers know: by curl and by JavaScript's
//! `fetch`, against the operator in a cluster and against standalone mode alike.

mod service;

use axum::http::StatusCode;
use serde_json::{Value, json};

use self::service::Service;
use crate::support::{self, Operator, Receiver, Request, Standalone, cluster, eventually};

/// An event as an application publishes it, byte for byte.
const CREATED: &str = r#"{
    "id": "evt_ID", "type": "resource.created", "created_at": "2024-01-15T10:30:00Z",
    "data": {
        "object": { "id": "res_456", "type": "resource", "attributes": { "name": "New Resource", "status": "active" } },
        "previous_attributes": null, "changes": null
    },
    "metadata": {
        "user_id": "user_789", "ip_address": "192.168.1.1", "user_agent": "PCF-SDK/1.0", "request_id": "req_xyz789"
    }
}"#;

/// An event that says what has changed.
const UPDATED: &str = r#"{
    "id": "evt_ID", "type": "resource.updated",
    "data": {
        "object": { "id": "res_456", "type": "resource", "attributes": { "name": "Updated", "status": "inactive" } },
        "previous_attributes": { "name": "New Resource", "status": "active" },
        "changes": { "name": ["New Resource", "Updated"], "status": ["active", "inactive"] }
    }
}"#;

#[tokio::test]
async fn the_operator_does_what_the_examples_show() {
    let cluster = cluster().await;
    // The one that calls without a namespace are about.
    let ns = cluster.existing_namespace("default");
    let operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    let service = Service::new(operator.url(), &cluster.token().await);
    let made = examples(&service).await;

    let object = format!("whk/{}", made["name"].as_str().unwrap());
    let shown = ns.kubectl(&["get", &object, "--no-headers", "--output=wide"]).await.success();
    assert!(
        shown.contains(r#"["resource.created","resource.updated","resource.deleted","user.login"]"#),
        "{shown}"
    );
    ns.kubectl(&["delete", &object]).await.success();
    eventually("a webhook that kubectl has deleted to be gone", async || {
        let listed = service.fetch("list", &[]).await;
        if service::find(&listed, &made["id"]).is_none() { Ok(()) } else { Err(listed) }
    })
    .await;
}

#[tokio::test]
async fn standalone_mode_does_what_the_examples_show() {
    let standalone = Standalone::start(&[], &[]).await;
    examples(&Service::new(&standalone.url(), "YOUR_TOKEN")).await;
}

/// All of them. Answers the webhook that is made, listed and updated.
async fn examples(service: &Service) -> Value {
    delivers(service).await;
    retries(service).await;
    takes_every_option(service).await;
    batches(service).await;
    creates_lists_and_updates(service).await
}

/// The names of what an object has, in order.
fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn has_all(value: &Value, fields: &[&str]) {
    assert!(fields.iter().all(|field| !value[*field].is_null()), "{value} lacks one of {fields:?}");
}

fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok())
}

async fn creates_lists_and_updates(service: &Service) -> Value {
    let made = service
        .curl(
            r#"curl -X POST https://api.pcf.example.com/v1/webhooks \
              -H "Authorization: Bearer YOUR_TOKEN" \
              -H "Content-Type: application/json" \
              -d '{
                "url": "https://your-app.com/webhooks/pcf",
                "events": ["resource.created", "resource.updated", "resource.deleted"],
                "active": true,
                "config": {
                  "content_type": "application/json", "insecure_ssl": false, "secret": "your_webhook_secret"
                },
                "description": "Production webhook for resource events"
              }'"#,
        )
        .await;
    // Beside what is shown, the name of its object and what the request itself said.
    assert_eq!(
        names(&made),
        ["active", "config", "created_at", "description", "events", "id", "name", "secret", "url"]
    );
    assert!(made["id"].as_str().unwrap().starts_with("webhook_") && is_time(&made["created_at"]), "{made}");
    assert_eq!(made["events"], json!(["resource.created", "resource.updated", "resource.deleted"]));
    assert_eq!(
        (&made["url"], &made["active"], &made["secret"]),
        (&json!("https://your-app.com/webhooks/pcf"), &json!(true), &json!("your_webhook_secret"))
    );

    let events = json!(["resource.created", "resource.updated", "resource.deleted", "user.login"]);
    let updated = service.fetch("update", &[made["id"].clone(), json!({ "events": events })]).await;
    assert_eq!((&updated["events"], &updated["url"]), (&events, &made["url"]), "{updated}");
    let listed = service.fetch("list", &[]).await;
    let shown = service::find(&listed, &made["id"]).unwrap();
    assert_eq!((&shown["events"], &shown["active"]), (&events, &json!(true)));
    assert_eq!(shown["created_at"], made["created_at"]);
    assert!(shown.get("secret").is_none() && shown["config"].get("secret").is_none(), "{shown}");
    made
}

async fn delivers(service: &Service) {
    let receiver = Receiver::answering(|_, _| (StatusCode::OK, r#"{"received":true}"#)).await;
    let webhook = json!({ "url": receiver.url(), "events": ["resource.created"] });
    let made = service.fetch("create", &[webhook]).await;
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"), "{made}");

    let tried = service.fetch("test", &[made["id"].clone()]).await;
    assert_eq!((&tried["delivered"], &tried["response_code"]), (&json!(true), &json!(200)), "{tried}");
    assert_eq!(tried["response_body"], r#"{"received":true}"#);
    assert!(tried["response_time_ms"].is_u64(), "{tried}");

    let event = CREATED.replace("evt_ID", "evt_123abc");
    service.publish(&event).await;
    let request = receiver.requests(2).await.remove(1);
    verified(service, &request, secret).await;
    assert_eq!(request.headers["content-type"], "application/json");
    let mut delivered: Value = serde_json::from_str(&event).unwrap();
    delivered["webhook"] = json!({ "id": made["id"], "attempt": 1, "version": "1.0" });
    assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), delivered);

    let log = eventually("the delivery in the log", async || {
        let log = service.fetch("deliveries", &[made["id"].clone()]).await;
        let newest = log["deliveries"][0].clone();
        if newest["event_type"] == "resource.created" && newest["delivered"] == true {
            Ok(newest)
        } else {
            Err(log)
        }
    })
    .await;
    has_all(&log, &["id", "event_id", "event_type", "attempts", "response_code", "response_time_ms"]);
    assert!(log["id"].as_str().unwrap().starts_with("del_") && is_time(&log["delivered_at"]), "{log}");
    assert_eq!(
        (&log["event_id"], &log["attempts"], &log["response_code"]),
        (&json!("evt_123abc"), &json!(1), &json!(200))
    );
    assert!(log.get("last_error").is_none() && log.get("next_retry_at").is_none(), "{log}");

    let listed = service.fetch("list", &[]).await;
    let last = &service::find(&listed, &made["id"]).unwrap()["last_delivery"];
    assert_eq!(names(last), ["delivered", "delivered_at", "response_code"]);
    assert_eq!((&last["delivered"], &last["response_code"]), (&json!(true), &json!(200)));
}

/// By those who know nothing of our code.
async fn verified(service: &Service, request: &Request, secret: &str) {
    support::verify(request, secret);
    let header = |name| json!(request.headers[name].to_str().unwrap());
    let body = json!(String::from_utf8(request.body.to_vec()).unwrap());
    let arguments = [body, header("x-pcf-timestamp"), header("x-pcf-signature"), json!(secret)];
    assert_eq!(service.run("verify", &arguments).await["ok"], true);
}

async fn retries(service: &Service) {
    let failed = |nth| if nth == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let receiver = Receiver::answering(move |nth, _| failed(nth)).await;
    let made =
        service.fetch("create", &[json!({ "url": receiver.url(), "events": ["resource.updated"] })]).await;
    let policy = json!({
        "enabled": true, "max_attempts": 5, "intervals": [60, 300, 900, 3600, 7200], "timeout": 30,
        "backoff_rate": 2,
    });
    let updated = service.fetch("update", &[made["id"].clone(), json!({ "retry_policy": policy })]).await;
    assert_eq!(updated["retry_policy"], policy);

    service.publish(&UPDATED.replace("evt_ID", "evt_456def")).await;
    let undelivered = eventually("the attempt in the log", async || {
        let log = service.fetch("deliveries", &[made["id"].clone()]).await;
        let newest = log["deliveries"][0].clone();
        if newest["attempts"] == 1 { Ok(newest) } else { Err(log) }
    })
    .await;
    has_all(&undelivered, &["id", "event_id", "event_type", "last_error", "next_retry_at"]);
    assert_eq!(undelivered["delivered"], false);
    assert!(undelivered["last_error"].as_str().unwrap().contains("503"), "{undelivered}");
    assert!(is_time(&undelivered["next_retry_at"]) && undelivered.get("delivered_at").is_none());

    let retried = service.fetch("retry", &[undelivered["id"].clone()]).await;
    assert_eq!(retried["id"], undelivered["id"]);
    let request = receiver.requests(2).await.remove(1);
    assert_eq!((request.event_id(), request.attempt()), ("evt_456def".to_owned(), 2));
    verified(service, &request, made["secret"].as_str().unwrap()).await;
    eventually("the retry in the log", async || {
        let log = service.fetch("deliveries", &[made["id"].clone()]).await;
        let newest = &log["deliveries"][0];
        if newest["delivered"] == true && newest["attempts"] == 2 { Ok(()) } else { Err(log) }
    })
    .await;

    let metrics = service.fetch("metrics", &[]).await;
    assert_eq!(names(&metrics), ["deliveries", "errors", "latency"]);
    has_all(&metrics["deliveries"], &["total", "successful", "failed"]);
    has_all(&metrics["latency"], &["average", "p95", "p99"]);
    assert_eq!(metrics["errors"], json!({ "503": 1 }));
}

async fn takes_every_option(service: &Service) {
    let receiver = Receiver::start().await;
    let webhook = json!({
        "url": receiver.url(),
        "events": ["resource.*"],
        "active": true,
        "config": {
            "content_type": "application/x-www-form-urlencoded",
            "headers": { "X-Custom": "value", "Authorization": "Bearer abc" },
            "insecure_ssl": true,
            "secret": "your_webhook_secret",
            "retry": { "enabled": true, "max_attempts": 3, "backoff_rate": 1.5 },
        },
        "filters": {
            "resource_types": ["resource"],
            "user_ids": ["user_789"],
            "expressions": ["event.data.object.attributes.status == 'active'"],
        },
    });
    let made = service.fetch("create", std::slice::from_ref(&webhook)).await;
    let listed = service.fetch("list", &[]).await;
    let shown = service::find(&listed, &made["id"]).unwrap();
    assert_eq!(shown["filters"], webhook["filters"]);
    assert_eq!(shown["config"]["headers"], webhook["config"]["headers"]);
    assert_eq!(shown["retry_policy"], webhook["config"]["retry"]);

    let passing = CREATED.replace("evt_ID", "evt_passing");
    for other in [
        CREATED.replace("evt_ID", "evt_1").replace("user_789", "user_1"),
        CREATED.replace("evt_ID", "evt_2").replace(r#""type": "resource","#, r#""type": "user","#),
        CREATED.replace("evt_ID", "evt_3").replace("\"active\"", "\"inactive\""),
    ] {
        service.publish(&other).await;
    }
    service.publish(&passing).await;
    let request = receiver.requests(1).await.remove(0);
    support::verify(&request, "your_webhook_secret");
    assert_eq!(request.headers["x-custom"], "value");
    assert_eq!(request.headers["authorization"], "Bearer abc");
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
    let form: Vec<_> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    assert_eq!(form[0].0, "payload");
    let event: Value = serde_json::from_str(&form[0].1).unwrap();
    assert_eq!(event["id"], "evt_passing");
    assert_eq!(receiver.received().len(), 1);
}

async fn batches(service: &Service) {
    let receiver = Receiver::answering(|_, _| (StatusCode::OK, r#"{"received":true,"count":100}"#)).await;
    let webhook = json!({
        "url": receiver.url(),
        "events": ["resource.*"],
        "config": { "batch": { "enabled": true, "max_size": 100, "max_wait_ms": 5000 } },
    });
    let made = service.fetch("create", std::slice::from_ref(&webhook)).await;
    let listed = service.fetch("list", &[]).await;
    assert_eq!(service::find(&listed, &made["id"]).unwrap()["config"]["batch"], webhook["config"]["batch"]);

    let event = |number| json!({ "id": format!("evt_b{number}"), "type": "resource.created", "data": { "n": number } });
    let events: Vec<_> = (0..100).map(event).collect();
    service.fetch("publish", &[json!(events)]).await;
    let request = receiver.requests(1).await.remove(0);
    verified(service, &request, made["secret"].as_str().unwrap()).await;
    assert_eq!(request.headers["x-pcf-event"], "batch");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let mut delivered = body["events"].as_array().unwrap().clone();
    assert_eq!(delivered.len(), 100);
    delivered.sort_by_key(|event| event["data"]["n"].as_u64());
    for (published, delivered) in events.iter().zip(&delivered) {
        assert_eq!((&delivered["id"], &delivered["data"]), (&published["id"], &published["data"]));
        assert_eq!(delivered["webhook"], json!({ "id": made["id"], "attempt": 1, "version": "1.0" }));
    }
}
