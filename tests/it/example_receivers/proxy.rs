//! Stands between the operator and a receiver: sees what passes, and can lose an answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{self, DEADLINE, Request};

/// What a receiver says: the status, and the body.
pub type Answer = (u16, Value);

/// A request of the operator, and what the receiver said to it.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub request: Request,
    pub answer: Answer,
}

pub struct Proxy {
    address: SocketAddr,
    receiver: Arc<Target>,
    passed: watch::Receiver<Vec<Exchange>>,
    losing: Arc<AtomicBool>,
    server: JoinHandle<()>,
}

/// The receiver behind it.
struct Target {
    url: String,
    client: reqwest::Client,
}

impl Target {
    async fn send(&self, request: &Request) -> Answer {
        let Request { method, uri: _, mut headers, body } = request.clone();
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_LENGTH);
        let sent = self.client.request(method, &self.url).headers(headers).body(body).send().await.unwrap();
        (sent.status().as_u16(), serde_json::from_slice(&sent.bytes().await.unwrap()).unwrap_or_default())
    }
}

impl Proxy {
    /// In front of the receiver at this URL.
    pub async fn start(url: String) -> Self {
        let receiver = Arc::new(Target { url, client: reqwest::Client::new() });
        let (record, passed) = watch::channel(Vec::new());
        let losing = Arc::new(AtomicBool::new(false));
        let (target, loses) = (Arc::clone(&receiver), Arc::clone(&losing));
        let router =
            Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
                let (target, record) = (Arc::clone(&target), record.clone());
                let lost = loses.swap(false, Ordering::SeqCst);
                async move {
                    let request = Request { method, uri, headers, body };
                    let answer = target.send(&request).await;
                    let status = StatusCode::from_u16(answer.0).unwrap();
                    let told = answer.1.to_string();
                    record.send_modify(|passed| passed.push(Exchange { request, answer }));
                    if lost { (StatusCode::BAD_GATEWAY, String::new()) } else { (status, told) }
                }
            });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, receiver, passed, losing, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}/webhooks/pcf", self.address)
    }

    /// The operator does not get the next answer.
    pub fn lose_next_answer(&self) {
        self.losing.store(true, Ordering::SeqCst);
    }

    /// Sends the receiver a request that the operator did not make; again, as the operator would, while it is to come again.
    pub async fn send(&self, request: &Request) -> Answer {
        support::eventually("the receiver to have time", async || {
            let answer = self.receiver.send(request).await;
            if answer.0 == 503 { Err(answer) } else { Ok(answer) }
        })
        .await
    }

    /// Waits for so many requests of the operator that `about` names, and returns them.
    pub async fn exchanges(&self, about: &str, count: usize) -> Result<Vec<Exchange>, String> {
        let mut passed = self.passed.clone();
        let named = |exchange: &&Exchange| String::from_utf8_lossy(&exchange.request.body).contains(about);
        let enough = |all: &Vec<Exchange>| all.iter().filter(named).count() >= count;
        let waited = timeout(DEADLINE, passed.wait_for(enough)).await;
        let all = self.passed.borrow().clone();
        match waited {
            Ok(Ok(_)) => Ok(all.into_iter().filter(|exchange| named(&exchange)).collect()),
            Ok(Err(_)) | Err(_) => {
                Err(format!("waited for {count} requests about {about}; there came {all:#?}"))
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}
