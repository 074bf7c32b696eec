//! Receivers that want a token, from the manifest to the request.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::support::{self, Namespace, Operator, Receiver, webhook};

/// A token server that grants `token-1`, `token-2` and so on to those who know this secret.
async fn token_server(secret: &'static str) -> Receiver {
    Receiver::answering(move |nth, request| {
        let form: Vec<_> = url::form_urlencoded::parse(&request.body).collect();
        let has = |name: &str, value: &str| form.iter().any(|(it, of)| it == name && of == value);
        if has("client_secret", secret) && has("client_id", "hookwright") && has("scope", "a b") {
            Json(
                json!({ "access_token": format!("token-{nth}"), "token_type": "bearer", "expires_in": 3600 }),
            )
            .into_response()
        } else {
            (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" }))).into_response()
        }
    })
    .await
}

fn secret(value: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "client" }, "stringData": { "secret": value },
    })
    .to_string()
}

async fn deliver(operator: &Operator, ns: &Namespace<'_>, id: &str) {
    let event = json!({ "id": id, "type": "resource.created", "data": {} });
    assert_eq!(operator.publish(ns, &event).await.0, StatusCode::ACCEPTED);
}

/// What the webhook's status says of its last failure.
async fn last_failure(ns: &Namespace<'_>, message: &str) -> Value {
    support::eventually(message, async || {
        let shown = ns.kubectl(&["get", "whk/orders", "--output=jsonpath={.status.lastFailure}"]).await;
        let failure: Value = serde_json::from_str(&shown.success()).unwrap_or_default();
        if failure["message"].as_str().unwrap_or_default().contains(message) {
            Ok(failure)
        } else {
            Err(failure)
        }
    })
    .await
}

#[tokio::test]
async fn a_receiver_gets_a_token_as_soon_as_the_clients_secret_is_right() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("oauth2").await;
    let (receiver, server) = (Receiver::start().await, token_server("right").await);
    let arguments = ["--egress-allow", "127.0.0.0/8", "--secret-poll-seconds", "1"];
    let operator = Operator::start(cluster, &ns, &arguments).await;
    ns.apply(&secret("wr0ng")).await;
    let oauth2 = json!({
        "tokenURL": server.url(), "clientID": "hookwright", "clientAuthentication": "Post",
        "clientSecretRef": { "name": "client", "key": "secret" }, "scopes": ["a", "b"],
    });
    let spec = json!({
        "request": { "authorization": { "oauth2": oauth2 } },
        "retry": { "maxAttempts": 50, "intervalsSeconds": [1], "maxIntervalSeconds": 1 },
    });
    ns.apply(&webhook("orders", &receiver, spec)).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();

    deliver(&operator, &ns, "evt_1").await;
    let failure = last_failure(&ns, "answered HTTP 401, invalid_client").await;
    assert_eq!(failure["reason"], "AuthorizationFailure");
    assert!(!failure.to_string().contains("wr0ng"), "{failure}");
    assert!(receiver.received().is_empty());
    ns.apply(&secret("right")).await;
    let token = receiver.requests(1).await[0].headers["authorization"].clone();
    assert!(token.to_str().unwrap().starts_with("Bearer token-"), "{token:?}");

    let granted = server.received().len();
    deliver(&operator, &ns, "evt_2").await;
    assert_eq!(receiver.requests(2).await[1].headers["authorization"], token);
    assert_eq!(server.received().len(), granted);
    let shown = ns.kubectl(&["get", "whk,whd", "--output=yaml"]).await.success();
    assert!(!shown.contains("token-") && !shown.contains("wr0ng"), "{shown}");
}
