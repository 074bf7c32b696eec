//! `WebhookDelivery` objects: those that users create, and those that show what the engine does.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{self, Namespace, Operator, Receiver, Request, webhook};

/// A delivery that a user asks for, with further fields of its spec.
fn delivery(name: &str, spec: Value) -> String {
    let mut manifest = json!({
        "apiVersion": "hookwright.dev/v1alpha1",
        "kind": "WebhookDelivery",
        "metadata": { "name": name },
        "spec": { "webhookRef": { "name": "orders" } },
    });
    let Value::Object(spec) = spec else { panic!("a spec is an object") };
    manifest["spec"].as_object_mut().unwrap().extend(spec);
    manifest.to_string()
}

fn ping(id: &str) -> Value {
    json!({ "event": { "id": id, "type": "test.ping", "data": { "hello": "world" } } })
}

async fn operator(ns: &Namespace<'_>) -> Operator {
    Operator::start(support::cluster().await, ns, &["--egress-allow", "127.0.0.0/8"]).await
}

/// Applies a webhook and waits until it is in force.
async fn ready(ns: &Namespace<'_>, name: &str, receiver: &Receiver, spec: Value) {
    ns.apply(&webhook(name, receiver, spec)).await;
    ns.kubectl(&["wait", &format!("whk/{name}"), "--for=condition=Accepted", "--timeout=60s"])
        .await
        .success();
}

async fn succeeds(ns: &Namespace<'_>, name: &str) {
    let object = format!("whd/{name}");
    ns.kubectl(&["wait", &object, "--for=condition=Succeeded", "--timeout=60s"]).await.success();
}

async fn patch(ns: &Namespace<'_>, object: &str, patch: &Value) {
    ns.kubectl(&["patch", object, "--type=merge", "--patch", &patch.to_string()]).await.success();
}

async fn get(ns: &Namespace<'_>, object: &str) -> Value {
    let found = ns.kubectl(&["get", object, "--output=json"]).await.success();
    serde_json::from_str(&found).unwrap()
}

/// Waits until an object looks as `probe` wants it.
async fn shows(ns: &Namespace<'_>, object: &str, what: &str, probe: impl Fn(&Value) -> bool) -> Value {
    support::eventually(what, async || {
        let found = get(ns, object).await;
        if probe(&found) { Ok(found) } else { Err(found["status"].clone()) }
    })
    .await
}

