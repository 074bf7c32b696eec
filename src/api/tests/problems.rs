//! Answers that no handler makes.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::routing::get;
use serde_json::json;

use super::{Answered, Bench, EVENT, ask};
use crate::api::auth::Access;
use crate::api::query::Call;
use crate::api::{Route, layers, route};

fn assert_problem(answer: &Answered, status: StatusCode) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(answer.body["status"], status.as_u16());
    assert!(answer.body["type"].as_str().unwrap().starts_with("https://hookwright.dev/problems/"));
    assert!(answer.body["title"].is_string() && answer.body["detail"].is_string());
}

#[tokio::test]
async fn the_router_answers_in_problems_too() {
    let bench = Bench::new();
    let unknown = bench.get("/v2/events").await;
    assert_problem(&unknown, StatusCode::NOT_FOUND);
    assert_eq!(unknown.body["detail"], "GET /v2/events");
    let method = bench.get("/v1/events").await;
    assert_problem(&method, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(method.headers[header::ALLOW], "POST");
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json() {
    let bench = Bench::new();
    for (content_type, status) in [
        (None, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (Some("text/plain"), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (Some("application/json; charset=utf-8"), StatusCode::ACCEPTED),
    ] {
        let mut request = Request::post("/v1/events");
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let answer = ask(bench.router(), request.body(Body::from(EVENT)).unwrap()).await;
        assert_eq!(answer.status, status, "{content_type:?}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_publish_through_a_browser() {
    let bench = Bench::new();
    let foreign = Request::post("/v1/events")
        .header(header::HOST, "127.0.0.1:8787")
        .header(header::ORIGIN, "https://evil.example")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(EVENT));
    assert_problem(&ask(bench.router(), foreign.unwrap()).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_panic_is_answered_and_hides_its_message() {
    async fn defect() -> &'static str {
        panic!("a secret")
    }
    let router = layers(Router::new().route("/", get(defect)));
    let answer = ask(router, Request::get("/").body(Body::empty()).unwrap()).await;
    assert_problem(&answer, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.body.to_string().contains("a secret"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_given_up() {
    let pending = Route::get("/", Access::Anybody, std::future::pending::<&'static str>);
    let router = layers(route::router(vec![pending], Bench::new().api));
    let answer = ask(router, Request::get("/").body(Body::empty()).unwrap()).await;
    assert_problem(&answer, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(answer.body["title"], json!("Request timeout"));
}

#[tokio::test]
async fn a_handler_gets_no_namespace_on_a_route_that_asks_for_no_right() {
    async fn careless(_: Call) -> &'static str {
        "done"
    }
    let router = layers(route::router(vec![Route::get("/", Access::Known, careless)], Bench::new().api));
    let answer = ask(router, Request::get("/?namespace=default").body(Body::empty()).unwrap()).await;
    assert_problem(&answer, StatusCode::INTERNAL_SERVER_ERROR);
}
