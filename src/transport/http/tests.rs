mod answers;
mod connections;
mod failures;
mod identities;
mod oauth2;
mod receiver;
mod requests;
mod secure;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookwright_engine::attempt::{Attempt, FailureReason, Outcome};
use hookwright_engine::endpoint::{Receiver, ReceiverUrl, Timeouts};
use hookwright_engine::id::DeliveryId;

use super::{Http, Options, Policy, Request, Transport};
use crate::transport::Contents;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &[u8] = br#"{"id":"evt_1","type":"test.ping","webhook":{"attempt":1}}"#;

/// A policy of a developer's machine: loopback is open.
fn loopback() -> Policy {
    Policy::new(vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()], vec![])
}

fn http() -> Http {
    Http::new(Options { policy: loopback() }).unwrap()
}

fn request(url: &str) -> Request {
    request_within(url, Duration::from_secs(30))
}

fn request_within(url: &str, limit: Duration) -> Request {
    request_to(Receiver {
        timeouts: Timeouts { request: limit, connect: limit },
        ..Receiver::new(ReceiverUrl::parse(url).unwrap(), SECRET.into())
    })
}

fn request_to(receiver: Receiver) -> Request {
    Request {
        receiver: Arc::new(receiver),
        contents: Contents::Event {
            delivery: DeliveryId::from_u64(7),
            id: "evt_1".parse().unwrap(),
            event_type: "test.ping".parse().unwrap(),
        },
        body: Bytes::from_static(BODY),
        trace: None,
    }
}

/// Why there was no answer, and what people are told.
fn failure(attempt: Attempt) -> (FailureReason, String) {
    match attempt.outcome {
        Outcome::Failed(failure) => (failure.reason, failure.message),
        Outcome::Responded { .. } | Outcome::Fault(_) => panic!("not a failure: {attempt:?}"),
    }
}
