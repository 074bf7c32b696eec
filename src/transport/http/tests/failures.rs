//! What it means that there is no answer.

use std::error::Error;
use std::io;

use hookwright_engine::attempt::Verdict;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::receiver::{Connection, OK, Receiver};
use super::*;
use crate::transport::http::{connector, failure as classify, resolver};

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_receiver_that_never_answers_times_out() {
    let mut receiver = Receiver::serving(async |mut connection: Connection| {
        connection.request().await?;
        connection.closed().await;
        Ok(())
    })
    .await;
    let attempt = http().send(request_within(&receiver.url(), SHORT)).await;
    assert!(attempt.elapsed >= SHORT);
    let (reason, message) = failure(attempt);
    assert_eq!(reason, FailureReason::Timeout);
    assert_eq!(message, format!("{} did not answer within 300 ms", receiver.address));
    receiver.request().await;
}

#[tokio::test]
async fn a_receiver_that_answers_a_byte_at_a_time_gets_no_more_time() {
    let receiver = Receiver::serving(async |mut connection: Connection| {
        connection.request().await?;
        connection.stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        loop {
            pace.tick().await;
            connection.stream.write_all(b"x").await?;
        }
    })
    .await;
    let attempt = http().send(request_within(&receiver.url(), SHORT)).await;
    assert_eq!(failure(attempt).0, FailureReason::Timeout);
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_error() {
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(1024 * 1024));
    for garbage in ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "\0\0\0\0", &endless] {
        let receiver = Receiver::answering(garbage).await;
        let (reason, message) = failure(http().send(request(&receiver.url())).await);
        assert_eq!(reason, FailureReason::Protocol, "{message}");
        assert!(message.contains("it is not HTTP"), "{message}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_protocol_error_without_the_urls_secrets() {
    let receiver =
        Receiver::serving(async |mut connection: Connection| connection.request().await.map(|_| ())).await;
    let (reason, message) = failure(http().send(request(&format!("{}/s3cr3t?s3cr3t", receiver.url()))).await);
    assert_eq!(reason, FailureReason::Protocol);
    assert!(message.contains(&receiver.address.to_string()) && !message.contains("s3cr3t"), "{message}");
}

#[tokio::test]
async fn a_closed_port_is_a_connect_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (reason, message) = failure(http().send(request(&format!("http://{address}/"))).await);
    assert_eq!(reason, FailureReason::Connect);
    assert!(message.starts_with(&format!("failed to connect to {address}: ")), "{message}");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_dns_failure() {
    let attempt = http().send(request("https://does-not-exist.invalid/hook")).await;
    let (reason, message) = failure(attempt);
    assert_eq!(reason, FailureReason::Dns);
    assert_eq!(
        message,
        "failed to resolve does-not-exist.invalid: there is no such name, or it has no address"
    );
}

#[tokio::test]
async fn a_denied_address_is_never_connected_to_and_looks_the_same_whatever_listens_there() {
    let receiver = Receiver::answering(OK).await;
    let port = receiver.address.port();
    let http = Http::new(Options::default()).unwrap();
    let mut messages = vec![];
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "[64:ff9b::7f00:1]"]
    {
        let (reason, message) = failure(http.send(request(&format!("http://{host}:{port}/"))).await);
        assert_eq!(reason, FailureReason::EgressDenied, "{host}: {message}");
        messages.push(message);
    }
    assert_eq!(receiver.connections(), 0);
    drop(receiver);
    let (_, closed) = failure(http.send(request(&format!("http://127.0.0.1:{port}/"))).await);
    assert_eq!(closed, messages[0]);
}

#[test]
fn what_we_are_short_of_is_no_failure_of_the_receiver() {
    for number in [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EADDRNOTAVAIL] {
        let os = || io::Error::from_raw_os_error(number);
        let lookup = resolver::Error::Lookup(os().into());
        let errors: [Box<dyn Error>; 2] =
            [Box::new(connector::Error::Connect(os())), Box::new(connector::Error::Resolve(lookup))];
        for error in errors {
            let outcome = classify::outcome(&*error, "a.example");
            assert_eq!(outcome.verdict(), Verdict::Uncharged, "{outcome}");
        }
    }
    let refused = connector::Error::Connect(io::Error::from_raw_os_error(libc::ECONNREFUSED));
    assert_eq!(classify::outcome(&refused, "a.example").verdict(), Verdict::Retry);
}
