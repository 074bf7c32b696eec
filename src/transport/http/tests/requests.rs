//! What is sent.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use hookwright_engine::attempt::{Outcome, Verdict};
use hookwright_engine::endpoint::{
    ContentType, Header, HeaderName, PreviousKey, ReceiverUrl, Schemes, Signing,
};
use hookwright_engine::id::BatchId;
use hookwright_engine::time::Time;
use hookwright_engine::trace::Trace;
use proptest::prelude::*;
use sha2::Sha256;

use super::receiver::{OK, Receiver};
use super::*;
use crate::clock;

/// The signature, computed without the code under test.
fn signature(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(body);
    format!("sha256={:x}", Bytes::copy_from_slice(&mac.finalize().into_bytes()))
}

/// The signature of Standard Webhooks, computed without the code under test.
fn standard_signature(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

fn with(request: Request, change: impl FnOnce(&mut hookwright_engine::endpoint::Receiver)) -> Request {
    let mut receiver = (*request.receiver).clone();
    change(&mut receiver);
    Request { receiver: Arc::new(receiver), ..request }
}

fn header(name: &str, value: &str) -> Header {
    Header::new(HeaderName::parse(name).unwrap(), value.into()).unwrap()
}

#[tokio::test]
async fn a_request_has_the_headers_of_the_contract_and_the_body_as_it_is() {
    let mut receiver = Receiver::answering(OK).await;
    let before = clock::wall();
    let request = with(request(&format!("{}?key=a%20b", receiver.url())), |receiver| {
        receiver.headers = vec![header("X-Env", "production"), header("authorization", "Bearer \u{e9}\tx")];
    });
    let attempt = http().send(request).await;
    assert_eq!(attempt.outcome, Outcome::Responded { status: 200, retry_after: None });
    assert_eq!(attempt.response, b"ok");

    let captured = receiver.request().await;
    let timestamp = captured.header("x-pcf-timestamp").unwrap();
    let sent = Time::from_secs(timestamp.parse().unwrap());
    assert!(before.as_secs() <= sent.as_secs() && sent <= clock::wall());
    assert!(before <= attempt.started && attempt.started <= clock::wall());
    let signature = signature(SECRET, timestamp, BODY);
    assert_eq!(
        captured.head,
        [
            "POST /hook?key=a%20b HTTP/1.1",
            "content-type: application/json",
            concat!("user-agent: Hookwright/", env!("CARGO_PKG_VERSION")),
            &format!("x-pcf-signature: {signature}"),
            &format!("x-pcf-timestamp: {timestamp}"),
            "x-pcf-event: test.ping",
            "x-pcf-delivery: del_0000000000007",
            "x-env: production",
            "authorization: Bearer \u{e9}\tx",
            &format!("host: {}", receiver.address),
            &format!("content-length: {}", BODY.len()),
        ]
    );
    assert_eq!(captured.body, BODY);
}

#[tokio::test]
async fn the_receiver_is_told_the_trace_where_there_is_one() {
    let mut receiver = Receiver::answering(OK).await;
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for trace in [None, Some(Trace::parse(traceparent).unwrap())] {
        http().send(Request { trace, ..request(&receiver.url()) }).await;
        let told = receiver.request().await.header("traceparent").map(str::to_owned);
        assert_eq!(told.as_deref(), trace.map(|_| traceparent));
    }
}

#[tokio::test]
async fn the_previous_secret_signs_too_while_the_rotation_overlaps() {
    let mut receiver = Receiver::answering(OK).await;
    let http = http();
    for (until, signs) in [(clock::wall() + Duration::from_hours(1), true), (clock::wall(), false)] {
        let request = with(request(&receiver.url()), |receiver| {
            receiver.signing.previous = Some(PreviousKey { secret: "old secret".into(), until });
        });
        http.send(request).await;
        let captured = receiver.request().await;
        let timestamp = captured.header("x-pcf-timestamp").unwrap();
        assert_eq!(captured.header("x-pcf-signature"), Some(&*signature(SECRET, timestamp, BODY)));
        let previous = signs.then(|| signature("old secret", timestamp, BODY));
        assert_eq!(captured.header("x-pcf-signature-previous"), previous.as_deref());
    }
}

#[tokio::test]
async fn a_form_carries_the_json_in_one_field_and_the_signature_covers_the_form() {
    let mut receiver = Receiver::answering(OK).await;
    let mut request = with(request(&receiver.url()), |receiver| receiver.content_type = ContentType::Form);
    request.body = "{\"id\": \"evt_form\", \"a\": \"+&=%~é\"}".into();
    http().send(request.clone()).await;
    let captured = receiver.request().await;
    assert_eq!(captured.header("content-type"), Some("application/x-www-form-urlencoded"));
    let timestamp = captured.header("x-pcf-timestamp").unwrap();
    let signed = signature(SECRET, timestamp, &captured.body);
    assert_eq!(captured.header("x-pcf-signature"), Some(&*signed));
    let fields: Vec<_> = url::form_urlencoded::parse(&captured.body).into_owned().collect();
    assert_eq!(fields, [("payload".to_owned(), String::from_utf8(request.body.to_vec()).unwrap())]);
    assert!(captured.body.starts_with(b"payload=%7B%22id%22%3A%20%22evt_form%22%2C"), "{captured:?}");
}

#[tokio::test]
async fn standard_webhooks_signs_beside_or_instead_of_pcf_with_both_secrets_of_a_rotation() {
    let mut receiver = Receiver::answering(OK).await;
    let (http, until) = (http(), clock::wall() + Duration::from_hours(1));
    let old = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for (schemes, previous, signers) in [
        (Schemes::Both, None, &[SECRET][..]),
        (Schemes::Standard, Some(old), &[SECRET, old]),
        // The secret before may be of a time when PCF was the only scheme.
        (Schemes::Both, Some("old secret"), &[SECRET]),
    ] {
        let request = with(request(&receiver.url()), |receiver| {
            let previous = previous.map(|secret| PreviousKey { secret: secret.into(), until });
            receiver.signing = Signing { schemes, previous, ..receiver.signing.clone() };
        });
        http.send(request).await;
        let captured = receiver.request().await;
        assert_eq!(captured.header("webhook-id"), Some("evt_1"));
        let timestamp = captured.header("webhook-timestamp").unwrap();
        let signed: Vec<_> =
            signers.iter().map(|secret| standard_signature(secret, "evt_1", timestamp, BODY)).collect();
        assert_eq!(captured.header("webhook-signature"), Some(&*signed.join(" ")));
        let pcf = schemes.pcf().then(|| signature(SECRET, timestamp, BODY));
        assert_eq!(captured.header("x-pcf-signature"), pcf.as_deref());
        assert_eq!(captured.header("x-pcf-timestamp").is_some(), schemes.pcf());
        assert_eq!(captured.header("x-pcf-event"), Some("test.ping"));
    }
}

#[test]
fn a_secret_that_cannot_sign_a_scheme_is_our_fault() {
    let request = with(request("http://a.example/"), |receiver| {
        receiver.signing.schemes = Schemes::Standard;
        receiver.signing.current = "your_webhook_secret".into();
    });
    let error = super::super::request::build(&request, None, Time::from_secs(0)).unwrap_err();
    assert_eq!(super::super::failure::unbuildable(&error).verdict(), Verdict::Uncharged);
}

#[tokio::test]
async fn neither_a_url_nor_a_header_can_begin_another_header() {
    let mut receiver = Receiver::answering(OK).await;
    let http = http();
    for injection in ["?a=\r\nx-evil:%201", "?a=%0d%0ax-evil:%201", "/\r\n\r\nGET / HTTP/1.1"] {
        http.send(request(&format!("{}{injection}", receiver.url()))).await;
        let captured = receiver.request().await;
        assert_eq!(captured.header("x-evil"), None);
        assert_eq!((captured.head.len(), captured.body.as_slice()), (9, BODY));
    }
    for value in ["a\r\nx-evil: 1", "a\nx-evil: 1", "a\0b", "a\u{7f}"] {
        assert!(Header::new(HeaderName::parse("x-env").unwrap(), value.into()).is_err());
    }
}

#[test]
fn secrets_do_not_show_in_a_requests_debug_text() {
    let request = with(request("http://a.example/token"), |receiver| {
        receiver.headers = vec![header("x-key", "s3cr3t")];
    });
    let built = super::super::request::build(&request, None, Time::from_secs(0)).unwrap();
    assert!(!format!("{:?}", built.headers()).contains("s3cr3t"));
    assert!(!format!("{request:?}").contains(SECRET));
}

proptest! {
    /// A URL that the one parser takes and the other refuses could never be sent to.
    #[test]
    fn every_url_of_a_webhook_can_be_requested(rest in "[ -~é]{0,40}", host in "[a-z0-9.~_-]{1,20}") {
        for url in [format!("http://a.example/{rest}"), format!("https://{host}:8443?{rest}")] {
            if let Ok(url) = ReceiverUrl::parse(&url) {
                let uri = url.as_url().as_str().parse::<http::Uri>();
                prop_assert!(uri.is_ok(), "{}: {uri:?}", url.as_url());
            }
        }
    }
}

#[tokio::test]
async fn a_batch_goes_under_an_id_of_its_own_and_both_schemes_sign_the_body_as_it_is_sent() {
    let id = BatchId::of([7, 8].map(DeliveryId::from_u64));
    for content_type in [ContentType::Json, ContentType::Form] {
        let mut receiver = Receiver::answering(OK).await;
        let request = with(request(&receiver.url()), |receiver| {
            receiver.content_type = content_type;
            receiver.signing.schemes = Schemes::Both;
        });
        http().send(Request { contents: Contents::Batch(id), ..request }).await;

        let captured = receiver.request().await;
        let header = |name| captured.header(name).unwrap();
        assert_eq!(header("x-pcf-event"), "batch");
        assert_eq!([header("x-pcf-delivery"), header("webhook-id")], [id.to_string(), id.to_string()]);
        let timestamp = header("x-pcf-timestamp");
        assert_eq!(header("x-pcf-signature"), signature(SECRET, timestamp, &captured.body));
        assert_eq!(
            header("webhook-signature"),
            standard_signature(SECRET, &id.to_string(), timestamp, &captured.body)
        );
        let is_form = captured.body.starts_with(b"payload=");
        assert_eq!(is_form, content_type == ContentType::Form);
    }
}
