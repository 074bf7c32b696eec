//! What nobody should be able to say of a webhook, said through the REST API and through kubectl.

mod raw;
mod table;

use axum::http::{Method, StatusCode};
use hookwright::crd::Webhook;
use kube::core::CustomResourceExt;
use serde_json::{Value, json};

use crate::custom_resources::apply;
use crate::support::{Standalone, cluster};

/// Something wrong, as a request and as a manifest say it.
struct Row {
    /// Where a body has it.
    pointer: String,
    said: Value,
    /// Where the spec of a manifest has it.
    path: String,
    written: Value,
}

/// A webhook that nothing is wrong with but this, which is at this place.
fn with(pointer: &str, value: &Value) -> Value {
    let mut webhook = json!({ "url": "https://a.example/hook", "events": ["resource.*"] });
    let names = pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"));
    *names.fold(&mut webhook, |object, name| &mut object[name]) = value.clone();
    webhook
}

/// The errors of a refusal, which must be one of the input.
fn errors(status: StatusCode, problem: &Value) -> Vec<String> {
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["type"], "https://hookwright.dev/problems/invalid-field");
    let errors = problem["errors"].as_array().unwrap().iter();
    errors.map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_request_with_it_is_refused_at_its_pointer_and_changes_nothing() {
    let standalone = Standalone::start(&[], &[]).await;
    let good = with("/active", &json!(true));
    let (_, made) = standalone.call(Method::POST, "/v1/webhooks", Some(&good)).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let (_, before) = standalone.call(Method::GET, &path, None).await;
    for Row { pointer, said, .. } in table::rows() {
        let body = with(&pointer, &said);
        for (method, path) in [(Method::POST, "/v1/webhooks"), (Method::PATCH, &path)] {
            let (status, problem) = standalone.call(method.clone(), path, Some(&body)).await;
            let errors = errors(status, &problem);
            assert!(errors.iter().any(|at| at.starts_with(&pointer)), "{method} {body}: {problem}");
        }
    }
    let (_, after) = standalone.call(Method::GET, &path, None).await;
    assert_eq!(after, before);
    let (_, listed) = standalone.call(Method::GET, "/v1/webhooks", None).await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_manifest_with_it_is_refused_with_its_field() {
    let ns = cluster().await.namespace("bad-input").await;
    for Row { path, written, .. } in table::rows() {
        let spec = with(&path, &written);
        let answer = apply(&ns, &Webhook::api_resource(), &spec, true).await;
        let refused = answer.expect_err(&spec.to_string());
        let top = path.split('/').nth(1).unwrap();
        assert!(refused.contains(&format!("spec.{top}")) || refused.contains("spec: "), "{spec}: {refused}");
    }
}
