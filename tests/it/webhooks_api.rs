//! Webhooks through the REST API, and the same ones through kubectl.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{self, Namespace, Operator, Receiver, webhook};

const EGRESS: &[&str] = &["--egress-allow", "127.0.0.0/8"];

/// The field of an object, as kubectl shows it.
async fn field(ns: &Namespace<'_>, object: &str, path: &str) -> String {
    ns.kubectl(&["get", object, &format!("--output=jsonpath={path}")]).await.success()
}

#[tokio::test]
async fn a_webhook_made_here_is_an_object_there_and_delivers_at_once() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("rest").await;
    let receiver = Receiver::start().await;
    let operator = Operator::start(cluster, &ns, EGRESS).await;
    let body = json!({
        "url": receiver.url(), "events": ["resource.created", "resource.deleted"], "active": true,
        "config": { "content_type": "application/json", "insecure_ssl": false, "secret": "your_webhook_secret",
                    "headers": { "X-Env": "test" } },
        "description": "Production webhook for resource events",
    });
    let (status, made) = operator.call(&ns, Method::POST, "/v1/webhooks", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(
        (&made["url"], &made["events"], &made["active"], &made["secret"]),
        (&body["url"], &body["events"], &json!(true), &json!("your_webhook_secret"))
    );
    let name = made["name"].as_str().unwrap();
    assert!(name.starts_with("webhook-") && made["created_at"].is_string(), "{made}");

    let event = json!({ "type": "resource.created", "data": {} });
    let (_, accepted) = operator.publish(&ns, &event).await;
    assert_eq!(accepted["deliveries"].as_array().unwrap().len(), 1);
    let request = receiver.requests(1).await.remove(0);
    support::verify(&request, "your_webhook_secret");
    assert_eq!(request.headers["x-env"], "test");

    let object = format!("whk/{name}");
    assert_eq!(field(&ns, &object, "{.spec.description}").await, "Production webhook for resource events");
    let uid = field(&ns, &object, "{.metadata.uid}").await;
    let secret = format!("secret/{name}-signing");
    assert_eq!(field(&ns, &secret, "{.metadata.ownerReferences[0].uid}").await, uid);

    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let shown = support::eventually("the last delivery", async || {
        let (_, shown) = operator.call(&ns, Method::GET, &path, None).await;
        if shown["last_delivery"]["delivered"] == true { Ok(shown) } else { Err(shown) }
    });
    let shown = shown.await;
    assert_eq!(shown["last_delivery"]["response_code"], 200);
    assert_eq!(shown["config"]["headers"], json!({ "X-Env": "test" }));
    assert_eq!(shown["config"]["insecure_ssl"], false);
    assert!(shown.get("secret").is_none(), "the secret is shown again");

    ns.kubectl(&["patch", &object, "--type=merge", "--patch", r#"{"spec":{"suspend":true}}"#])
        .await
        .success();
    let (_, shown) = operator.call(&ns, Method::GET, &path, None).await;
    assert_eq!(shown["active"], false);

    let (status, _) = operator.call(&ns, Method::DELETE, &path, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = operator.call(&ns, Method::GET, &path, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (_, accepted) = operator.publish(&ns, &event).await;
    assert_eq!(accepted["deliveries"], json!([]));
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_leaves_alone_what_others_own() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("patch").await;
    let receiver = Receiver::start().await;
    let operator = Operator::start(cluster, &ns, EGRESS).await;
    let spec = json!({ "retry": { "maxAttempts": 3, "enabled": true }, "events": ["a.*"] });
    let manifest = webhook("orders", &receiver, spec);
    let apply =
        ["--namespace", ns.name(), "apply", "--server-side", "--field-manager=argocd", "--filename=-"];
    cluster.kubectl_with_input(&apply, &manifest).await.success();
    let id = support::eventually("the webhook's id", async || {
        let id = field(&ns, "whk/orders", "{.status.id}").await;
        if id.is_empty() { Err(id) } else { Ok(id) }
    });
    let path = format!("/v1/webhooks/{}", id.await);

    for (body, pointer) in [
        (json!({ "events": ["a.*", "user.login"] }), "/events"),
        (json!({ "retry_policy": { "max_attempts": 4 } }), "/retry_policy/max_attempts"),
        (json!({ "config": { "retry": { "enabled": null } } }), "/config/retry/enabled"),
    ] {
        let (status, problem) = operator.call(&ns, Method::PATCH, &path, Some(&body)).await;
        assert_eq!(status, StatusCode::CONFLICT, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("owned by argocd"), "{problem}");
    }

    let body = json!({ "description": "mine", "retry_policy": { "timeout": 7 }, "config": { "headers": { "X-A": "1" } } });
    let (status, shown) = operator.call(&ns, Method::PATCH, &path, Some(&body)).await;
    assert_eq!((status, &shown["description"]), (StatusCode::OK, &json!("mine")), "{shown}");
    assert_eq!(shown["retry_policy"], json!({ "max_attempts": 3, "enabled": true, "timeout": 7 }));
    // The owner goes on owning, unopposed.
    cluster
        .kubectl_with_input(&apply, &manifest.replace("\"maxAttempts\":3", "\"maxAttempts\":5"))
        .await
        .success();

    let body = json!({ "description": null, "config": { "headers": { "X-A": null, "X-B": "2" } } });
    let (_, shown) = operator.call(&ns, Method::PATCH, &path, Some(&body)).await;
    assert_eq!(shown["config"]["headers"], json!({ "X-B": "2" }));
    assert!(shown.get("description").is_none());
    assert_eq!(shown["retry_policy"]["max_attempts"], 5);
}

#[tokio::test]
async fn a_rotated_secret_signs_from_the_answer_on_and_the_one_before_beside_it() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("rotate").await;
    let receiver = Receiver::start().await;
    let operator = Operator::start(cluster, &ns, EGRESS).await;
    // One made by kubectl, whose Secret the controller generates.
    ns.apply(&webhook("orders", &receiver, json!({}))).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
    let id = field(&ns, "whk/orders", "{.status.id}").await;
    let (status, rotated) =
        operator.call(&ns, Method::POST, &format!("/v1/webhooks/{id}/secret/rotate"), None).await;
    assert_eq!(status, StatusCode::OK, "{rotated}");
    let secret = rotated["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"));
    operator.publish(&ns, &json!({ "type": "a.b", "data": {} })).await;
    let request = receiver.requests(1).await.remove(0);
    support::verify(&request, secret);
    assert!(request.headers.contains_key("x-pcf-signature-previous"));

    let body = json!({ "config": { "secret": "chosen" } });
    let (status, _) = operator.call(&ns, Method::PATCH, &format!("/v1/webhooks/{id}"), Some(&body)).await;
    assert_eq!(status, StatusCode::OK);
    operator.publish(&ns, &json!({ "type": "a.b", "data": {} })).await;
    support::verify(&receiver.requests(2).await[1], "chosen");
}

#[tokio::test]
async fn webhooks_are_listed_page_by_page() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("list").await;
    let receiver = Receiver::start().await;
    let operator = Operator::start(cluster, &ns, EGRESS).await;
    for name in ["a", "b", "c"] {
        ns.apply(&webhook(name, &receiver, json!({ "events": ["resource.*"] }))).await;
    }
    let url = |query: &str| format!("{}/v1/webhooks?namespace={}{query}", operator.url(), ns.name());
    let names = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    let get = async |query: &str| operator.client().get(url(query)).send().await.unwrap();
    let first: Value = get("&limit=2").await.json().await.unwrap();
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["data"][0]["events"], json!(["resource.*"]));
    let cursor = first["next_cursor"].as_str().unwrap();
    let last: Value = get(&format!("&limit=2&cursor={cursor}")).await.json().await.unwrap();
    assert_eq!(names(&last), ["c"]);
    assert!(last.get("next_cursor").is_none());
    for query in ["&limit=0", "&limit=501", "&cursor=%00", "&offset=1"] {
        let answer = get(query).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{query}");
    }
}

