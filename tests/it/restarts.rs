//! What survives an operator that ends, in order or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::http::StatusCode;
use serde_json::json;

use crate::support::{self, Cluster, Namespace, Operator, Receiver, Request, webhook};

#[tokio::test]
async fn a_restart_amid_retries_loses_nothing_and_repeats_nothing() {
    const EVENTS: usize = 20;
    let cluster = support::cluster().await;
    let ns = cluster.namespace("restart").await;
    let receiver =
        Receiver::answering(|nth, _| if nth > EVENTS { StatusCode::OK } else { StatusCode::BAD_GATEWAY })
            .await;
    let mut operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    let patient = json!({ "retry": { "intervalsSeconds": [3] }, "circuitBreaker": { "enabled": false } });
    ns.apply(&webhook("orders", &receiver, patient)).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
    for n in 0..EVENTS {
        let event = json!({ "id": format!("evt_{n}"), "type": "a.b", "data": {} });
        assert_eq!(operator.publish(&ns, &event).await.0, StatusCode::ACCEPTED);
    }
    receiver.requests(EVENTS).await; // All have failed once.
    assert!(operator.sigterm().await.success());
    operator.restart().await;

    let requests = receiver.requests(2 * EVENTS).await;
    let tries: BTreeMap<_, Vec<_>> = by_event(&requests);
    assert_eq!(tries.len(), EVENTS);
    for (event, attempts) in tries {
        assert_eq!(attempts, [1, 2], "{event}");
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_however_often_the_operator_is_killed_under_load() {
    const ROUNDS: usize = 20;
    /// Requests of one webhook in flight: so many may be repeated by each kill.
    const MAX_IN_FLIGHT: usize = 10;
    let cluster = support::cluster().await;
    let ns = cluster.namespace("kill").await;
    let receiver = Receiver::start().await;
    let mut operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    let narrow = json!({ "concurrency": { "maxInFlight": MAX_IN_FLIGHT } });
    ns.apply(&webhook("orders", &receiver, narrow)).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();

    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let (url, client) = (operator.url().to_owned(), operator.client().clone());
        let load = Load { url, client, namespace: ns.name().to_owned(), round };
        // Killed after a number of acknowledgements that differs by round, in the middle of more.
        acknowledged.extend(
            load.until_killed(30 + 17 * (round % 7), async || {
                let _killed = operator.kill().await;
            })
            .await,
        );
        operator.restart().await;
    }

    let requests = support::eventually("all that was acknowledged to arrive", async || {
        let requests = receiver.received();
        let ids: BTreeSet<_> = requests.iter().map(Request::event_id).collect();
        let missing = acknowledged.difference(&ids).count();
        if missing == 0 { Ok(requests) } else { Err(missing) }
    })
    .await;
    let repeated = requests.len() - by_event(&requests).len();
    assert!(acknowledged.len() >= ROUNDS * 30);
    assert!(repeated <= ROUNDS * MAX_IN_FLIGHT, "{repeated} of {} requests were repeated", requests.len());
}

/// Producers that publish as fast as they can.
struct Load {
    url: String,
    client: reqwest::Client,
    namespace: String,
    round: usize,
}

impl Load {
    /// Publishes until `count` events were acknowledged, kills the operator, and tells which were.
    async fn until_killed(self, count: usize, kill: impl AsyncFnOnce()) -> Vec<String> {
        const PRODUCERS: usize = 8;
        let (acknowledge, mut acknowledged) = tokio::sync::mpsc::unbounded_channel();
        let producers = (0..PRODUCERS).map(|producer| {
            let acknowledge = acknowledge.clone();
            let Self { url, client, namespace, round } = &self;
            let client = client.clone();
            let url = format!("{url}/v1/events?namespace={namespace}");
            let prefix = format!("evt_{round}_{producer}");
            tokio::spawn(async move {
                for n in 0.. {
                    let id = format!("{prefix}_{n}");
                    let event = json!({ "id": &id, "type": "a.b", "data": { "padding": "x".repeat(500) } });
                    match client.post(&url).json(&event).send().await {
                        Ok(answer) if answer.status() == StatusCode::ACCEPTED => drop(acknowledge.send(id)),
                        Ok(answer) => panic!("{id}: {}", answer.status()),
                        Err(_) => break, // The operator is dead.
                    }
                }
            })
        });
        let producers: Vec<_> = producers.collect();
        drop(acknowledge);
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.push(acknowledged.recv().await.expect("producers go on until the kill"));
        }
        kill().await;
        while let Some(id) = acknowledged.recv().await {
            ids.push(id);
        }
        for producer in producers {
            producer.await.unwrap();
        }
        ids
    }
}