/// The status and reason of a condition.
fn condition(object: &Value, about: &str) -> Option<(String, String)> {
    let conditions = object["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|it| it["type"] == about)?;
    Some((found["status"].as_str()?.to_owned(), found["reason"].as_str()?.to_owned()))
}

fn is(object: &Value, about: &str, status: &str, reason: &str) -> bool {
    condition(object, about) == Some((status.to_owned(), reason.to_owned()))
}

/// How often each event came.
fn by_event(requests: &[Request]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in requests {
        *counts.entry(request.event_id()).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn what_a_user_creates_is_sent_once_per_event_and_can_be_replayed() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("create").await;
    let receiver = Receiver::start().await;
    let mut operator = operator(&ns).await;
    ready(&ns, "orders", &receiver, json!({})).await;

    ns.apply(&delivery("first", ping("evt_1"))).await;
    succeeds(&ns, "first").await;
    let first = get(&ns, "whd/first").await;
    assert_eq!((&first["status"]["outcome"], &first["status"]["attempts"]), (&json!("Delivered"), &json!(1)));
    assert_eq!(first["status"]["observedGeneration"], first["metadata"]["generation"]);
    assert_eq!(first["status"]["eventID"], "evt_1");
    assert!(is(&first, "Ready", "True", "Delivered"));

    ns.apply(&delivery("second", ping("evt_1"))).await;
    succeeds(&ns, "second").await;
    assert_eq!(get(&ns, "whd/second").await["status"]["id"], first["status"]["id"]);
    let other = json!({ "event": { "id": "evt_1", "type": "test.ping", "data": { "hello": "moon" } } });
    ns.apply(&delivery("conflict", other)).await;
    shows(&ns, "whd/conflict", "the conflict", |it| is(it, "Succeeded", "False", "EventConflict")).await;

    assert!(operator.sigterm().await.success());
    operator.restart().await;
    ns.apply(&delivery("replay", json!({ "replayOf": { "name": "first" } }))).await;
    succeeds(&ns, "replay").await;
    assert_ne!(get(&ns, "whd/replay").await["status"]["id"], first["status"]["id"]);
    let requests = receiver.requests(2).await;
    assert_eq!(by_event(&requests), BTreeMap::from([("evt_1".to_owned(), 2)]));
    assert_eq!(requests[0].headers["x-pcf-delivery"], first["status"]["id"].as_str().unwrap());
    assert_ne!(requests[0].headers["x-pcf-delivery"], requests[1].headers["x-pcf-delivery"]);
}

#[tokio::test]
async fn an_object_that_cannot_be_sent_says_why_and_waits_where_that_helps() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("refuse").await;
    let receiver = Receiver::start().await;
    let _operator = operator(&ns).await;

    ns.apply(&delivery("early", ping("evt_1"))).await;
    let early =
        shows(&ns, "whd/early", "the wait", |it| is(it, "Reconciling", "True", "WebhookNotFound")).await;
    assert!(is(&early, "Succeeded", "Unknown", "WebhookNotFound"));
    ready(&ns, "orders", &receiver, json!({ "events": ["test.ping"] })).await;
    succeeds(&ns, "early").await;

    let sale = |ignore: bool| json!({ "event": { "type": "custom.sale" }, "ignoreFilters": ignore });
    ns.apply(&delivery("unwanted", sale(false))).await;
    let unwanted =
        shows(&ns, "whd/unwanted", "the refusal", |it| is(it, "Succeeded", "False", "NotSubscribed")).await;
    assert!(is(&unwanted, "Stalled", "True", "NotSubscribed"));
    ns.apply(&delivery("insisting", sale(true))).await;
    succeeds(&ns, "insisting").await;
    ns.apply(&delivery("copy", json!({ "replayOf": { "name": "nothing" } }))).await;
    shows(&ns, "whd/copy", "the wait", |it| is(it, "Reconciling", "True", "DeliveryNotFound")).await;

    let mut brief = ping("evt_2");
    brief["ttlSecondsAfterFinished"] = json!(1);
    ns.apply(&delivery("brief", brief)).await;
    support::eventually("the object to be deleted after its time", async || {
        let found = ns.kubectl(&["get", "whd/brief"]).await;
        if found.status.success() { Err(found.stdout) } else { Ok(()) }
    })
    .await;
    let kinds: Vec<_> =
        receiver.requests(3).await.iter().map(|it| it.headers["x-pcf-event"].clone()).collect();
    assert_eq!(kinds, ["test.ping", "custom.sale", "test.ping"]);
}

#[tokio::test]
async fn what_is_canceled_or_deleted_before_it_was_sent_is_never_sent() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("cancel").await;
    let receiver = Receiver::start().await;
    let operator = operator(&ns).await;
    ready(&ns, "orders", &receiver, json!({ "suspend": true })).await;
    for (name, id) in [("canceled", "evt_1"), ("deleted", "evt_2"), ("kept", "evt_3")] {
        ns.apply(&delivery(name, ping(id))).await;
        shows(&ns, &format!("whd/{name}"), "the delivery", |it| it["status"]["outcome"] == "Pending").await;
    }
    let deleted = get(&ns, "whd/deleted").await["status"]["id"].as_str().unwrap().to_owned();

    patch(&ns, "whd/canceled", &json!({ "spec": { "canceled": true } })).await;
    let canceled = shows(&ns, "whd/canceled", "the end", |it| it["status"]["outcome"] == "Canceled").await;
    assert!(is(&canceled, "Succeeded", "False", "Canceled"));
    ns.kubectl(&["delete", "whd/deleted"]).await.success();
    support::eventually("the deleted one to be canceled", async || {
        let found = operator.get(&ns, &format!("/v1/webhooks/deliveries/{deleted}")).await;
        if found["outcome"] == "Canceled" { Ok(()) } else { Err(found) }
    })
    .await;

    patch(&ns, "whk/orders", &json!({ "spec": { "suspend": false } })).await;
    succeeds(&ns, "kept").await;
    assert_eq!(by_event(&receiver.received()), BTreeMap::from([("evt_3".to_owned(), 1)]));
}

