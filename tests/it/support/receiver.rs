//! The endpoint behind a webhook's URL.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

use super::DEADLINE;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Request {
    /// The id of the event it brings.
    pub fn event_id(&self) -> String {
        self.json()["id"].as_str().unwrap().to_owned()
    }

    /// Which attempt it says it is.
    pub fn attempt(&self) -> u64 {
        self.json()["webhook"]["attempt"].as_u64().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Checks a request as a receiver would that knows nothing of our code.
pub fn verify(request: &Request, secret: &str) {
    let timestamp = request.headers["x-pcf-timestamp"].to_str().unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(&request.body);
    let hex = request.headers["x-pcf-signature"].to_str().unwrap().strip_prefix("sha256=").unwrap();
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    mac.verify_slice(&(0..hex.len()).step_by(2).map(byte).collect::<Vec<_>>()).unwrap();
}

/// A receiver on loopback that keeps all requests. It goes with the test's runtime, or when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    received: watch::Receiver<Vec<Request>>,
    server: JoinHandle<()>,
}

impl Receiver {
    /// One that is content with everything.
    pub async fn start() -> Self {
        Self::answering(|_, _| StatusCode::OK).await
    }

    /// One that answers as it is told: `answer` gets the number of the request, from 1, and the request.
    pub async fn answering<R: IntoResponse>(
        answer: impl Fn(usize, &Request) -> R + Send + Sync + 'static,
    ) -> Self {
        let (record, received) = watch::channel(Vec::new());
        let answer = move |request: Request| -> Response {
            let mut nth = 0;
            record.send_modify(|received| {
                received.push(request.clone());
                nth = received.len();
            });
            answer(nth, &request).into_response()
        };
        let answer = Arc::new(answer);
        let router = Router::new().fallback(move |method, uri, headers, body| {
            let answer = Arc::clone(&answer);
            async move { answer(Request { method, uri, headers, body }) }
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, received, server }
    }

    /// One that answers with this status for as long as it is told not to be well.
    pub async fn well_or(status: StatusCode) -> (Self, Arc<AtomicBool>) {
        let well = Arc::new(AtomicBool::new(false));
        let is_well = Arc::clone(&well);
        let answer =
            move |_, _: &Request| if is_well.load(Ordering::SeqCst) { StatusCode::OK } else { status };
        (Self::answering(answer).await, well)
    }

    /// Where it listens, such as `http://127.0.0.1:40123/hook`.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What came so far.
    pub fn received(&self) -> Vec<Request> {
        self.received.borrow().clone()
    }

    /// Waits for at least `count` requests, and returns all there are.
    pub async fn requests(&self, count: usize) -> Vec<Request> {
        let mut received = self.received.clone();
        match timeout(DEADLINE, received.wait_for(|received| received.len() >= count)).await {
            Ok(requests) => requests.unwrap().clone(),
            Err(late) => panic!("waited for {count} requests ({late}); there came {:#?}", self.received()),
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[tokio::test]
async fn a_receiver_answers_as_it_is_told_and_keeps_what_came() {
    let status = |nth| if nth == 1 { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
    let receiver = Receiver::answering(move |nth, _| status(nth)).await;
    let client = reqwest::Client::new();
    for (nth, body) in [(1, "first"), (2, "second")] {
        let answer = client.post(receiver.url()).header("x-nth", nth).body(body).send().await.unwrap();
        assert_eq!(answer.status(), status(nth));
    }
    let requests = receiver.requests(2).await;
    assert_eq!(
        requests.iter().map(|request| &request.body[..]).collect::<Vec<_>>(),
        [&b"first"[..], b"second"]
    );
    assert_eq!((&requests[1].method, requests[1].uri.path()), (&Method::POST, "/hook"));
    assert_eq!(requests[1].headers["x-nth"], "2");
}
