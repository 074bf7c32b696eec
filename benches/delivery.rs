//! How fast is a durable delivery (accept, fsync, sign, POST, write down), compared with the same
//! requests signed and sent over bare connections? Both in one run, on the same cores, to the same
//! receiver, so that the machine and its load cancel out.
//!
//! `cargo bench --bench delivery`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark ends by panicking, and prints")]

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future;
use hookwright::clock::{self, Clock};
use hookwright::crd::Webhook;
use hookwright::crd::secret::Secrets;
use hookwright::delivery::{self, Driver};
use hookwright::metrics::Metrics;
use hookwright::store::{self, Retention};
use hookwright::telemetry::traces::Traces;
use hookwright::transport::guard::Policy;
use hookwright::transport::http::{self, Http};
use hookwright_engine::endpoint::Endpoint;
use hookwright_engine::event::Draft;
use hookwright_engine::id::WebhookId;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Requests of each measurement.
const REQUESTS: usize = 40_000;
/// Events published at a time.
const BATCH: usize = 100;
/// Producers that publish beside each other.
const PRODUCERS: usize = 4;
/// Connections of the bare sender, and requests in flight of the webhook.
const CONNECTIONS: usize = 50;
/// Bytes of `data`.
const SIZE: usize = 1024;
/// Measurements of each kind; the best of each counts.
const ROUNDS: usize = 3;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let receiver = Counter::start().await;
        let (mut bare, mut durable, mut fan_out) = (0.0_f64, 0.0_f64, 0.0_f64);
        for _ in 0..ROUNDS {
            bare = bare.max(receiver.rate(bare_requests(receiver.address)).await);
            durable = durable.max(receiver.rate(durable_deliveries(receiver.address, 1)).await);
            fan_out = fan_out.max(receiver.rate(durable_deliveries(receiver.address, 10)).await);
        }
        println!("bare signed requests     {bare:>9.0} /s");
        println!("durable deliveries 1:1   {durable:>9.0} /s   {:.2} of it", durable / bare);
        println!("durable deliveries 1:10  {fan_out:>9.0} /s   {:.2} of it", fan_out / bare);
    });
}

/// A receiver that counts.
struct Counter {
    address: SocketAddr,
    received: Arc<AtomicUsize>,
    all: Arc<Notify>,
}

impl Counter {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (received, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let counter = Self { address, received: Arc::clone(&received), all: Arc::clone(&all) };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (received, all) = (Arc::clone(&received), Arc::clone(&all));
                let answer = service_fn(move |request: Request<Incoming>| {
                    let (received, all) = (Arc::clone(&received), Arc::clone(&all));
                    async move {
                        request.into_body().collect().await.unwrap();
                        if received.fetch_add(1, Ordering::Relaxed) + 1 == REQUESTS {
                            all.notify_one();
                        }
                        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
                    }
                });
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                tokio::spawn(connection);
            }
        });
        counter
    }

    /// Requests per second until all have come that `work` sends.
    async fn rate<T>(&self, work: impl Future<Output = T>) -> f64 {
        self.received.store(0, Ordering::Relaxed);
        let begin = Instant::now();
        let (_held, ()) = tokio::join!(work, self.all.notified());
        f64::from(u32::try_from(REQUESTS).unwrap()) / begin.elapsed().as_secs_f64()
    }
}

/// Signs and sends over connections of its own, with nothing between.
async fn bare_requests(address: SocketAddr) {
    let body = Bytes::from(event());
    let senders = (0..CONNECTIONS).map(|_| {
        let body = body.clone();
        tokio::spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            for _ in 0..REQUESTS / CONNECTIONS {
                let timestamp = clock::wall().as_secs();
                let signature = hookwright_signature::pcf::sign(&SECRET.into(), timestamp, &body);
                let request = Request::post("/hook")
                    .header("host", "127.0.0.1")
                    .header("x-pcf-timestamp", timestamp)
                    .header("x-pcf-signature", signature);
                sender.ready().await.unwrap();
                let answer =
                    sender.send_request(request.body(Full::new(body.clone())).unwrap()).await.unwrap();
                answer.into_body().collect().await.unwrap();
            }
        })
    });
    future::join_all(senders).await;
}

/// Publishes to so many webhooks of the same receiver, through a store on disk.
async fn durable_deliveries(address: SocketAddr, webhooks: u128) -> impl Sized {
    let folder =
        tempfile::Builder::new().prefix("hookwright-bench-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let clock = Clock::system();
    let (store, notices, service) = store::open(store::Options {
        path: folder.path().join("hookwright.db"),
        retention: Retention { age: Duration::from_hours(1), max_bytes: 4 << 30 },
        clock: clock.clone(),
    })
    .unwrap();
    let policy = Policy::new(vec!["127.0.0.0/8".parse().unwrap()], Vec::new());
    let transport = Arc::new(Http::new(http::Options { policy }).unwrap());
    let metrics = Arc::new(Metrics::new());
    let options = delivery::Options::default();
    let (handle, driver) = Driver::new(options, store, notices, transport, clock, metrics, Traces::default());
    let driver = tokio::spawn(driver.run(CancellationToken::new()));
    let endpoints = (1..=webhooks).map(|number| endpoint(number, address));
    let known: HashSet<_> =
        endpoints.inspect(|endpoint| handle.upsert(endpoint.clone())).map(|it| it.id).collect();
    let events = REQUESTS / known.len();
    handle.synced(known);
    let producers = (0..PRODUCERS).map(|_| {
        let handle = handle.clone();
        tokio::spawn(async move {
            for _ in 0..events / PRODUCERS / BATCH {
                let batch = (0..BATCH).map(|_| {
                    let draft = Draft::parse(event().as_bytes()).unwrap();
                    handle.publish("shop", draft)
                });
                future::try_join_all(batch).await.unwrap();
            }
        })
    });
    future::join_all(producers).await;
    (folder, service, driver)
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn event() -> String {
    format!(r#"{{"type":"resource.created","data":{{"padding":"{}"}}}}"#, "x".repeat(SIZE))
}

fn endpoint(number: u128, address: SocketAddr) -> Endpoint {
    let manifest = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Webhook",
        "metadata": { "name": format!("orders-{number}"), "namespace": "shop" },
        "spec": {
            "url": format!("http://{address}/hook"), "events": ["*"],
            "signing": { "secretRef": { "name": "key" } },
            "concurrency": { "maxInFlight": CONNECTIONS },
        },
    });
    let webhook: Webhook = serde_json::from_value(manifest).unwrap();
    let secret = json!({ "metadata": { "name": "key" }, "data": { "secret": ByteString(SECRET.into()) } });
    let secret: Secret = serde_json::from_value(secret).unwrap();
    let mut secrets = Secrets::new();
    webhook.references().into_iter().for_each(|key| secrets.add(key, &secret));
    webhook.endpoint(WebhookId::from_uid(Uuid::from_u128(number)), &secrets, None).endpoint
}
