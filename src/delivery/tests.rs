//! The driver on a real store, with receivers that follow a script. Time is paused: it passes when
//! nothing else happens.

mod batches;

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookwright_engine::attempt::{Attempt, Outcome};
use hookwright_engine::delivery::State;
use hookwright_engine::endpoint::{Endpoint, Receiver, ReceiverUrl, Target};
use hookwright_engine::event::Draft;
use hookwright_engine::filter::{Expression, Filter};
use hookwright_engine::id::{DeliveryId, WebhookId};
use hookwright_engine::ordering;
use hookwright_engine::retry;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Driver, Handle, Options, What};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::store::{self, Retention, sqlite};
use crate::telemetry::traces::Traces;
use crate::transport::{Contents, Request, Transport};

/// What a receiver does with a request.
#[derive(Clone, Copy, Debug)]
enum Act {
    Answer(u16),
    Hang,
    Panic,
}

/// Does one act after the other, then answers 200, and tells of each request.
struct Script {
    acts: Mutex<VecDeque<Act>>,
    requests: mpsc::UnboundedSender<Request>,
    clock: Clock,
}

impl Transport for Script {
    async fn send(&self, request: Request) -> Attempt {
        self.requests.send(request).unwrap();
        let started = self.clock.now();
        let act = self.acts.lock().unwrap().pop_front().unwrap_or(Act::Answer(200));
        match act {
            Act::Answer(status) => Attempt {
                started,
                elapsed: Duration::ZERO,
                outcome: Outcome::Responded { status, retry_after: None },
                response: Vec::new(),
            },
            Act::Hang => std::future::pending().await,
            Act::Panic => panic!("as the script says"),
        }
    }
}

/// A driver at work in a folder.
struct Bench {
    handle: Handle,
    store: store::Handle,
    service: sqlite::Service,
    requests: mpsc::UnboundedReceiver<Request>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
    driver: JoinHandle<Result<(), store::Error>>,
}

const WEBHOOK: WebhookId = WebhookId::from_uid(Uuid::from_u128(1));

impl Bench {
    fn start(folder: &TempDir, acts: &[Act]) -> Self {
        Self::start_with(folder, acts, endpoint())
    }

    fn start_with(folder: &TempDir, acts: &[Act], endpoint: Endpoint) -> Self {
        let clock = Clock::system();
        let (store, notices, service) = sqlite::open(sqlite::Options {
            path: folder.path().join("hookwright.db"),
            retention: Retention { age: Duration::from_hours(24 * 365), max_bytes: 1 << 30 },
            clock: clock.clone(),
        })
        .unwrap();
        let (sender, requests) = mpsc::unbounded_channel();
        let acts = Mutex::new(acts.iter().copied().collect());
        let transport = Arc::new(Script { acts, requests: sender, clock: clock.clone() });
        let metrics = Arc::new(Metrics::new());
        let (handle, driver) = Driver::new(
            Options::default(),
            store.clone(),
            notices,
            transport,
            clock,
            Arc::clone(&metrics),
            Traces::default(),
        );
        let shutdown = CancellationToken::new();
        let driver = tokio::spawn(driver.run(shutdown.clone()));
        handle.upsert(endpoint);
        handle.synced(HashSet::from([WEBHOOK]));
        Self { handle, store, service, requests, metrics, shutdown, driver }
    }

