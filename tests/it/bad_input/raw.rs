//! Bodies that are no webhook at all, and signing secrets, which a manifest does not have.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{errors, with};
use crate::support::Standalone;

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_for_what_it_is() {
    const JSON: &str = "application/json";
    let standalone = Standalone::start(&[], &[]).await;
    let good = with("/active", &json!(true)).to_string();
    let deep = format!("{{\"url\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_objects = format!("{}1{}", r#"{"filters":"#.repeat(10_000), "}".repeat(10_000));
    let number = |number: &str| {
        let field = format!(r#""retry_policy":{{"max_attempts":{number}}}}}"#);
        good.replace('}', &format!(",{field}"))
    };
    let mut not_utf8 = good.clone().into_bytes();
    not_utf8.splice(2..2, [0xff, 0xfe]);
    for (content_type, body, status) in [
        (JSON, b"".to_vec(), 400),
        (JSON, b"{".to_vec(), 400),
        (JSON, b"null".to_vec(), 422),
        (JSON, b"[]".to_vec(), 422),
        (JSON, b"\"url\"".to_vec(), 422),
        (JSON, format!("{good}{good}").into_bytes(), 400),
        (JSON, not_utf8, 400),
        (JSON, deep.into_bytes(), 400),
        (JSON, deep_objects.into_bytes(), 400),
        (JSON, number("1e999").into_bytes(), 400),
        (JSON, number("99999999999999999999").into_bytes(), 422),
        (JSON, number("-9223372036854775809").into_bytes(), 422),
        (JSON, vec![b' '; 200_000], 413),
        ("", good.clone().into_bytes(), 415),
        ("text/plain", good.clone().into_bytes(), 415),
        ("application/x-www-form-urlencoded", b"url=https%3A%2F%2Fa.example".to_vec(), 415),
        ("application/merge-patch+json", good.clone().into_bytes(), 415),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let (answered, problem) = standalone.send("/v1/webhooks", content_type, body).await;
        assert_eq!(answered.as_u16(), status, "{content_type} {shown}: {problem}");
        assert_eq!(problem["status"], status, "{problem}");
    }
    let (_, listed) = standalone.call(Method::GET, "/v1/webhooks", None).await;
    assert_eq!(listed, json!({ "data": [] }));
    let (status, _) = standalone.send("/v1/webhooks", "application/json; charset=utf-8", good.into()).await;
    assert_eq!(status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_signing_secret_that_cannot_sign_is_refused_and_never_quoted() {
    let standalone = Standalone::start(&[], &[]).await;
    let standard = json!({ "schemes": ["StandardWebhooks"] });
    for (secret, signing) in [
        (json!(""), json!({})),
        (json!("314159\n"), json!({})),
        (json!("314159\r"), json!({})),
        (json!("314159".repeat(200)), json!({})),
        (json!(314_159), json!({})),
        (json!(null), json!({})),
        (json!(["314159"]), json!({})),
        // Only `whsec_` and base64 can sign by the standard scheme.
        (json!("314159-your_webhook_secret"), standard.clone()),
        (json!("whsec_314159!"), standard),
        (json!("314159"), json!({ "secret_ref": { "name": "key" } })),
    ] {
        let mut body = with("/config/secret", &secret);
        body["signing"] = signing;
        let (status, problem) = standalone.call(Method::POST, "/v1/webhooks", Some(&body)).await;
        assert_eq!(errors(status, &problem), ["/config/secret"], "{body}: {problem}");
        assert!(!problem.to_string().contains("314159"), "{problem}");
    }
    let forms: [Value; 4] =
        [json!("s"), json!("your_webhook_secret"), json!("whsec_abc123def456..."), json!("x".repeat(1024))];
    for secret in forms {
        let body = with("/config/secret", &secret);
        let (status, made) = standalone.call(Method::POST, "/v1/webhooks", Some(&body)).await;
        assert_eq!((status, &made["secret"]), (StatusCode::CREATED, &secret), "{made}");
    }
}
