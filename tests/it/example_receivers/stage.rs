//! A receiver, an operator that sends to it, and a proxy between them.

use std::fmt::Debug;
use std::process::Command;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use hookwright::clock;
use hookwright_testbed::{Folder, Output, Process, Signal};
use serde_json::{Value, json};
use sha2::Sha256;

use super::proxy::{Exchange, Proxy};
use crate::support::{self, DEADLINE, Namespace, Operator, Request};

/// What the receivers say once they listen; their address follows.
const LISTENING: &str = "listening on ";
/// The secret of the webhook, and one that the receiver is ready for.
const SECRET: &str = "today";
const NEXT_SECRET: &str = "tomorrow";
/// Longer ago than receivers put up with.
const TOO_OLD_SECONDS: i64 = 310;

/// Whether a case went well, or what went wrong.
type Outcome = Result<(), String>;

pub struct Stage<'a> {
    namespace: Namespace<'a>,
    operator: Operator,
    receiver: Process,
    proxy: Proxy,
    /// The path of the webhook.
    webhook: String,
}

impl Stage<'_> {
    /// Starts the receiver, and an operator with a webhook that sends to it, event by event.
    pub async fn set(name: &str, folder: &Arc<Folder>, mut program: Command) -> Self {
        let cluster = support::cluster().await;
        let namespace = cluster.namespace(name).await;
        program.env("WEBHOOK_SECRET", format!("{NEXT_SECRET} {SECRET}")).env("PORT", "0");
        let mut receiver = Process::start(folder, name, &program, Output::Log).unwrap();
        let listens = async |process: &Process| {
            process.log().split_once(LISTENING).is_some_and(|(_, url)| url.contains('\n'))
        };
        receiver.until("listening", DEADLINE, listens).await.unwrap();
        let log = receiver.log();
        let url = log.split_once(LISTENING).unwrap().1.split_whitespace().next().unwrap();
        let proxy = Proxy::start(format!("{url}/webhooks/pcf")).await;

        let operator = Operator::start(cluster, &namespace, &["--egress-allow", "127.0.0.0/8"]).await;
        let webhook = json!({
            "url": proxy.url(), "events": ["*"], "config": { "secret": SECRET }, "retry_policy": { "intervals": [1] },
        });
        let (status, made) = operator.call(&namespace, Method::POST, "/v1/webhooks", Some(&webhook)).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let webhook = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
        Self { namespace, operator, receiver, proxy, webhook }
    }

    pub async fn genuine(&mut self) -> Outcome {
        let [exchange] = self.published("evt_good").await?;
        equal("the answer", &exchange.answer, &(200, json!({ "received": true })))?;
        self.prints("received resource.created evt_good attempt 1").await?;
        self.prints("created res_of_evt_good").await
    }

    pub async fn answer_lost(&mut self) -> Outcome {
        self.proxy.lose_next_answer();
        let [first, second] = self.published("evt_lost").await?;
        equal("the answer that was lost", &first.answer, &(200, json!({ "received": true })))?;
        equal("the attempt that came again", &second.request.attempt(), &2)?;
        equal("the answer to it", &second.answer, &(200, json!({ "received": true, "duplicates": 1 })))
    }

    pub async fn tampered(&mut self) -> Outcome {
        let mut request = self.captured().await?;
        let body = String::from_utf8(request.body.to_vec()).unwrap().replace("res_of_", "res_off_");
        request.body = body.into();
        self.answers(&request, 401).await
    }

    pub async fn unsigned(&mut self) -> Outcome {
        for header in ["x-pcf-signature", "x-pcf-timestamp"] {
            let mut request = self.captured().await?;
            request.headers.remove(header);
            self.answers(&request, 400).await?;
        }
        Ok(())
    }

    pub async fn foreign(&mut self) -> Outcome {
        let request = signed(&self.captured().await?, "yesterday", now());
        self.answers(&request, 401).await
    }

    pub async fn too_old(&mut self) -> Outcome {
        let captured = self.captured().await?;
        self.answers(&signed(&captured, SECRET, now()), 200).await?;
        self.answers(&signed(&captured, SECRET, now() - TOO_OLD_SECONDS), 400).await
    }

    pub async fn several_secrets(&mut self) -> Outcome {
        let request = signed(&self.captured().await?, NEXT_SECRET, now());
        self.answers(&request, 200).await
    }

    /// The receiver does not know the new secret.
    pub async fn rotated(&mut self) -> Outcome {
        self.patch(&json!({ "config": { "secret": "unknown here" } })).await;
        let [exchange] = self.published("evt_rotated").await?;
        equal("the answer", &exchange.answer, &(200, json!({ "received": true })))?;
        let mut request = exchange.request;
        let previous = request.headers.remove("x-pcf-signature-previous");
        equal("a signature of the secret before", &previous.is_some(), &true)?;
        self.answers(&request, 401).await
    }

    pub async fn batch(&mut self) -> Outcome {
        self.patch(
            &json!({ "config": { "batch": { "enabled": true, "max_size": 2, "max_wait_ms": 300_000 } } }),
        )
        .await;
        self.publish("evt_first").await;
        self.publish("evt_second").await;
        let exchange = self.proxy.exchanges("evt_second", 1).await?.remove(0);
        equal("the answer", &exchange.answer, &(200, json!({ "received": true, "count": 2 })))?;
        let again = self.proxy.send(&exchange.request).await;
        equal(
            "the answer to a repetition",
            &again,
            &(200, json!({ "received": true, "count": 2, "duplicates": 2 })),
        )?;
        for event in ["evt_first", "evt_second"] {
            self.prints(&format!("received resource.created {event} attempt 1")).await?;
        }
        Ok(())
    }

    /// Asks the receiver to end, and counts what it has done.
    pub async fn end(&mut self) -> Outcome {
        self.receiver.signal(Signal::Terminate).unwrap();
        let status = self.receiver.ended(DEADLINE).await.map_err(|error| error.to_string())?;
        equal("its status", &status.code(), &Some(0))?;
        let log = self.receiver.log();
        let mut done: Vec<_> = log.lines().filter_map(|line| line.strip_prefix("created res_of_")).collect();
        done.sort_unstable();
        equal("what was done", &done, &vec!["evt_first", "evt_good", "evt_lost", "evt_rotated", "evt_second"])
    }

    /// What the receiver said.
    pub fn log(&self) -> String {
        self.receiver.log()
    }

    /// Publishes an event, and waits for so many requests about it.
    async fn published<const N: usize>(&self, id: &str) -> Result<[Exchange; N], String> {
        self.publish(id).await;
        let exchanges = self.proxy.exchanges(id, N).await?;
        exchanges.try_into().map_err(|more| format!("expected {N} requests, there came {more:#?}"))
    }

    async fn publish(&self, id: &str) {
        let object = json!({ "id": format!("res_of_{id}"), "type": "resource" });
        let event = json!({ "id": id, "type": "resource.created", "data": { "object": object } });
        let (status, answer) = self.operator.publish(&self.namespace, &event).await;
        assert_eq!(
            (status, &answer["deliveries"].as_array().map(Vec::len)),
            (StatusCode::ACCEPTED, &Some(1))
        );
    }

    /// Changes the webhook, and waits until it is so.
    async fn patch(&self, change: &Value) {
        let (status, answer) =
            self.operator.call(&self.namespace, Method::PATCH, &self.webhook, Some(change)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let generations =
            "--output=jsonpath={.items[*].metadata.generation} {.items[*].status.observedGeneration}";
        support::eventually("the change to take effect", async || {
            let seen = self.namespace.kubectl(&["get", "webhooks", generations]).await.success();
            if seen.split_once(' ').is_some_and(|(made, seen)| made == seen) { Ok(()) } else { Err(seen) }
        })
        .await;
    }

    /// A request that the operator made.
    async fn captured(&self) -> Result<Request, String> {
        Ok(self.proxy.exchanges("evt_good", 1).await?.remove(0).request)
    }

    async fn answers(&self, request: &Request, expected: u16) -> Outcome {
        let (status, told) = self.proxy.send(request).await;
        equal(&format!("the status of {told}"), &status, &expected)
    }

    async fn prints(&mut self, line: &str) -> Outcome {
        let printed = async |process: &Process| process.log().lines().any(|it| it == line);
        let waited = self.receiver.until("printing", DEADLINE, printed).await;
        waited.map_err(|error| format!("'{line}' is not printed: {error}"))
    }
}

/// The same request, signed anew as somebody would who knows nothing of our code.
fn signed(request: &Request, secret: &str, timestamp: i64) -> Request {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(&request.body);
    let signature = Bytes::copy_from_slice(&mac.finalize().into_bytes());
    let mut request = request.clone();
    request.headers.insert("x-pcf-signature", format!("sha256={signature:x}").parse().unwrap());
    request.headers.insert("x-pcf-timestamp", timestamp.into());
    request
}

fn now() -> i64 {
    clock::wall().as_secs()
}

fn equal<T: PartialEq + Debug>(what: &str, seen: &T, expected: &T) -> Outcome {
    if seen == expected { Ok(()) } else { Err(format!("{what} is {seen:?} instead of {expected:?}")) }
}
