//! How the API is served.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, Version};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::Bench;
use crate::api::{server, tls};

/// The API, served with TLS.
struct Served {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    bench: Bench,
}

impl Served {
    async fn start() -> Self {
        let ours = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key] = ["tls.crt", "tls.key"].map(|name| folder.path().join(name));
        std::fs::write(&certificate, ours.cert.pem()).unwrap();
        std::fs::write(&key, ours.signing_key.serialize_pem()).unwrap();
        let (_files, security) = tls::open(certificate, key).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let bench = Bench::new();
        let options = server::Options {
            listener,
            security: Some(security),
            router: bench.router(),
            grace: Duration::ZERO,
        };
        tokio::spawn(server::serve(options, CancellationToken::new()));
        Self { address, certificate: ours.cert.der().clone(), bench }
    }

    /// A session, in which the better of these protocols is spoken.
    async fn connect(&self, protocols: &[&str]) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }
}

#[tokio::test]
async fn the_better_protocol_of_both_is_spoken() {
    let served = Served::start().await;
    let request = || Request::get("https://localhost/readyz").body(Body::empty()).unwrap();
    let stream = served.connect(&["http/1.1", "h2"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let answer = sender.send_request(request()).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));

    let stream = served.connect(&["http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let answer = sender.send_request(request()).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_11));
    drop(served.bench);
}

#[tokio::test]
async fn who_does_not_begin_a_session_keeps_nobody_waiting_and_is_left() {
    let served = Served::start().await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    served.connect(&["h2"]).await;
    tokio::time::pause(); // From here on there is nothing to wait for but the time.
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0);
}
