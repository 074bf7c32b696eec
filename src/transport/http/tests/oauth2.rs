//! Receivers that want a token, and token servers of every mood.

use std::sync::atomic::{AtomicUsize, Ordering};

use hookwright_engine::attempt::Verdict;
use hookwright_engine::endpoint::{ClientAuthentication, ClientCredentials, Tls, Trust};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::receiver::{Connection, OK, Receiver};
use super::secure::{Authority, Secure};
use super::*;

const UNAUTHORIZED: &str = "HTTP/1.1 401 X\r\ncontent-length: 2\r\n\r\nno";

/// The answer of a token server.
fn grant(token: &str) -> String {
    ok(&format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#))
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Gives a new token each time: `token-1`, `token-2`, …
async fn token_server() -> Receiver {
    let tokens = Arc::new(AtomicUsize::new(0));
    Receiver::serving(move |mut connection: Connection| {
        let tokens = Arc::clone(&tokens);
        async move {
            while connection.request().await? {
                let token = format!("token-{}", tokens.fetch_add(1, Ordering::SeqCst) + 1);
                connection.stream.write_all(grant(&token).as_bytes()).await?;
            }
            Ok(())
        }
    })
    .await
}

fn credentials(token_url: &str, secret: &str) -> ClientCredentials {
    ClientCredentials {
        token_url: ReceiverUrl::parse(token_url).unwrap(),
        client_id: "hookwright".to_owned(),
        client_secret: secret.into(),
        authentication: ClientAuthentication::Basic,
        scopes: Vec::new(),
        parameters: Vec::new(),
        tls: None,
    }
}

/// A request with a token of `token_url`.
fn with(request: Request, token_url: &str) -> Request {
    with_credentials(request, credentials(token_url, "s3cr3t"))
}

fn with_credentials(mut request: Request, credentials: ClientCredentials) -> Request {
    Arc::make_mut(&mut request.receiver).oauth2 = Some(Arc::new(credentials));
    request
}

/// Lets time pass while nobody waits for a socket.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

async fn authorization(receiver: &mut Receiver) -> Option<String> {
    receiver.request().await.header("authorization").map(str::to_owned)
}

#[tokio::test]
async fn a_token_serves_all_deliveries_until_shortly_before_its_end() {
    let (mut receiver, mut server) = (Receiver::answering(OK).await, token_server().await);
    let (http, request) = (http(), with(request(&receiver.url()), &server.url()));
    for (after, token) in [
        (Duration::ZERO, "Bearer token-1"),
        (Duration::ZERO, "Bearer token-1"),
        (Duration::from_mins(59), "Bearer token-1"),
        (Duration::from_secs(31), "Bearer token-2"),
        (Duration::ZERO, "Bearer token-2"),
    ] {
        pass(after).await;
        assert_eq!(http.send(request.clone()).await.outcome.status(), Some(200));
        assert_eq!(authorization(&mut receiver).await.as_deref(), Some(token));
    }
    assert_eq!(server.waiting(), 2);
    let asked = server.request().await;
    assert_eq!(asked.head[0], "POST /hook HTTP/1.1");
    assert_eq!(asked.header("authorization"), Some("Basic aG9va3dyaWdodDpzM2NyM3Q="));
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(asked.header("x-pcf-signature"), None);
    assert_eq!(asked.body, b"grant_type=client_credentials");
}

#[tokio::test]
async fn deliveries_at_the_same_time_wait_for_one_token() {
    let (receiver, server) = (Receiver::answering(OK).await, token_server().await);
    let (http, request) = (Arc::new(http()), with(request(&receiver.url()), &server.url()));
    let mut sending = JoinSet::new();
    for _ in 0..50 {
        let (http, request) = (Arc::clone(&http), request.clone());
        sending.spawn(async move { http.send(request).await.outcome.status() });
    }
    assert_eq!(sending.join_all().await, [Some(200); 50]);
    assert_eq!((receiver.waiting(), server.waiting()), (50, 1));
}

/// Takes the second token and no other.
async fn receiver_taking_the_second_token() -> Receiver {
    Receiver::serving(async |mut connection: Connection| {
        while connection.request().await? {
            let taken = connection.head().iter().any(|line| line.ends_with("token-2"));
            connection.stream.write_all(if taken { OK } else { UNAUTHORIZED }.as_bytes()).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_within_the_attempt_and_for_all() {
    let (mut receiver, server) = (receiver_taking_the_second_token().await, token_server().await);
    let (http, request) = (http(), with(request(&receiver.url()), &server.url()));
    for tokens in [&["Bearer token-1", "Bearer token-2"][..], &["Bearer token-2"]] {
        let attempt = http.send(request.clone()).await;
        assert_eq!((attempt.outcome.status(), attempt.response.as_slice()), (Some(200), &b"ok"[..]));
        for token in tokens {
            assert_eq!(authorization(&mut receiver).await.as_deref(), Some(*token));
        }
    }
    assert_eq!((receiver.waiting(), receiver.connections(), server.waiting()), (0, 1, 2));
}

#[tokio::test]
async fn a_token_that_many_find_refused_is_replaced_once() {
    let (receiver, server) = (receiver_taking_the_second_token().await, token_server().await);
    let (http, request) = (Arc::new(http()), with(request(&receiver.url()), &server.url()));
    let mut sending = JoinSet::new();
    for _ in 0..50 {
        let (http, request) = (Arc::clone(&http), request.clone());
        sending.spawn(async move { http.send(request).await.outcome.status() });
    }
    assert_eq!(sending.join_all().await, [Some(200); 50]);
    assert_eq!(server.waiting(), 2);
}

#[tokio::test]
async fn a_receiver_that_refuses_every_token_is_asked_twice_at_most_and_the_token_server_now_and_then() {
    let (receiver, server) = (Receiver::answering(UNAUTHORIZED).await, token_server().await);
    let (http, request) = (http(), with(request(&receiver.url()), &server.url()));
    let mut expected = (0, 0);
    for (after, requests, tokens) in [(0, 2, 2), (0, 1, 0), (4, 1, 0), (5, 2, 1), (0, 1, 0)] {
        pass(Duration::from_secs(after)).await;
        let attempt = http.send(request.clone()).await;
        assert_eq!((attempt.outcome.status(), attempt.response.as_slice()), (Some(401), &b"no"[..]));
        expected = (expected.0 + requests, expected.1 + tokens);
        assert_eq!((receiver.waiting(), server.waiting()), expected, "after {after} s more");
    }
}

#[tokio::test]
async fn a_token_server_that_gives_the_refused_token_again_changes_nothing() {
    let (receiver, server) = (Receiver::answering(UNAUTHORIZED).await, Receiver::answering(grant("t")).await);
    let attempt = http().send(with(request(&receiver.url()), &server.url())).await;
    assert_eq!(attempt.outcome.status(), Some(401));
    assert_eq!((receiver.waiting(), server.waiting()), (1, 2));
}

#[tokio::test]
async fn a_new_secret_gets_a_token_of_its_own() {
    let (mut receiver, server) = (Receiver::answering(OK).await, token_server().await);
    let http = http();
    for (secret, token) in
        [("s3cr3t", "Bearer token-1"), ("n3w", "Bearer token-2"), ("s3cr3t", "Bearer token-1")]
    {
        let request = with_credentials(request(&receiver.url()), credentials(&server.url(), secret));
        assert_eq!(http.send(request).await.outcome.status(), Some(200));
        assert_eq!(authorization(&mut receiver).await.as_deref(), Some(token));
    }
    assert_eq!(server.waiting(), 2);
}

#[tokio::test]
async fn what_a_token_server_answers_instead_is_a_failure_that_shows_no_secret() {
    let receiver = Receiver::answering(OK).await;
    let refused = r#"{"error":"invalid_client","error_description":"wrong secret s3cr3t"}"#;
    let refused = format!("HTTP/1.1 401 X\r\ncontent-length: {}\r\n\r\n{refused}", refused.len());
    let location = format!("HTTP/1.1 307 X\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", receiver.url());
    let huge = ok(&format!(r#"{{"access_token":"t","x":"{}"}}"#, "x".repeat(64 * 1024)));
    for (answer, says) in [
        (refused, "answered HTTP 401, invalid_client"),
        (location, "answered HTTP 307, and redirects are not followed"),
        (ok("<html>s3cr3t</html>"), "answered without an access_token in JSON"),
        (huge, "answered with more than 65536 bytes"),
        ("SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned(), "it is not HTTP"),
    ] {
        let server = Receiver::answering(answer).await;
        let token_url = format!("{}?s3cr3t", server.url());
        let (reason, message) = failure(http().send(with(request(&receiver.url()), &token_url)).await);
        assert_eq!(reason, FailureReason::Authorization, "{message}");
        assert!(message.starts_with("failed to get a token: "), "{message}");
        assert!(message.contains(&server.address.to_string()) && message.contains(says), "{message}");
        assert!(!message.contains("s3cr3t"), "{message}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_token_server_that_is_down_is_not_asked_by_every_delivery() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let receiver = Receiver::answering(OK).await;
    let (http, request) = (http(), with(request(&receiver.url()), &format!("http://{address}/")));
    let attempt = http.send(request.clone()).await;
    assert_eq!(attempt.outcome.verdict(), Verdict::Retry);
    let (reason, message) = failure(attempt);
    assert_eq!(reason, FailureReason::Authorization);
    assert!(message.starts_with(&format!("failed to get a token: failed to connect to {address}: ")));

    // It is back, and asked again only after a while.
    let listener = TcpListener::bind(address).await.unwrap();
    let mut asked = JoinSet::new();
    asked.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(grant("t").as_bytes()).await.unwrap();
    });
    assert_eq!(failure(http.send(request.clone()).await), (reason, message));
    pass(Duration::from_secs(5)).await;
    assert_eq!(http.send(request).await.outcome.status(), Some(200));
    asked.join_all().await;
}

#[tokio::test]
async fn a_slow_token_server_takes_no_more_than_the_requests_time_and_serves_the_next_one() {
    let (release, released) = tokio::sync::watch::channel(false);
    let mut server = Receiver::serving(move |mut connection: Connection| {
        let mut released = released.clone();
        async move {
            while connection.request().await? {
                released.wait_for(|released| *released).await.unwrap();
                connection.stream.write_all(grant("slow").as_bytes()).await?;
            }
            Ok(())
        }
    })
    .await;
    let mut receiver = Receiver::answering(OK).await;
    let (http, limit) = (http(), Duration::from_millis(300));
    let request = with(request_within(&receiver.url(), limit), &server.url());
    let (reason, message) = failure(http.send(request.clone()).await);
    assert_eq!(reason, FailureReason::Authorization);
    let expected = format!("{} did not answer within the time of the request", server.address);
    assert_eq!(message, format!("failed to get a token: {expected}"));
    server.request().await;
    release.send(true).unwrap();
    let patient = with(super::request(&receiver.url()), &server.url());
    assert_eq!(http.send(patient).await.outcome.status(), Some(200));
    assert_eq!(authorization(&mut receiver).await.as_deref(), Some("Bearer slow"));
    assert_eq!((server.waiting(), receiver.waiting()), (0, 0));
}

#[tokio::test]
async fn a_token_server_that_never_answers_fails_the_attempt_before_its_time_is_up() {
    let mut server = Receiver::serving(async |mut connection: Connection| {
        connection.request().await?;
        connection.closed().await;
        Ok(())
    })
    .await;
    let request = with(request("http://127.0.0.1:9/"), &server.url());
    let sending = tokio::spawn(async move { http().send(request).await });
    server.request().await;
    pass(Duration::from_secs(10)).await;
    let (reason, message) = failure(sending.await.unwrap());
    assert_eq!(reason, FailureReason::Authorization);
    assert_eq!(message, format!("failed to get a token: {} did not answer within 10000 ms", server.address));
}

#[tokio::test]
async fn the_egress_policy_holds_for_token_servers() {
    let server = token_server().await;
    let http = Http::new(Options::default()).unwrap();
    let (reason, message) = failure(http.send(with(request("https://a.example/"), &server.url())).await);
    assert_eq!(reason, FailureReason::Authorization);
    assert!(message.contains("where the operator's egress policy allows no requests"), "{message}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_token_server_is_trusted_by_its_own_settings_and_not_by_those_of_the_receiver() {
    let (authority, other) = (Authority::new(), Authority::new());
    let receiver = Receiver::answering(OK).await;
    let server = Secure::serving(authority.server(None, rustls::ALL_VERSIONS), &[]).await;
    let http = Http::with_roots(Options { policy: loopback() }, other.roots()).unwrap();
    let own = Some(Arc::new(Tls::new(Trust::Authorities(vec![authority.der()]), None)));
    for (of_receiver, of_server, says) in [
        (own.clone(), None, "failed to agree on TLS"),
        // The server of these tests grants nothing: it is enough that it was asked.
        (None, own, "without an access_token"),
    ] {
        let mut request = request(&receiver.url());
        Arc::make_mut(&mut request.receiver).tls = of_receiver;
        let credentials = credentials(&server.url("localhost"), "s3cr3t");
        let request = with_credentials(request, ClientCredentials { tls: of_server, ..credentials });
        let (reason, message) = failure(http.send(request).await);
        assert_eq!(reason, FailureReason::Authorization);
        assert!(message.contains(says), "{message}");
    }
}
