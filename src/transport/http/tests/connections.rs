//! Which connection a request goes over.

use std::io;

use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::receiver::{Connection, OK, Receiver};
use super::*;

fn status(attempt: &Attempt) -> Option<u16> {
    attempt.outcome.status()
}

#[tokio::test]
async fn requests_one_after_the_other_share_a_connection() {
    let receiver = Receiver::answering(OK).await;
    let http = http();
    for _ in 0..3 {
        assert_eq!(status(&http.send(request(&receiver.url())).await), Some(200));
    }
    assert_eq!((receiver.connections(), receiver.waiting()), (1, 3));
}

#[tokio::test]
async fn a_connection_that_the_receiver_closed_meanwhile_is_replaced() {
    let receiver = Receiver::serving(async |mut connection: Connection| {
        connection.request().await?;
        connection.stream.write_all(OK.as_bytes()).await
    })
    .await;
    let http = http();
    for connections in 1..=20 {
        assert_eq!(status(&http.send(request(&receiver.url())).await), Some(200));
        assert_eq!(receiver.connections(), connections);
    }
}

#[tokio::test]
async fn a_request_that_may_have_arrived_is_not_repeated() {
    let receiver = Receiver::serving(async |mut connection: Connection| {
        connection.request().await?;
        connection.stream.write_all(OK.as_bytes()).await?;
        connection.request().await.map(|_| ())
    })
    .await;
    let http = http();
    assert_eq!(status(&http.send(request(&receiver.url())).await), Some(200));
    let (reason, _) = failure(http.send(request(&receiver.url())).await);
    assert_eq!(reason, FailureReason::Protocol);
    assert_eq!((receiver.connections(), receiver.waiting()), (1, 2));
}

#[tokio::test]
async fn a_change_of_the_policy_closes_idle_connections() {
    let (closed, mut closings) = mpsc::unbounded_channel();
    let receiver = Receiver::serving(move |mut connection: Connection| {
        let closed = closed.clone();
        async move {
            while connection.request().await? {
                connection.stream.write_all(OK.as_bytes()).await?;
            }
            closed.send(connection.number).map_err(io::Error::other)
        }
    })
    .await;
    let http = http();
    assert_eq!(status(&http.send(request(&receiver.url())).await), Some(200));
    http.set_policy(Policy::default());
    assert_eq!(closings.recv().await, Some(1));
    assert_eq!(failure(http.send(request(&receiver.url())).await).0, FailureReason::EgressDenied);
    assert_eq!(receiver.waiting(), 1);
}

#[tokio::test]
async fn names_of_the_hosts_file_are_reached() {
    let receiver = Receiver::answering(OK).await;
    let url = format!("http://localhost:{}/", receiver.address.port());
    assert_eq!(status(&http().send(request(&url)).await), Some(200));
}