#[tokio::test]
async fn deliveries_go_on_while_the_api_server_is_away_and_the_status_catches_up() {
    let mut cluster = Cluster::start_private().await;
    let away = Arc::new(AtomicBool::new(false));
    let taken = Arc::new(AtomicUsize::new(0));
    let (begun, counted) = (Arc::clone(&away), Arc::clone(&taken));
    let answer = move |_, _: &_| {
        if !begun.load(Ordering::SeqCst) {
            return StatusCode::BAD_GATEWAY;
        }
        counted.fetch_add(1, Ordering::SeqCst);
        StatusCode::OK
    };
    let receiver = Receiver::answering(answer).await;
    let operator;
    let name;
    {
        let ns = cluster.namespace("outage").await;
        operator = Operator::start(&cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
        let patient = json!({
            "retry": { "intervalsSeconds": [1], "maxAttempts": 50, "backoffRatePercent": 100 },
            "circuitBreaker": { "enabled": false },
        });
        ns.apply(&webhook("orders", &receiver, patient)).await;
        ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
        for n in 0..10 {
            let event = json!({ "id": format!("evt_{n}"), "type": "a.b", "data": {} });
            assert_eq!(operator.publish(&ns, &event).await.0, StatusCode::ACCEPTED);
        }
        name = ns.name().to_owned();
    }
    let unknown = cluster.token().await;
    cluster.stop_apiserver().await;
    let stranger = support::client(&unknown).post(format!("{}/v1/events", operator.url()));
    let answer = stranger.json(&json!({ "type": "a.b", "data": {} })).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "who could not be asked about was let in");
    away.store(true, Ordering::SeqCst);
    support::eventually("all deliveries", async || {
        let taken = taken.load(Ordering::SeqCst);
        if taken == 10 { Ok(()) } else { Err(taken) }
    })
    .await;
    cluster.start_apiserver().await;
    let ns = cluster.existing_namespace(&name);
    support::eventually("the status to catch up", async || {
        let seen = delivered(&ns).await;
        if seen == "10" { Ok(()) } else { Err(seen) }
    })
    .await;
}

#[tokio::test]
async fn a_second_operator_on_the_same_database_ends_with_one_line_that_says_why() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("second").await;
    let operator = Operator::start(cluster, &ns, &[]).await;
    let second = operator.second().await;
    assert_eq!(second.status.code(), Some(1));
    let stderr = String::from_utf8(second.stderr).unwrap();
    let lines: Vec<_> = stderr.lines().filter(|line| !line.starts_with('{')).collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    assert!(lines[0].contains("another process uses the database"), "{}", lines[0]);
}

async fn delivered(ns: &Namespace<'_>) -> String {
    ns.kubectl(&["get", "whk/orders", "--output=jsonpath={.status.counts.delivered}"]).await.success()
}

/// The numbers of the attempts of each event, as its receiver got them.
fn by_event(requests: &[Request]) -> BTreeMap<String, Vec<u64>> {
    let mut tries: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for request in requests {
        tries.entry(request.event_id()).or_default().push(request.attempt());
    }
    tries
}
