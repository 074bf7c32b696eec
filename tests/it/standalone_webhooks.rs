//! Webhooks through the REST API without a cluster: kept in the database, beside those of the folder.

use std::fs;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{self, Receiver, Request, Standalone, webhook};

const KEY: &str = "
apiVersion: v1
kind: Secret
metadata: { name: key }
stringData: { secret: s3cr3t, token: t0k3n }
";

/// Makes a webhook of all events, with these fields beside.
async fn made(standalone: &Standalone, receiver: &Receiver, mut body: Value) -> Value {
    body["url"] = receiver.url().into();
    body["events"] = json!(["*"]);
    let (status, made) = standalone.call(Method::POST, "/v1/webhooks", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made
}

fn path(webhook: &Value) -> String {
    format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap())
}

async fn publish(standalone: &Standalone) {
    standalone.publish(&json!({ "type": "a.b", "data": {} })).await;
}

/// Checks what the previous key has signed.
fn verify_previous(request: &Request, secret: &str) {
    let mut request = request.clone();
    let previous = request.headers["x-pcf-signature-previous"].clone();
    request.headers.insert("x-pcf-signature", previous);
    support::verify(&request, secret);
}

#[tokio::test]
async fn a_webhook_is_kept_as_it_was_changed_last_until_it_is_deleted() {
    let receiver = Receiver::start().await;
    let mut standalone = Standalone::start(&[], &[]).await;
    let made = made(&standalone, &receiver, json!({ "config": { "secret": "your_webhook_secret" } })).await;
    assert_eq!(made["secret"], "your_webhook_secret");
    let body = json!({ "description": "mine", "config": { "headers": { "X-A": "1" } } });
    let (status, changed) = standalone.call(Method::PATCH, &path(&made), Some(&body)).await;
    assert_eq!((status, &changed["description"]), (StatusCode::OK, &json!("mine")), "{changed}");
    assert!(changed.get("secret").is_none());
    publish(&standalone).await;
    let request = receiver.requests(1).await.remove(0);
    support::verify(&request, "your_webhook_secret");
    assert_eq!(request.headers["x-a"], "1");

    assert!(standalone.stop().await.0.success());
    standalone.restart().await;
    let (_, shown) = standalone.call(Method::GET, &path(&made), None).await;
    assert_eq!(
        (&shown["id"], &shown["created_at"], &shown["description"]),
        (&made["id"], &made["created_at"], &json!("mine"))
    );
    publish(&standalone).await;
    support::verify(&receiver.requests(2).await[1], "your_webhook_secret");

    let (status, _) = standalone.call(Method::DELETE, &path(&made), None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = standalone.call(Method::GET, &path(&made), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(standalone.stop().await.0.success());
    standalone.restart().await;
    let (_, listed) = standalone.call(Method::GET, "/v1/webhooks", None).await;
    assert_eq!(listed, json!({ "data": [] }));
}

#[tokio::test]
async fn a_key_that_was_replaced_signs_beside_its_successor_across_a_restart() {
    let receiver = Receiver::start().await;
    let mut standalone = Standalone::start(&[], &[]).await;
    let made = made(&standalone, &receiver, json!({})).await;
    let first = made["secret"].as_str().unwrap();
    assert!(first.starts_with("whsec_"));
    let (status, rotated) =
        standalone.call(Method::POST, &format!("{}/secret/rotate", path(&made)), None).await;
    assert_eq!(status, StatusCode::OK, "{rotated}");
    let second = rotated["secret"].as_str().unwrap();
    for count in [1, 2] {
        publish(&standalone).await;
        let request = receiver.requests(count).await.remove(count - 1);
        support::verify(&request, second);
        verify_previous(&request, first);
        assert!(standalone.stop().await.0.success());
        standalone.restart().await;
    }
    let body = json!({ "signing": { "rotation": { "overlap_seconds": 0 } } });
    let (status, _) = standalone.call(Method::PATCH, &path(&made), Some(&body)).await;
    assert_eq!(status, StatusCode::OK);
    publish(&standalone).await;
    let request = receiver.requests(3).await.remove(2);
    support::verify(&request, second);
    assert!(!request.headers.contains_key("x-pcf-signature-previous"), "a shorter overlap ends it");
}

#[tokio::test]
async fn what_the_folder_owns_is_changed_there() {
    let receiver = Receiver::start().await;
    let orders = webhook("orders", &receiver, json!({ "signing": { "secretRef": { "name": "key" } } }));
    let standalone = Standalone::start(&[("orders.yaml", &orders), ("key.yaml", KEY)], &[]).await;
    let (_, listed) = standalone.call(Method::GET, "/v1/webhooks", None).await;
    let path = path(&listed["data"][0]);
    for (method, path, body) in [
        (Method::PATCH, path.clone(), Some(json!({ "active": false }))),
        (Method::PATCH, path.clone(), Some(json!({ "signing": null, "config": { "secret": "x" } }))),
        (Method::DELETE, path.clone(), None),
    ] {
        let (status, problem) = standalone.call(method, &path, body.as_ref()).await;
        assert_eq!(status, StatusCode::CONFLICT, "{problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with("owned by orders.yaml: "), "{problem}");
    }
    let (status, problem) = standalone.call(Method::POST, &format!("{path}/secret/rotate"), None).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("Secret 'key'"), "{problem}");
    let (status, shown) = standalone.call(Method::PATCH, &path, Some(&json!({ "active": true }))).await;
    assert_eq!((status, &shown["active"]), (StatusCode::OK, &json!(true)), "nothing is to be changed");
}

#[tokio::test]
async fn where_a_file_has_a_webhook_of_the_same_name_it_counts() {
    let (kept, filed) = (Receiver::start().await, Receiver::start().await);
    let mut standalone = Standalone::start(&[("key.yaml", KEY)], &[]).await;
    let made = made(&standalone, &kept, json!({})).await;
    let name = made["name"].as_str().unwrap();
    let manifest = webhook(name, &filed, json!({ "signing": { "secretRef": { "name": "key" } } }));
    standalone.write("orders.yaml", &manifest);
    standalone.prints(&format!("the database: Webhook default/{name} is in orders.yaml, document 1")).await;
    publish(&standalone).await;
    filed.requests(1).await;
    let (status, problem) =
        standalone.call(Method::PATCH, &path(&made), Some(&json!({ "active": false }))).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");

    fs::remove_file(standalone.manifests().join("orders.yaml")).unwrap();
    support::eventually("the one that is kept", async || {
        let (_, shown) = standalone.call(Method::GET, &path(&made), None).await;
        if shown["url"] == kept.url() { Ok(()) } else { Err(shown) }
    })
    .await;
    publish(&standalone).await;
    kept.requests(1).await;
    assert_eq!(filed.received().len(), 1);
}

#[tokio::test]
async fn it_takes_its_secrets_from_the_folder_and_the_folders_deliveries() {
    let receiver = Receiver::start().await;
    let mut standalone = Standalone::start(&[("key.yaml", KEY)], &[]).await;
    let reference = |key: &str| json!({ "name": "key", "key": key });
    let body = json!({
        "signing": { "secret_ref": { "name": "key" } },
        "config": { "headers": { "X-Token": { "value_from": { "secret_key_ref": reference("token") } } } },
    });
    let made = made(&standalone, &receiver, body).await;
    assert!(made.get("secret").is_none(), "it is the folder's");
    let ping = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "WebhookDelivery", "metadata": { "name": "ping" },
        "spec": { "webhookRef": { "name": made["name"] }, "event": { "type": "a.b" } },
    });
    standalone.write("ping.json", &ping.to_string());
    let request = receiver.requests(1).await.remove(0);
    support::verify(&request, "s3cr3t");
    assert_eq!(request.headers["x-token"], "t0k3n");

    // With a key of its own it needs the folder's no more.
    let body = json!({ "signing": { "secret_ref": null }, "config": { "secret": "own", "headers": null } });
    let (status, changed) = standalone.call(Method::PATCH, &path(&made), Some(&body)).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    fs::remove_file(standalone.manifests().join("key.yaml")).unwrap();
    assert!(standalone.stop().await.0.success());
    standalone.restart().await;
    publish(&standalone).await;
    support::verify(&receiver.requests(2).await[1], "own");
}
