//! Only what is genuine, and of now, is believed.

use axum::body::Body;
use axum::http::{Request, header};
use hookwright_receiver::{Receiver, Router, SecretString, Verifier};
use serde_json::json;

use crate::support::{
    Seen, answer, app, event, genuine, now, secret, signed, signed_standard, status, verifier,
};

#[tokio::test]
async fn a_genuine_event_reaches_its_handlers() {
    let seen = Seen::default();
    let (app, work) = app(Receiver::new(seen.router()).unwrap());
    let received = answer(&app, genuine(&event("evt_1", "user.login"))).await;
    assert_eq!((received.0.as_u16(), received.1), (200, json!({ "received": true })));
    work.finish().await;
    assert_eq!(seen.all(), ["evt_1"]);
}

#[tokio::test]
async fn what_is_not_genuine_reaches_nobody() {
    let seen = Seen::default();
    let (app, work) = app(Receiver::new(seen.router()).unwrap());
    let body = event("evt_1", "user.login").to_string();
    let (now, foreign) = (now(), SecretString::from("whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcg=="));
    let tampered = {
        let (parts, _) = signed(&secret(), now, &body).into_parts();
        Request::from_parts(parts, Body::from(body.replace("evt_1", "evt_2")))
    };
    let unsigned = Request::post("/webhooks/pcf").body(Body::from(body.clone())).unwrap();
    let mut malformed = signed(&secret(), now, &body);
    malformed.headers_mut().insert("x-pcf-signature", "sha256=beef".parse().unwrap());
    for (what, request, expected) in [
        ("tampered", tampered, 401),
        ("of another secret", signed(&foreign, now, &body), 401),
        ("of Standard Webhooks with another secret", signed_standard(&[&foreign], "evt_1", &body), 401),
        ("too old", signed(&secret(), now - 310, &body), 400),
        ("too new", signed(&secret(), now + 310, &body), 400),
        ("not signed", unsigned, 400),
        ("malformed", malformed, 400),
        ("no event", signed(&secret(), now, "{}"), 400),
        ("no JSON", signed(&secret(), now, "payload"), 400),
    ] {
        let (status, told) = answer(&app, request).await;
        assert_eq!(status.as_u16(), expected, "{what}: {told}");
        assert!(!told["error"].as_str().unwrap().is_empty(), "{what}");
    }
    work.finish().await;
    assert_eq!(seen.all(), <[String; 0]>::default());
}

#[tokio::test]
async fn either_scheme_is_enough_and_any_secret_of_a_rotation() {
    let (old, new) = (SecretString::from("your_webhook_secret"), secret());
    let verifier = Verifier::new([new.clone(), old.clone()]);
    let (route, _work) = Receiver::new(Router::new()).unwrap().answer_last().serve(verifier);
    let app = axum::Router::new().route("/webhooks/pcf", route);
    let body = event("evt_1", "user.login").to_string();
    assert_eq!(status(&app, signed(&old, now(), &body)).await, 200);
    assert_eq!(status(&app, signed(&new, now(), &body)).await, 200);
    // The old one is no key of Standard Webhooks, which must not keep the new one from verifying.
    assert_eq!(status(&app, signed_standard(&[&new], "evt_1", &body)).await, 200);
    let mut both = signed(&old, now(), &body);
    both.headers_mut().extend(signed_standard(&[&new], "evt_1", &body).headers().clone());
    assert_eq!(status(&app, both).await, 200);
}

#[tokio::test]
async fn a_sender_that_rotates_is_believed_for_its_previous_signature() {
    let (app, _work) = app(Receiver::new(Router::new()).unwrap().answer_last());
    let body = event("evt_1", "user.login").to_string();
    let mut request = signed(&"the new one".into(), now(), &body);
    assert_eq!(status(&app, signed(&"the new one".into(), now(), &body)).await, 401);
    let previous = signed(&secret(), now(), &body).headers()["x-pcf-signature"].clone();
    request.headers_mut().insert("x-pcf-signature-previous", previous);
    assert_eq!(status(&app, request).await, 200);
}

#[tokio::test]
async fn a_form_carries_the_event_and_is_what_was_signed() {
    let seen = Seen::default();
    let (app, work) = app(Receiver::new(seen.router()).unwrap());
    let json = event("evt_1", "user.login").to_string();
    let form: String = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &json).finish();
    let as_form = |body: &str| {
        let mut request = signed(&secret(), now(), body);
        let form = "application/x-www-form-urlencoded".parse().unwrap();
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        request
    };
    assert_eq!(status(&app, as_form(&form)).await, 200);
    assert_eq!(status(&app, as_form("event=17")).await, 400);
    work.finish().await;
    assert_eq!(seen.all(), ["evt_1"]);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read() {
    let (route, _work) =
        Receiver::new(Router::new()).unwrap().answer_last().serve(verifier().max_body_bytes(1000));
    let app = axum::Router::new().route("/webhooks/pcf", route);
    let mut large = event("evt_1", "user.login");
    assert_eq!(status(&app, genuine(&large)).await, 200);
    large["data"] = json!("x".repeat(1000));
    assert_eq!(status(&app, genuine(&large)).await, 413);
}