#[tokio::test]
async fn a_bad_body_is_refused_field_by_field_and_leaves_nothing_behind() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("bad-body").await;
    let operator = Operator::start(cluster, &ns, &[]).await;
    for (body, pointer) in [
        (json!({ "url": "https://u:p@a.example/", "events": ["*"] }), "/url"),
        (json!({ "url": "https://a.example/", "events": ["a.*.b"] }), "/events/0"),
        (
            json!({ "url": "https://a.example/", "events": ["*"], "retry_policy": { "max_attempts": 0 } }),
            "/retry_policy/max_attempts",
        ),
        (
            json!({ "url": "https://a.example/", "events": ["*"], "config": { "headers": { "Host": "x" } } }),
            "/config/headers/Host",
        ),
        (json!({ "url": "https://a.example/", "events": ["*"], "secret": "x" }), "/secret"),
    ] {
        let (status, problem) = operator.call(&ns, Method::POST, "/v1/webhooks", Some(&body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        let at = problem["errors"][0]["pointer"].as_str().unwrap();
        assert!(at.starts_with(pointer), "{problem}");
    }
    assert_eq!(ns.kubectl(&["get", "whk,secrets", "--output=name"]).await.success(), "");
    let elsewhere = cluster.namespace("elsewhere").await;
    let body = json!({ "url": "https://a.example/", "events": ["*"] });
    let (status, problem) = operator.call(&elsewhere, Method::POST, "/v1/webhooks", Some(&body)).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
}

#[tokio::test]
async fn a_test_sends_once_and_tells_what_the_receiver_said() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("trial").await;
    let receiver = Receiver::answering(|nth, _| match nth {
        1 => (StatusCode::OK, r#"{"received":true}"#),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "no"),
    });
    let receiver = receiver.await;
    let operator = Operator::start(cluster, &ns, EGRESS).await;
    let body = json!({ "url": receiver.url(), "events": ["resource.*"] });
    let (_, made) = operator.call(&ns, Method::POST, "/v1/webhooks", Some(&body)).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let test = format!("{path}/test");

    let ping = json!({ "event_type": "test.ping", "data": { "message": "Test webhook delivery" } });
    let (status, tried) = operator.call(&ns, Method::POST, &test, Some(&ping)).await;
    assert_eq!(status, StatusCode::OK, "{tried}");
    assert_eq!(
        (&tried["delivered"], &tried["response_code"], &tried["response_body"]),
        (&json!(true), &json!(200), &json!(r#"{"received":true}"#))
    );
    assert!(tried["response_time_ms"].is_u64());
    support::verify(&receiver.received()[0], made["secret"].as_str().unwrap());

    let (_, tried) = operator.call(&ns, Method::POST, &test, Some(&json!({}))).await;
    assert_eq!((&tried["delivered"], &tried["response_code"]), (&json!(false), &json!(500)));
    let delivery = format!("/v1/webhooks/deliveries/{}", tried["delivery_id"].as_str().unwrap());
    let (_, ended) = operator.call(&ns, Method::GET, &delivery, None).await;
    assert_eq!((&ended["outcome"], &ended["attempts"]), (&json!("Failed"), &json!(1)), "{ended}");

    let (status, metrics) = operator.call(&ns, Method::GET, "/metrics/webhooks", None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(metrics["deliveries"]["successful"], 1, "{metrics}");
    assert_eq!(metrics["errors"], json!({ "500": 1 }));
    assert!(metrics["latency"]["p99"].is_u64() && metrics["latency"]["average"].is_number());

    let (status, _) = operator.call(&ns, Method::POST, &test, Some(&json!({ "event_type": "a b" }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    operator.call(&ns, Method::PATCH, &path, Some(&json!({ "active": false }))).await;
    let (status, problem) = operator.call(&ns, Method::POST, &test, Some(&json!({}))).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn a_signing_secret_of_the_users_own_is_not_rotated_here() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("own-secret").await;
    let operator = Operator::start(cluster, &ns, &[]).await;
    let body = json!({
        "url": "https://a.example/", "events": ["*"], "signing": { "secret_ref": { "name": "key" } },
    });
    let (status, made) = operator.call(&ns, Method::POST, "/v1/webhooks", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert!(made.get("secret").is_none());
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let (status, problem) = operator.call(&ns, Method::POST, &format!("{path}/secret/rotate"), None).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("Secret 'key'"), "{problem}");
    let body = json!({ "config": { "secret": "chosen" } });
    let (status, problem) = operator.call(&ns, Method::PATCH, &path, Some(&body)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["errors"][0]["pointer"], "/config/secret");
    assert_eq!(ns.kubectl(&["get", "secrets", "--output=name"]).await.success(), "", "none was made");
}

#[tokio::test]
async fn of_patches_at_the_same_time_none_is_lost() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("at-once").await;
    let operator = Operator::start(cluster, &ns, &[]).await;
    let body = json!({ "url": "https://a.example/", "events": ["*"] });
    let (_, made) = operator.call(&ns, Method::POST, "/v1/webhooks", Some(&body)).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let patches = [
        json!({ "description": "mine" }),
        json!({ "retry_policy": { "max_attempts": 3 } }),
        json!({ "config": { "headers": { "X-A": "1" } } }),
        json!({ "filters": { "user_ids": ["user_1"] } }),
    ];
    let answers = patches.iter().map(|patch| operator.call(&ns, Method::PATCH, &path, Some(patch)));
    for (status, answer) in futures::future::join_all(answers).await {
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let (_, shown) = operator.call(&ns, Method::GET, &path, None).await;
    assert_eq!(
        (&shown["description"], &shown["retry_policy"]["max_attempts"]),
        (&json!("mine"), &json!(3)),
        "{shown}"
    );
    assert_eq!(shown["config"]["headers"], json!({ "X-A": "1" }), "{shown}");
    assert_eq!(shown["filters"], json!({ "user_ids": ["user_1"] }), "{shown}");
}
