//! What an answer means.

use hookwright_engine::time::Time;
use tokio::io::AsyncWriteExt;

use super::receiver::{Connection, OK, Receiver};
use super::*;
use crate::clock;

fn responded(attempt: &Attempt) -> (u16, Option<Time>) {
    match &attempt.outcome {
        Outcome::Responded { status, retry_after } => (*status, *retry_after),
        Outcome::Failed(_) | Outcome::Fault(_) => panic!("no answer: {attempt:?}"),
    }
}

#[tokio::test]
async fn the_status_is_the_answer() {
    let http = http();
    for status in [200, 204, 299, 304, 400, 404, 410, 500, 599] {
        let receiver = Receiver::answering(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n")).await;
        let attempt = http.send(request(&receiver.url())).await;
        assert_eq!(responded(&attempt), (status, None));
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let http = http();
    let elsewhere = Receiver::answering(OK).await;
    for status in [301, 302, 303, 307, 308] {
        let url = elsewhere.url();
        let answer = format!("HTTP/1.1 {status} X\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n");
        let receiver = Receiver::answering(answer).await;
        assert_eq!(responded(&http.send(request(&receiver.url())).await), (status, None));
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn retry_after_is_told_in_both_of_its_forms() {
    let http = http();
    let answer = "HTTP/1.1 429 X\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::answering(answer).await;
    let before = clock::wall();
    let (status, hint) = responded(&http.send(request(&receiver.url())).await);
    let two_minutes = Duration::from_mins(2);
    assert_eq!(status, 429);
    assert!((before + two_minutes..=clock::wall() + two_minutes).contains(&hint.unwrap()));

    let date = "Fri, 01 Jan 2100 00:00:00 GMT";
    let answer = format!("HTTP/1.1 503 X\r\nretry-after: {date}\r\ncontent-length: 0\r\n\r\n");
    let receiver = Receiver::answering(answer).await;
    let attempt = http.send(request(&receiver.url())).await;
    assert_eq!(responded(&attempt), (503, Some(Time::from_secs(4_102_444_800))));
}

#[tokio::test]
async fn a_long_body_is_cut_and_its_connection_closed_instead_of_read_to_the_end() {
    let mut receiver = Receiver::serving(async |mut connection: Connection| {
        while connection.request().await? {
            connection.stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
            // More than the buffers between us hold. Whoever reads it all finds the connection fit for reuse.
            let chunk = [b"10000\r\n", "abcdefgh".repeat(8 * 1024).as_bytes(), b"\r\n"].concat();
            for _ in 0..256 {
                connection.stream.write_all(&chunk).await?;
            }
            connection.stream.write_all(b"0\r\n\r\n").await?;
        }
        Ok(())
    })
    .await;
    let http = http();
    for connection in 1..=2 {
        let attempt = http.send(request(&receiver.url())).await;
        assert_eq!(responded(&attempt), (200, None));
        assert_eq!(attempt.response.len(), Attempt::MAX_RESPONSE);
        assert!(attempt.response.starts_with(b"abcdefghabcdefgh"));
        receiver.request().await;
        assert_eq!(receiver.connections(), connection);
    }
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_kept_whole() {
    let body = "x".repeat(Attempt::MAX_RESPONSE);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let receiver = Receiver::answering(answer).await;
    let http = http();
    for _ in 0..2 {
        assert_eq!(http.send(request(&receiver.url())).await.response, body.as_bytes());
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_does_not_undo_the_status() {
    let receiver = Receiver::serving(async |mut connection: Connection| {
        connection.request().await?;
        connection.stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\npart").await
    })
    .await;
    let attempt = http().send(request(&receiver.url())).await;
    assert_eq!((responded(&attempt), attempt.response.as_slice()), ((201, None), &b"part"[..]));
}

#[tokio::test]
async fn a_body_that_never_ends_does_not_undo_the_status() {
    let receiver = Receiver::serving(async |mut connection: Connection| {
        connection.request().await?;
        connection.stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart").await?;
        connection.closed().await;
        Ok(())
    })
    .await;
    let attempt = http().send(request_within(&receiver.url(), Duration::from_millis(500))).await;
    assert_eq!((responded(&attempt), attempt.response.as_slice()), ((200, None), &b"part"[..]));
}

#[tokio::test]
async fn a_compressed_body_is_neither_asked_for_nor_unpacked() {
    let body = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut receiver = Receiver::answering([head.as_bytes(), &body].concat()).await;
    let attempt = http().send(request(&receiver.url())).await;
    assert_eq!(attempt.response, body);
    assert_eq!(receiver.request().await.header("accept-encoding"), None);
}
