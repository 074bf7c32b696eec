//! What failed goes to the webhook that is named for it.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{self, Namespace, Operator, Receiver, Standalone, eventually, webhook};

const EGRESS: &[&str] = &["--egress-allow", "127.0.0.0/8"];

fn naming(target: &str) -> Value {
    json!({ "retry": { "enabled": false }, "deadLetter": { "webhookRef": { "name": target } } })
}

/// Waits until a condition of a webhook has this status and reason.
async fn until(ns: &Namespace<'_>, object: &str, condition: &str, expected: &str) {
    let path = format!(
        "--output=jsonpath={{range .status.conditions[?(@.type=='{condition}')]}}{{.status}}/{{.reason}}{{end}}"
    );
    eventually(expected, async || {
        let seen = ns.kubectl(&["get", object, &path]).await.success();
        if seen == expected { Ok(()) } else { Err(seen) }
    })
    .await;
}

/// The delivery of an event to a webhook, once it stands like this.
async fn delivery(operator: &Operator, ns: &Namespace<'_>, name: &str, outcome: &str) -> Value {
    let all = operator.get(ns, "/v1/webhooks").await;
    let found = all["data"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone();
    let path = format!("/v1/webhooks/{}/deliveries", found["id"].as_str().unwrap());
    eventually(outcome, async || {
        let listed = operator.get(ns, &path).await["deliveries"].clone();
        if listed[0]["outcome"] == outcome { Ok(listed[0].clone()) } else { Err(listed) }
    })
    .await
}

#[tokio::test]
async fn what_failed_goes_to_the_named_webhook_once_and_no_further() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("dead-letter").await;
    let bad = Receiver::answering(|_, _| StatusCode::BAD_GATEWAY).await;
    let backlog =
        Receiver::answering(|nth, _| if nth == 1 { StatusCode::OK } else { StatusCode::GONE }).await;
    let operator = Operator::start(cluster, &ns, EGRESS).await;
    ns.apply(&webhook("orders", &bad, naming("backlog"))).await;
    until(&ns, "whk/orders", "ResolvedRefs", "False/DeadLetterNotFound").await;
    until(&ns, "whk/orders", "Ready", "True/Active").await;
    let event = |id: &str| json!({ "id": id, "type": "custom.sale", "data": { "n": 1 } });
    operator.publish(&ns, &event("evt_1")).await;
    delivery(&operator, &ns, "orders", "Failed").await;
    let page = operator.metrics().await;
    assert!(page.contains("hookwright_dead_letters_missed_total 1\n"), "{page}");

    // It subscribes to nothing of the kind, and names the other one in turn.
    let mut spec = naming("orders");
    spec["events"] = json!(["test.ping"]);
    ns.apply(&webhook("backlog", &backlog, spec)).await;
    until(&ns, "whk/orders", "ResolvedRefs", "True/Resolved").await;
    until(&ns, "whk/backlog", "Ready", "True/Active").await;
    operator.publish(&ns, &event("evt_2")).await;
    let received = backlog.requests(1).await;
    assert_eq!((received[0].event_id(), received[0].attempt()), ("evt_2".to_owned(), 1));
    let letter = delivery(&operator, &ns, "backlog", "Delivered").await;
    let failed = delivery(&operator, &ns, "orders", "DeadLettered").await;
    assert_eq!((&letter["dead_letter_of"], &failed["dead_letter"]), (&failed["id"], &letter["id"]));
    assert_eq!(letter["id"], received[0].headers["x-pcf-delivery"].to_str().unwrap());
    let selector = format!("--selector=hookwright.dev/delivery={}", letter["id"].as_str().unwrap());
    let of = eventually("the object of the dead letter", async || {
        let path = "--output=jsonpath={.items[*].status.deadLetterOf}";
        let seen = ns.kubectl(&["get", "whd", &selector, path]).await.success();
        if seen.is_empty() { Err(seen) } else { Ok(seen) }
    })
    .await;
    assert_eq!(of, failed["id"].as_str().unwrap());

    // By hand once more: it fails again, and has its dead letter already.
    let retry = format!("/v1/webhooks/deliveries/{}/retry", failed["id"].as_str().unwrap());
    assert_eq!(operator.call(&ns, Method::POST, &retry, None).await.0, StatusCode::ACCEPTED);
    bad.requests(3).await;
    delivery(&operator, &ns, "orders", "DeadLettered").await;
    // A dead letter that fails is handed to nobody.
    operator.publish(&ns, &event("evt_3")).await;
    delivery(&operator, &ns, "backlog", "Failed").await;
    assert_eq!(backlog.received().len(), 2);
    assert_eq!(bad.received().len(), 4, "nothing came back");

    ns.kubectl(&["delete", "whk/backlog"]).await.success();
    until(&ns, "whk/orders", "ResolvedRefs", "False/DeadLetterNotFound").await;
}

#[tokio::test]
async fn a_webhook_cannot_name_itself_for_its_dead_letters() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("dead-letter-bad").await;
    let operator = Operator::start(cluster, &ns, EGRESS).await;
    let body = json!({
        "url": "https://a.example/", "events": ["*"], "dead_letter": { "webhook_ref": { "name": "backlog" } },
    });
    let (status, made) = operator.call(&ns, Method::POST, "/v1/webhooks", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(made["dead_letter"], body["dead_letter"]);
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    for (name, says) in
        [(made["name"].clone(), "another webhook"), (json!("A_b"), "name of an object"), (json!(1), "string")]
    {
        let change = json!({ "dead_letter": { "webhook_ref": { "name": name } } });
        let (status, problem) = operator.call(&ns, Method::PATCH, &path, Some(&change)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], "/dead_letter/webhook_ref/name", "{problem}");
        assert!(problem["errors"][0]["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    let (status, cleared) =
        operator.call(&ns, Method::PATCH, &path, Some(&json!({ "dead_letter": null }))).await;
    assert_eq!((status, cleared.get("dead_letter")), (StatusCode::OK, None));
}

#[tokio::test]
async fn standalone_hands_on_what_failed_and_says_where_that_is_impossible() {
    let bad = Receiver::answering(|_, _| StatusCode::BAD_GATEWAY).await;
    let backlog = Receiver::start().await;
    let key = "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}\n";
    let spec = |mut spec: Value| {
        spec["signing"] = json!({ "secretRef": { "name": "key" } });
        spec
    };
    let orders = webhook("orders", &bad, spec(naming("backlog")));
    let mut standalone = Standalone::start(&[("key.yaml", key), ("orders.yaml", &orders)], &[]).await;
    standalone.prints("there is no Webhook default/backlog; deliveries that fail end as Failed").await;
    let named = webhook("backlog", &backlog, spec(json!({ "events": ["test.ping"] })));
    standalone.write("backlog.yaml", &named);
    let received = eventually("the dead letter", async || {
        standalone.publish(&json!({ "type": "custom.sale", "data": {} })).await;
        let received = backlog.received();
        if received.is_empty() { Err(()) } else { Ok(received) }
    })
    .await;
    assert_eq!(received[0].headers["x-pcf-event"], "custom.sale");
    standalone.prints("dead-lettered").await;
}
