//! Who is let in, before anything else is looked at.

use std::io;
use std::task::Poll;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, header};
use futures::stream;

use super::{Bench, EVENT, ask};
use crate::api::auth::{Access, Gate, Tokens};
use crate::api::routes;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The API, for whoever has the token.
async fn bench() -> Bench {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("ci: {TOKEN}")).unwrap();
    let (_, tokens) = Tokens::open(file.path().to_owned()).await.unwrap();
    let mut bench = Bench::new();
    bench.api.gate = Gate::Tokens(tokens);
    bench
}

#[tokio::test]
async fn callers_are_judged_before_their_bodies_are_read() {
    let bench = bench().await;
    for route in routes().into_iter().filter(|route| route.access != Access::Anybody) {
        let body = stream::poll_fn(|_| -> Poll<Option<io::Result<Bytes>>> { panic!("the body was read") });
        let body = Body::from_stream(body);
        let request = Request::builder().method(route.method.clone()).uri(route.path.replace("{id}", "x"));
        let request = request.header(header::CONTENT_TYPE, "application/json").body(body).unwrap();
        assert_eq!(ask(bench.router(), request).await.status, StatusCode::UNAUTHORIZED, "{route:?}");
    }
}

#[tokio::test]
async fn a_token_counts_from_wherever_it_is_sent() {
    let bench = bench().await;
    let foreign = Request::post("/v1/events")
        .header(header::HOST, "hooks.example")
        .header(header::ORIGIN, "https://app.example")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .body(Body::from(EVENT));
    assert_eq!(ask(bench.router(), foreign.unwrap()).await.status, StatusCode::ACCEPTED);
}