    async fn publish(&self) -> DeliveryId {
        let draft = Draft::parse(br#"{"type":"resource.created","data":{"object":{}}}"#).unwrap();
        self.handle.publish("shop", draft).await.unwrap().deliveries[0]
    }

    /// Waits until the delivery has ended, and tells how and after how many attempts.
    async fn end(&self, delivery: DeliveryId) -> (State, u32) {
        loop {
            let found = self.store.delivery(delivery).await.unwrap().unwrap();
            if found.state.is_final() {
                return (found.state, found.attempts);
            }
            tokio::time::sleep(Duration::from_mins(1)).await; // Of paused time.
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.driver.await.unwrap().unwrap();
        drop((self.handle, self.store));
        self.service.shutdown().await.unwrap();
    }
}

/// The delivery that is sent next, by itself.
async fn next(requests: &mut mpsc::UnboundedReceiver<Request>) -> DeliveryId {
    match requests.recv().await.unwrap().contents {
        Contents::Event { delivery, .. } => delivery,
        Contents::Batch(batch) => panic!("sent {batch}"),
    }
}

fn endpoint() -> Endpoint {
    let receiver = Receiver::new(ReceiverUrl::parse("https://receiver.example/").unwrap(), "secret".into());
    Endpoint {
        id: WEBHOOK,
        namespace: "shop".into(),
        name: "orders".into(),
        generation: 1,
        events: vec!["*".parse().unwrap()],
        filter: None,
        retry: retry::Policy::default(),
        batch: None,
        max_in_flight: 50,
        ordering: ordering::Policy::None,
        rate_limit: None,
        breaker: None,
        dead_letter: None,
        target: Target::Receiver(Arc::new(receiver)),
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_event_is_sent_and_what_became_of_it_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(&folder, &[]);
    let mut changes = bench.handle.changes();
    let delivery = bench.publish().await;
    let request = bench.requests.recv().await.unwrap();
    let Contents::Event { delivery: of, event_type, .. } = &request.contents else { panic!("{request:?}") };
    assert_eq!((*of, event_type.as_str()), (delivery, "resource.created"));
    assert!(String::from_utf8_lossy(&request.body).contains(r#""attempt":1,"#));
    assert_eq!(bench.end(delivery).await, (State::Delivered, 1));
    let mut told = Vec::new();
    while let Ok(change) = changes.try_recv() {
        told.push(match change.what {
            What::Accepted => "accepted",
            What::Sending => "sending",
            What::Attempted(_) => "attempted",
            What::Canceled => "canceled",
        });
    }
    assert_eq!(told, ["accepted", "sending", "attempted"]);
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_delivery_is_retried_until_its_budget_is_spent_and_again_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(&folder, &[Act::Answer(500); 6]);
    let delivery = bench.publish().await;
    assert_eq!(bench.end(delivery).await, (State::Failed, 5));
    bench.store.retry(delivery).await.unwrap().unwrap();
    assert_eq!(bench.end(delivery).await, (State::Delivered, 7));
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_on_our_side_is_repeated_and_charges_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(&folder, &[Act::Panic]);
    let delivery = bench.publish().await;
    assert_eq!(bench.end(delivery).await, (State::Delivered, 1));
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_outlives_the_shutdown_is_made_again_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(&folder, &[Act::Hang]);
    let delivery = bench.publish().await;
    bench.requests.recv().await.unwrap();
    bench.stop().await;
    let mut bench = Bench::start(&folder, &[]);
    assert_eq!(next(&mut bench.requests).await, delivery);
    assert_eq!(bench.end(delivery).await, (State::Delivered, 1));
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn only_webhooks_whose_filter_lets_an_event_through_get_it_and_failures_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(&folder, &[]);
    let other = WebhookId::from_uid(Uuid::from_u128(2));
    bench.handle.upsert(Endpoint { id: other, ..endpoint() });
    let deliveries = async |filter: Filter, event: &str| {
        bench.handle.upsert(Endpoint { filter: Some(Arc::new(filter)), ..endpoint() });
        let draft = Draft::parse(event.as_bytes()).unwrap();
        bench.handle.publish("shop", draft).await.unwrap().deliveries.len()
    };
    let cel = |source| Filter::new(&[], &[], vec![Expression::compile(source).unwrap()]).unwrap();
    let user = || Filter::new(&[], &["u".to_owned()], Vec::new()).unwrap();
    let event = r#"{"type":"a","data":{"n":1},"metadata":{"user_id":"u"}}"#;
    assert_eq!(deliveries(cel("event.data.n == 1"), event).await, 2);
    assert_eq!(deliveries(cel("event.data.n == 2"), event).await, 1);
    assert_eq!(deliveries(cel("event.data.m == 2"), event).await, 1);
    assert_eq!(deliveries(user(), event).await, 2);
    assert_eq!(deliveries(user(), r#"{"type":"a","data":{}}"#).await, 1);
    let page = bench.metrics.page(bench.store.stats()).unwrap();
    assert!(page.contains("hookwright_filter_failures_total{reason=\"Missing\"} 1"), "{page}");

    bench.handle.upsert(endpoint());
    let draft = Draft::parse(event.as_bytes()).unwrap();
    assert_eq!(bench.handle.publish("shop", draft).await.unwrap().deliveries.len(), 2);
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_webhook_takes_its_unfinished_deliveries_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(&folder, &[Act::Answer(500)]);
    let delivery = bench.publish().await;
    bench.handle.remove(WEBHOOK);
    assert_eq!(bench.end(delivery).await.0, State::Canceled);
    let draft = Draft::parse(br#"{"type":"resource.created","data":{}}"#).unwrap();
    assert!(bench.handle.publish("shop", draft).await.unwrap().deliveries.is_empty());
    bench.stop().await;
}

/// An event about an object.
fn about(object: &str) -> Draft {
    Draft::parse(format!(r#"{{"type":"a","data":{{"object":{{"id":"{object}"}}}}}}"#).as_bytes()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn events_about_the_same_object_are_sent_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(&folder, &[Act::Answer(500), Act::Answer(200), Act::Hang]);
    bench.handle.upsert(Endpoint { ordering: ordering::Policy::PerKey, ..endpoint() });
    let publish = async |object| bench.handle.publish("shop", about(object)).await.unwrap().deliveries[0];
    let (first, second) = (publish("a").await, publish("a").await);
    for expected in [first, first, second] {
        assert_eq!(next(&mut bench.requests).await, expected);
    }
    // While the second one hangs.
    let (third, other) = (publish("a").await, publish("b").await);
    assert_eq!(next(&mut bench.requests).await, other);
    assert!(bench.store.delivery(third).await.unwrap().unwrap().parked);
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_meant_for_one_webhook_joins_its_line_unless_it_is_a_test() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(&folder, &[Act::Hang]);
    bench.handle.upsert(Endpoint { ordering: ordering::Policy::Strict, ..endpoint() });
    let first = bench.publish().await;
    assert_eq!(next(&mut bench.requests).await, first);
    let origin = |number| Uuid::from_u128(number);
    let is_parked = async |id| bench.store.delivery(id).await.unwrap().unwrap().parked;
    let sent = bench.handle.send("shop", WEBHOOK, about("a"), origin(1)).await.unwrap().deliveries[0];
    assert!(is_parked(sent).await);
    let of = bench.store.delivery(first).await.unwrap().unwrap();
    let replayed = bench.handle.replay(&of, WEBHOOK, origin(2)).await.unwrap().unwrap();
    assert!(is_parked(replayed).await);
    let test = bench.handle.test("shop", WEBHOOK, about("a"), origin(3)).await.unwrap();
    assert_eq!(next(&mut bench.requests).await, test.deliveries[0]);
    bench.stop().await;
}
