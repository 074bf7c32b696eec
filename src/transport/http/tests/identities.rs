//! Webhooks with certificates of their own.

use hookwright_engine::endpoint::{Identity, Tls, Trust};
use rustls::version::{TLS12, TLS13};

use super::secure::{Authority, Issued, Secure};
use super::*;

const ALL: [&rustls::SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

fn trusting_only(roots: rustls::RootCertStore) -> Http {
    Http::with_roots(Options { policy: loopback() }, roots).unwrap()
}

fn with(receiver: &Secure, host: &str, trust: Trust, identity: Option<&Issued>) -> Request {
    let mut request = request(&receiver.url(host));
    let identity =
        identity.map(|it| Identity { chain: vec![it.certificate.to_vec()], key: it.key.clone().into() });
    Arc::make_mut(&mut request.receiver).tls = Some(Arc::new(Tls::new(trust, identity)));
    request
}

#[tokio::test]
async fn a_connection_is_never_shared_between_two_identities() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let (one, two) = (clients.issue("one"), clients.issue("two"));
    for protocol in ["h2", "http/1.1"] {
        let receiver = Secure::serving(authority.server(Some(&clients), &ALL), &[protocol]).await;
        let http = trusting_only(authority.roots());
        for identity in [&one, &two, &one, &two] {
            let attempt = http.send(with(&receiver, "localhost", Trust::System, Some(identity))).await;
            assert_eq!(attempt.outcome.status(), Some(200), "{}", attempt.outcome);
            assert!(attempt.response == identity.certificate.to_vec(), "sent as somebody else");
        }
        failure(http.send(request(&receiver.url("localhost"))).await);
    }
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_certificate_refuses_strangers() {
    let (authority, clients) = (Authority::new(), Authority::new());
    // Before 1.3, the handshake itself fails.
    let receiver = Secure::serving(authority.server(Some(&clients), &[&TLS12]), &[]).await;
    let http = trusting_only(authority.roots());
    let stranger = authority.issue("stranger");
    for identity in [None, Some(&stranger)] {
        let attempt = http.send(with(&receiver, "localhost", Trust::System, identity)).await;
        assert_eq!(failure(attempt).0, FailureReason::Tls);
    }
}

#[tokio::test]
async fn only_the_authorities_of_the_webhook_vouch_for_its_receiver() {
    let (authority, other) = (Authority::new(), Authority::new());
    let receiver = Secure::serving(authority.server(None, &ALL), &[]).await;
    // What the system trusts does not count, nor whether it trusts anybody.
    for (system, own, trusted) in [
        (other.roots(), authority.der(), true),
        (rustls::RootCertStore::empty(), authority.der(), true),
        (authority.roots(), other.der(), false),
    ] {
        let http = trusting_only(system);
        let request = with(&receiver, "localhost", Trust::Authorities(vec![own]), None);
        let attempt = http.send(request).await;
        assert_eq!(attempt.outcome.reason(), if trusted { "Delivered" } else { "TLSFailure" });
    }
}

#[tokio::test]
async fn anyone_is_believed_where_the_webhook_says_so_and_nowhere_else() {
    let (authority, other) = (Authority::new(), Authority::new());
    for version in ALL {
        let receiver = Secure::serving(authority.server(None, &[version]), &[]).await;
        let http = trusting_only(other.roots());
        // Neither the authority nor the name fits.
        let attempt = http.send(with(&receiver, "127.0.0.1", Trust::Anyone, None)).await;
        assert_eq!(attempt.outcome.status(), Some(200), "{}", attempt.outcome);
        let attempt = http.send(request(&receiver.url("127.0.0.1"))).await;
        assert_eq!(failure(attempt).0, FailureReason::Tls);
    }
}