#[tokio::test]
async fn a_failed_delivery_is_retried_when_its_annotation_asks_for_it_once_per_value() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("annotate").await;
    let receiver =
        Receiver::answering(|nth, _| if nth > 2 { StatusCode::OK } else { StatusCode::BAD_GATEWAY }).await;
    let mut operator = operator(&ns).await;
    let once = json!({ "retry": { "maxAttempts": 2, "intervalsSeconds": [1] } });
    ready(&ns, "orders", &receiver, once).await;
    let event = json!({ "id": "evt_1", "type": "custom.sale", "data": {} });
    assert_eq!(operator.publish(&ns, &event).await.0, StatusCode::ACCEPTED);

    let view = view_of(&ns, "evt_1").await;
    let failed = shows(&ns, &view, "the end", |it| it["status"]["outcome"] == "Failed").await;
    assert!(is(&failed, "Stalled", "True", "AttemptsExhausted"));
    assert_eq!((&failed["status"]["attempts"], &failed["status"]["maxAttempts"]), (&json!(2), &json!(2)));
    assert!(failed["spec"]["event"].get("data").is_none());

    ns.kubectl(&["annotate", &view, "hookwright.dev/retry-requested-at=now"]).await.success();
    let delivered = shows(&ns, &view, "the retry", |it| it["status"]["outcome"] == "Delivered").await;
    assert_eq!(delivered["status"]["retryRequestedAt"], "now");
    assert_eq!(delivered["status"]["attempts"], 3);
    assert_eq!(delivered["status"]["history"].as_array().unwrap().len(), 3);

    // As a crash between the retry and its echo would leave it.
    assert!(operator.sigterm().await.success());
    let lost = r#"[{"op":"remove","path":"/status/retryRequestedAt"}]"#;
    let patch = ["patch", &view, "--subresource=status", "--type=json", "--patch", lost];
    ns.kubectl(&patch).await.success();
    operator.restart().await;
    shows(&ns, &view, "the echo again", |it| it["status"]["retryRequestedAt"] == "now").await;
    ns.apply(&delivery("marker", ping("evt_2"))).await;
    succeeds(&ns, "marker").await;
    assert_eq!(receiver.received().len(), 4, "the annotation was handled again");
}

/// The object that shows the delivery of an event.
async fn view_of(ns: &Namespace<'_>, event: &str) -> String {
    support::eventually("the delivery among the objects", async || {
        let selector = format!("--field-selector=status.eventID={event}");
        let found = ns.kubectl(&["get", "webhookdeliveries", &selector, "--output=name"]).await.success();
        found.lines().next().map(str::to_owned).ok_or(found)
    })
    .await
}

#[tokio::test]
async fn a_retrying_delivery_shows_its_next_attempt_and_the_webhook_its_health() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("retrying").await;
    let receiver = Receiver::answering(|nth, _| match nth {
        1 => StatusCode::BAD_GATEWAY,
        3 => StatusCode::GONE,
        _ => StatusCode::OK,
    })
    .await;
    let operator = operator(&ns).await;
    ready(&ns, "orders", &receiver, json!({ "retry": { "intervalsSeconds": [10] } })).await;
    let event = |id: &str| json!({ "id": id, "type": "custom.sale", "data": {} });
    operator.publish(&ns, &event("evt_1")).await;

    let view = view_of(&ns, "evt_1").await;
    let retrying = get(&ns, &view).await;
    assert_eq!(retrying["status"]["outcome"], "Retrying");
    assert!(retrying["status"]["nextAttemptTime"].is_string());
    assert_eq!(retrying["status"]["lastAttempt"]["responseCode"], 502);
    assert!(is(&retrying, "Succeeded", "Unknown", "Retrying"));
    let ill =
        shows(&ns, "whk/orders", "ill health", |it| is(it, "EndpointHealthy", "False", "HTTPStatus")).await;
    assert_eq!(ill["status"]["counts"]["retrying"], 1);
    assert!(ill["status"]["nextRetryTime"].is_string());
    assert_eq!(ill["status"]["lastFailure"]["responseCode"], 502);
    assert!(is(&ill, "Ready", "True", "Active"), "health is not readiness");

    let delivered = shows(&ns, &view, "the success", |it| it["status"]["outcome"] == "Delivered").await;
    assert!(delivered["status"].get("nextAttemptTime").is_none());
    let well = shows(&ns, "whk/orders", "health", |it| is(it, "EndpointHealthy", "True", "Delivered")).await;
    assert!(well["status"].get("nextRetryTime").is_none());

    operator.publish(&ns, &event("evt_2")).await;
    shows(&ns, "whk/orders", "that it is held", |it| is(it, "EndpointHealthy", "False", "Gone")).await;
}

