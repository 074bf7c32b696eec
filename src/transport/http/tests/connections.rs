//! Which connection a request goes over.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hookwright_engine::endpoint::KeepAlive;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Barrier, mpsc};
use tokio::time::timeout;

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

/// A receiver that answers each request once as many as `together` are waiting, and tells when a
/// connection was closed.
async fn gathering(together: usize) -> (Receiver, mpsc::UnboundedReceiver<usize>) {
    let (closed, closings) = mpsc::unbounded_channel();
    let barrier = Arc::new(Barrier::new(together));
    let receiver = Receiver::serving(move |mut connection: Connection| {
        let (closed, barrier) = (closed.clone(), Arc::clone(&barrier));
        async move {
            while connection.request().await? {
                barrier.wait().await;
                connection.stream.write_all(OK.as_bytes()).await?;
            }
            closed.send(connection.number).map_err(io::Error::other)
        }
    })
    .await;
    (receiver, closings)
}

fn keeping(receiver: &Receiver, keep_alive: KeepAlive) -> Request {
    let url = ReceiverUrl::parse(&receiver.url()).unwrap();
    request_to(super::Receiver { keep_alive, ..super::Receiver::new(url, SECRET.into()) })
}

#[tokio::test]
async fn no_more_idle_connections_are_kept_than_the_webhook_allows() {
    let (receiver, mut closings) = gathering(2).await;
    let http = http();
    let request = keeping(&receiver, KeepAlive { max_idle: 1, ..KeepAlive::default() });
    let both = async || tokio::join!(http.send(request.clone()), http.send(request.clone()));
    both().await;
    assert!(closings.recv().await.is_some(), "one of the two is not kept");
    both().await;
    assert_eq!(receiver.connections(), 3, "the other one is used again");
}

#[tokio::test]
async fn each_request_makes_its_connection_where_none_is_kept() {
    let (receiver, mut closings) = gathering(1).await;
    let http = http();
    for connections in 1..=3 {
        let request = keeping(&receiver, KeepAlive { max_idle: 0, ..KeepAlive::default() });
        assert_eq!(status(&http.send(request).await), Some(200));
        assert_eq!(closings.recv().await, Some(connections));
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time() {
    let (receiver, mut closings) = gathering(1).await;
    let http = http();
    let brief = KeepAlive { idle_timeout: Duration::from_millis(100), ..KeepAlive::default() };
    assert_eq!(status(&http.send(request(&receiver.url())).await), Some(200));
    assert_eq!(status(&http.send(keeping(&receiver, brief)).await), Some(200));
    let closed = timeout(Duration::from_secs(30), closings.recv()).await.unwrap();
    assert_eq!(
        (closed, closings.try_recv().is_err()),
        (Some(2), true),
        "of those that are kept for longer none is"
    );
}
