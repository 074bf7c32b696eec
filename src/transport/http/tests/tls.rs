//! Receivers behind TLS.

use std::net::SocketAddr;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::receiver::{Connection, OK, Receiver};
use super::*;

/// A receiver whose certificate is its own authority; answers with the protocol's version.
struct Secure {
    address: SocketAddr,
    roots: RootCertStore,
    _tasks: JoinSet<()>,
}

impl Secure {
    async fn speaking(protocols: &[&str]) -> Self {
        let made = self_signed();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate], key)
                .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that does not trust us hangs up during the handshake.
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let answer = service_fn(async |request: hyper::Request<Incoming>| {
                    let version = format!("{:?}", request.version());
                    request.into_body().collect().await?;
                    Ok::<_, hyper::Error>(hyper::Response::new(version))
                });
                let server = auto::Builder::new(TokioExecutor::new());
                server.serve_connection(TokioIo::new(stream), answer).await.unwrap_or_default();
            }
        });
        Self { address, roots, _tasks: tasks }
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/hook", self.address.port())
    }
}

fn self_signed() -> rcgen::CertifiedKey<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
}

/// Trusts somebody, but none of the receivers.
fn trusting_a_stranger() -> Http {
    let mut roots = RootCertStore::empty();
    roots.add(self_signed().cert.der().clone()).unwrap();
    Http::with_roots(Options { policy: loopback() }, roots).unwrap()
}

#[tokio::test]
async fn the_newest_protocol_that_both_sides_know_is_spoken() {
    for (protocols, version) in
        [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1"), (&[], "HTTP/1.1")]
    {
        let receiver = Secure::speaking(protocols).await;
        let http = Http::with_roots(Options { policy: loopback() }, receiver.roots.clone()).unwrap();
        for _ in 0..2 {
            let attempt = http.send(request(&receiver.url("localhost"))).await;
            assert_eq!(attempt.outcome, Outcome::Responded { status: 200, retry_after: None });
            assert_eq!(attempt.response, version.as_bytes());
        }
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_a_tls_failure() {
    let receiver = Secure::speaking(&[]).await;
    let (reason, message) = failure(trusting_a_stranger().send(request(&receiver.url("localhost"))).await);
    assert_eq!(reason, FailureReason::Tls);
    assert!(message.starts_with("failed to agree on TLS with localhost:"), "{message}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_a_tls_failure() {
    let receiver = Secure::speaking(&[]).await;
    let http = Http::with_roots(Options { policy: loopback() }, receiver.roots.clone()).unwrap();
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
