//! Receivers behind TLS.

use rustls::RootCertStore;
use rustls::version::{TLS12, TLS13};
use tokio::io::AsyncWriteExt;

use super::receiver::{Connection, OK, Receiver};
use super::secure::{Authority, Secure};
use super::*;

async fn speaking(authority: &Authority, protocols: &[&str]) -> Secure {
    Secure::serving(authority.server(None, &[&TLS13, &TLS12]), protocols).await
}

/// Trusts somebody, but none of the receivers.
fn trusting_a_stranger() -> Http {
    Http::with_roots(Options { policy: loopback() }, Authority::new().roots()).unwrap()
}

#[tokio::test]
async fn the_newest_protocol_that_both_sides_know_is_spoken() {
    for (protocols, version) in
        [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1"), (&[], "HTTP/1.1")]
    {
        let authority = Authority::new();
        let receiver = speaking(&authority, protocols).await;
        let http = Http::with_roots(Options { policy: loopback() }, authority.roots()).unwrap();
        for _ in 0..2 {
            let attempt = http.send(request(&receiver.url("localhost"))).await;
            assert_eq!(attempt.outcome, Outcome::Responded { status: 200, retry_after: None });
            assert_eq!(attempt.response, version.as_bytes());
        }
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_a_tls_failure() {
    let receiver = speaking(&Authority::new(), &[]).await;
    let (reason, message) = failure(trusting_a_stranger().send(request(&receiver.url("localhost"))).await);
    assert_eq!(reason, FailureReason::Tls);
    assert!(message.starts_with("failed to agree on TLS with localhost:"), "{message}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_a_tls_failure() {
    let authority = Authority::new();
    let receiver = speaking(&authority, &[]).await;
    let http = Http::with_roots(Options { policy: loopback() }, authority.roots()).unwrap();
    let (reason, _) = failure(http.send(request(&receiver.url("127.0.0.1"))).await);
    assert_eq!(reason, FailureReason::Tls);
}

#[tokio::test]
async fn a_receiver_without_tls_behind_an_https_url_is_a_tls_failure() {
    let receiver = Receiver::serving(async |mut connection: Connection| {
        connection.stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await?;
        connection.closed().await;
        Ok(())
    })
    .await;
    let http = trusting_a_stranger();
    let (reason, _) = failure(http.send(request(&format!("https://{}/", receiver.address))).await);
    assert_eq!(reason, FailureReason::Tls);
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_bounded_by_the_connect_timeout() {
    let receiver = Receiver::serving(async |mut connection: Connection| {
        connection.closed().await;
        Ok(())
    })
    .await;
    let mut request = request(&format!("https://{}/", receiver.address));
    Arc::make_mut(&mut request.receiver).timeouts.connect = Duration::from_millis(300);
    let (reason, message) = failure(trusting_a_stranger().send(request).await);
    assert_eq!(reason, FailureReason::Timeout);
    assert_eq!(message, format!("failed to connect to {} within 300 ms", receiver.address));
}

#[tokio::test]
async fn without_root_certificates_https_is_our_fault_and_http_works() {
    let http = Http::with_roots(Options { policy: loopback() }, RootCertStore::empty()).unwrap();
    let outcome = http.send(request("https://localhost:1/")).await.outcome;
    assert!(matches!(&outcome, Outcome::Fault(fault) if fault.to_string().contains("no root certificates")));
    let receiver = Receiver::answering(OK).await;
    assert_eq!(http.send(request(&receiver.url())).await.outcome.status(), Some(200));
}