#[tokio::test]
async fn two_hundred_events_leave_no_more_objects_than_the_limits_and_true_counts() {
    const EVENTS: u64 = 200;
    let cluster = support::cluster().await;
    let ns = cluster.namespace("limits").await;
    let (good, bad) = (Receiver::start().await, Receiver::answering(|_, _| StatusCode::BAD_REQUEST).await);
    let mut operator = operator(&ns).await;
    ready(&ns, "good", &good, json!({})).await;
    let once = json!({
        "retry": { "enabled": false }, "circuitBreaker": { "enabled": false }, "history": { "failedLimit": 5 },
    });
    ready(&ns, "bad", &bad, once).await;

    let mut most = 0;
    for n in 0..EVENTS {
        let event = json!({ "id": format!("evt_{n}"), "type": "custom.sale", "data": {} });
        assert_eq!(operator.publish(&ns, &event).await.0, StatusCode::ACCEPTED);
        if n % 20 == 0 {
            most = most.max(views(&ns).await.len());
        }
    }
    let expected = BTreeMap::from([("bad Failed".to_owned(), 5), ("good Delivered".to_owned(), 3)]);
    support::eventually("the views of the limits", async || {
        let views = views(&ns).await;
        most = most.max(views.len());
        let mut counts = BTreeMap::<String, u64>::new();
        for view in views {
            *counts.entry(view).or_default() += 1;
        }
        if counts == expected { Ok(()) } else { Err(counts) }
    })
    .await;
    assert!(most <= 8, "there were {most} objects");

    let counts = |name: &'static str, delivered: u64, failed: u64| {
        let expected = json!({ "pending": 0, "retrying": 0, "delivered": delivered, "failed": failed });
        (name, expected)
    };
    for (webhook, expected) in [counts("whk/good", EVENTS, 0), counts("whk/bad", 0, EVENTS)] {
        shows(&ns, webhook, "true counts", |it| it["status"]["counts"] == expected).await;
    }

    // Killed with an outcome that no status shows yet, and a status that is wrong.
    operator.publish(&ns, &json!({ "type": "custom.sale", "data": {} })).await;
    good.requests(usize::try_from(EVENTS).unwrap() + 1).await;
    operator.kill().await;
    let wrong =
        json!({ "status": { "counts": { "pending": 7, "retrying": 0, "delivered": 0, "failed": 0 } } });
    let arguments =
        ["patch", "whk/bad", "--subresource=status", "--type=merge", "--patch", &wrong.to_string()];
    ns.kubectl(&arguments).await.success();
    operator.restart().await;
    shows(&ns, "whk/good", "true counts again", |it| {
        let counts = &it["status"]["counts"];
        counts["pending"] == 0 && counts["delivered"].as_u64() > Some(EVENTS)
    })
    .await;
    shows(&ns, "whk/bad", "true counts again", |it| it["status"]["counts"]["failed"] == EVENTS + 1).await;
    assert!(views(&ns).await.len() <= 8);
}

#[tokio::test]
async fn over_budget_successes_make_room_for_failures_and_the_webhooks_say_so() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("budget").await;
    let (good, bad) = (Receiver::start().await, Receiver::answering(|_, _| StatusCode::BAD_REQUEST).await);
    let arguments = ["--egress-allow", "127.0.0.0/8", "--delivery-objects", "2"];
    let operator = Operator::start(cluster, &ns, &arguments).await;
    ready(&ns, "good", &good, json!({ "events": ["good.*"] })).await;
    ready(&ns, "bad", &bad, json!({ "events": ["bad.*"], "retry": { "enabled": false } })).await;

    for _ in 0..2 {
        operator.publish(&ns, &json!({ "type": "good.one", "data": {} })).await;
    }
    shows_views(&ns, &["good Delivered", "good Delivered"]).await;
    operator.publish(&ns, &json!({ "type": "bad.one", "data": {} })).await;
    shows_views(&ns, &["bad Failed", "good Delivered"]).await;
    let short = |it: &Value| is(it, "RecordsComplete", "False", "OverBudget");
    let good = shows(&ns, "whk/good", "that records are missing", short).await;
    assert!(is(&good, "Ready", "True", "Active"));
    assert_eq!(condition(&get(&ns, "whk/bad").await, "RecordsComplete"), None);
}

/// Waits until these views are there, and no others.
async fn shows_views(ns: &Namespace<'_>, expected: &[&str]) {
    support::eventually("the views", async || {
        let mut views = views(ns).await;
        views.sort();
        if views == expected { Ok(()) } else { Err(views) }
    })
    .await;
}

/// The webhook and the outcome of every view.
async fn views(ns: &Namespace<'_>) -> Vec<String> {
    let columns =
        "--output=jsonpath={range .items[*]}{.spec.webhookRef.name} {.status.outcome}{\"\\n\"}{end}";
    let label = "--selector=hookwright.dev/delivery";
    let found = ns.kubectl(&["get", "webhookdeliveries", label, columns]).await.success();
    found.lines().map(str::to_owned).collect()
}
