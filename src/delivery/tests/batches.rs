//! Webhooks that get their events in batches. The events are published while the webhook is held, so
//! that all of them wait when it is let go, however the paused time passes.

use hookwright_engine::attempt::Verdict;
use hookwright_engine::batch;
use hookwright_engine::delivery::{Kind, Pending};
use hookwright_engine::endpoint::Hold;
use hookwright_engine::engine::Send;
use hookwright_engine::id::{BatchId, EventKey};
use hookwright_engine::time::Time;
use serde_json::Value;

use super::*;
use crate::delivery::flight::fly;

fn held() -> Endpoint {
    Endpoint { target: Target::Held(Hold::Suspended), ..endpoint() }
}

/// Sends up to so many together; fewer only after minutes.
fn batches_of(max_size: u32) -> Endpoint {
    let batch = batch::Policy::new(max_size, batch::Policy::MAX_WAIT_MILLISECONDS).unwrap();
    Endpoint { batch: Some(batch), ..endpoint() }
}

/// A driver whose webhook is held, with so many deliveries waiting.
async fn waiting(folder: &TempDir, acts: &[Act], count: usize) -> (Bench, Vec<DeliveryId>) {
    let bench = Bench::start(folder, acts);
    bench.handle.upsert(held());
    let (mut changes, mut deliveries) = (bench.handle.changes(), Vec::new());
    for _ in 0..count {
        deliveries.push(bench.publish().await);
        // The driver knows of it, too: what it hears of later could not wait with the others.
        while !matches!(changes.recv().await.unwrap().what, What::Accepted) {}
    }
    (bench, deliveries)
}

/// The next request: its batch, and the attempts that its events say they are.
async fn batch(bench: &mut Bench) -> (BatchId, Vec<u64>) {
    let request = bench.requests.recv().await.unwrap();
    let Contents::Batch(id) = request.contents else { panic!("{request:?}") };
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let events = body["events"].as_array().unwrap();
    (id, events.iter().map(|event| event["webhook"]["attempt"].as_u64().unwrap()).collect())
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_one_request_and_each_of_its_deliveries_has_its_own_record() {
    let folder = tempfile::tempdir().unwrap();
    let (mut bench, deliveries) = waiting(&folder, &[], 3).await;
    bench.handle.upsert(batches_of(2));
    assert_eq!(batch(&mut bench).await, (BatchId::of(deliveries[..2].iter().copied()), vec![1, 1]));
    for delivery in &deliveries {
        assert_eq!(bench.end(*delivery).await, (State::Delivered, 1));
        let attempts = bench.store.attempts(*delivery).await.unwrap();
        assert_eq!(attempts[0].1.outcome.verdict(), Verdict::Success);
    }
    // The last one has waited long enough.
    assert_eq!(batch(&mut bench).await, (BatchId::of([deliveries[2]]), vec![1]));
    let page = bench.metrics.page(bench.store.stats()).unwrap();
    for line in [
        "attempts_total{reason=\"Delivered\"} 2",
        "deliveries_ended_total{state=\"Delivered\"} 3",
        "batch_events_sum 3",
    ] {
        assert!(page.contains(&format!("hookwright_{line}")), "{page}");
    }
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_failed_comes_back_as_it_was_even_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut bench, deliveries) = waiting(&folder, &[Act::Answer(500)], 4).await;
    // So long that it does not pass before the restart.
    let retry = retry::Policy::new(2, &[36_000], 100, 36_000).unwrap();
    bench.handle.upsert(Endpoint { retry, ..batches_of(2) });
    let first = batch(&mut bench).await.0;
    assert_eq!(bench.end(deliveries[3]).await, (State::Delivered, 1));
    bench.stop().await;
    let mut bench = Bench::start_with(&folder, &[], batches_of(3));
    assert_eq!(batch(&mut bench).await, (first, vec![2, 2]));
    assert_eq!(bench.end(deliveries[0]).await, (State::Delivered, 2));
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_read_holds_up_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let (bench, deliveries) = waiting(&folder, &[], 1).await;
    let event = bench.store.delivery(deliveries[0]).await.unwrap().unwrap().event;
    let pending = |id, event| Pending {
        id,
        event,
        webhook: WEBHOOK,
        attempts: 0,
        budget_from: 0,
        kind: Kind::Event,
        due: Time::MIN,
        line: None,
        batch: None,
        size: 0,
    };
    let lost = pending(DeliveryId::from_u64(1), EventKey::from_u64(1));
    let Target::Receiver(receiver) = endpoint().target else { panic!("held") };
    let send = Arc::new(Send {
        deliveries: vec![lost, pending(deliveries[0], event)],
        batch: Some(BatchId::of([lost.id, deliveries[0]])),
        endpoint: Arc::new(batches_of(2)),
        receiver,
    });
    let (sender, mut requests) = mpsc::unbounded_channel();
    let transport = Script { acts: Mutex::default(), requests: sender, clock: Clock::system() };
    let (store, transport) = (bench.store.clone(), Arc::new(transport));
    let landed =
        fly(Arc::clone(&send), vec![None, None], store, transport, Clock::system(), Traces::default()).await;
    assert_eq!(landed.attempt.outcome.verdict(), Verdict::Success);
    assert_eq!(landed.unread(&send.deliveries), [lost.id]);
    let contents = requests.recv().await.unwrap().contents;
    assert_eq!(contents, Contents::Batch(BatchId::of(deliveries)), "under the id of what is in it");
    drop(landed);
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_changes_to_batches_and_back_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut bench, deliveries) = waiting(&folder, &[Act::Answer(500); 5], 6).await;
    bench.handle.upsert(batches_of(4));
    batch(&mut bench).await;
    bench.handle.upsert(Endpoint { max_in_flight: 1, ..endpoint() });
    bench.requests.recv().await.unwrap();
    bench.handle.upsert(batches_of(3));
    for delivery in deliveries {
        assert_eq!(bench.end(delivery).await.0, State::Delivered);
    }
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_to_one_webhook_on_request_waits_for_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let (mut bench, deliveries) = waiting(&folder, &[], 1).await;
    let draft = Draft::parse(br#"{"type":"test.ping","data":{}}"#).unwrap();
    let sent = bench.handle.send("shop", WEBHOOK, draft, Uuid::from_u128(7)).await.unwrap().deliveries[0];
    bench.handle.upsert(batches_of(2));
    let one = batch(&mut bench).await;
    assert_eq!(one.1, [1], "sent with others");
    let other = batch(&mut bench).await;
    let expected = [BatchId::of([sent]), BatchId::of(deliveries)].map(|id| (id, vec![1]));
    assert!(expected == [one.clone(), other.clone()] || expected == [other, one]);
    bench.stop().await;
}
