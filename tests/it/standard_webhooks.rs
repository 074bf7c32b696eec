//! The official verifiers of Standard Webhooks believe what the operator sends, and nothing else.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Receiver, Request, Standalone};

/// Programs of `make tools`, each around the package of its language.
const VERIFIERS: [&str; 2] = ["standard-webhooks.mjs", "standard-webhooks.py"];
const GENUINE: &str = "genuine";

/// A request, the secret to judge it by, and whether it is genuine.
#[derive(Clone)]
struct Question<'a> {
    about: &'static str,
    request: Request,
    secret: &'a str,
    genuine: bool,
}

impl Question<'_> {
    fn line(&self) -> String {
        let headers = self.request.headers.iter().filter(|(name, _)| name.as_str().starts_with("webhook-"));
        let headers: Value =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap())).collect();
        let body = str::from_utf8(&self.request.body).unwrap();
        json!({ "secret": self.secret, "headers": headers, "body": body }).to_string()
    }
}

/// What a verifier says to each question.
fn verdicts(verifier: &str, questions: &[Question<'_>]) -> Vec<String> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("bin").join(verifier);
    assert!(program.exists(), "there is no bin/{verifier}: make tools");
    let mut command = Command::new(program);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    for question in questions {
        writeln!(stdin, "{}", question.line()).unwrap();
    }
    drop(stdin);
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{verifier}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The request as it came, judged by every secret that signed it, and what may not pass for it.
fn questions<'a>(
    about: &'static str,
    request: &Request,
    secrets: &[&'a str],
    foreign: &'a str,
) -> Vec<Question<'a>> {
    let secret = secrets[0];
    let genuine =
        secrets.iter().map(|secret| Question { about, request: request.clone(), secret, genuine: true });
    let changed =
        [("webhook-id", "evt_other"), ("webhook-timestamp", "1705314600")].map(|(header, value)| {
            let mut request = request.clone();
            request.headers.insert(header, value.parse().unwrap());
            Question { about, request, secret, genuine: false }
        });
    let mut tampered = request.clone();
    tampered.body = [&request.body[..], b" "].concat().into();
    let refused = [
        Question { about, request: tampered, secret, genuine: false },
        Question { about, request: request.clone(), secret: foreign, genuine: false },
    ];
    genuine.chain(changed).chain(refused).collect()
}

async fn patched(standalone: &Standalone, path: &str, body: &Value) {
    let (status, answer) = standalone.call(Method::PATCH, path, Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

async fn published(standalone: &Standalone, id: &str) {
    standalone.publish(&json!({ "id": id, "type": "user.login", "data": { "name": "Ünsal" } })).await;
}

#[tokio::test]
async fn official_verifiers_believe_single_events_rotations_and_batches_and_nothing_else() {
    let receiver = Receiver::start().await;
    let standalone = Standalone::start(&[], &[]).await;
    let body =
        json!({ "url": receiver.url(), "events": ["*"], "signing": { "schemes": ["StandardWebhooks"] } });
    let (status, made) = standalone.call(Method::POST, "/v1/webhooks", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (old, path) =
        (made["secret"].as_str().unwrap(), format!("/v1/webhooks/{}", made["id"].as_str().unwrap()));
    published(&standalone, "evt_1").await;
    let single = receiver.requests(1).await.remove(0);

    let rotate = format!("{path}/secret/rotate");
    let (status, rotated) = standalone.call(Method::POST, &rotate, None).await;
    assert_eq!(status, StatusCode::OK, "{rotated}");
    let new = rotated["secret"].as_str().unwrap();
    published(&standalone, "evt_2").await;
    let both = receiver.requests(2).await.remove(1);
    assert_eq!(both.headers["webhook-signature"].to_str().unwrap().split(' ').count(), 2);

    let batch = json!({ "config": { "batch": { "enabled": true, "max_size": 2, "max_wait_ms": 300_000 } } });
    patched(&standalone, &path, &batch).await;
    published(&standalone, "evt_3").await;
    published(&standalone, "evt_4").await;
    let batch = receiver.requests(3).await.remove(2);
    assert_eq!(batch.headers["x-pcf-event"], "batch");

    let foreign = "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcg==";
    let questions = [
        questions("a single event", &single, &[old], new),
        questions("a rotation", &both, &[new, old], foreign),
        questions("a batch", &batch, &[new, old], foreign),
    ]
    .concat();
    for verifier in VERIFIERS {
        let verdicts = verdicts(verifier, &questions);
        assert_eq!(verdicts.len(), questions.len(), "{verifier}: {verdicts:#?}");
        for (question, verdict) in questions.iter().zip(verdicts) {
            let Question { about, request, secret: _, genuine } = question;
            assert_eq!(verdict == GENUINE, *genuine, "{verifier} says of {about}: {verdict}; {request:#?}");
        }
    }
}
