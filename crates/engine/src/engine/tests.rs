use secrecy::SecretString;
use uuid::Uuid;

use super::*;
use crate::attempt::Outcome;
use crate::breaker;
use crate::delivery::Kind;
use crate::endpoint::{ReceiverUrl, Target};
use crate::id::EventKey;
use crate::ordering;
use crate::rate;
use crate::retry;

const NOW: Time = Time::from_secs(1_700_000_000);

fn webhook(number: u128) -> WebhookId {
    WebhookId::from_uid(Uuid::from_u128(number))
}

fn endpoint(number: u128, max_in_flight: u32) -> Arc<Endpoint> {
    let receiver =
        Receiver::new(ReceiverUrl::parse("https://receiver.example/").unwrap(), SecretString::from("secret"));
    Arc::new(Endpoint {
        id: webhook(number),
        namespace: "shop".into(),
        name: "orders".into(),
        generation: 1,
        events: Vec::new(),
        filter: None,
        retry: retry::Policy::default(),
        batch: None,
        max_in_flight,
        ordering: ordering::Policy::None,
        rate_limit: None,
        breaker: None,
        dead_letter: None,
        target: Target::Receiver(Arc::new(receiver)),
    })
}

fn pending(id: u64, number: u128) -> Pending {
    Pending {
        id: DeliveryId::from_u64(id),
        event: EventKey::from_u64(id),
        webhook: webhook(number),
        attempts: 0,
        budget_from: 0,
        kind: Kind::Event,
        due: NOW,
        line: None,
        batch: None,
        size: 100,
    }
}

/// An engine with webhooks numbered from 1 that have nothing in the log, and the ids it sends.
struct Bench(Engine);

impl Bench {
    fn new(limits: Limits, max_in_flight: &[u32]) -> Self {
        let mut bench = Self(Engine::new(limits));
        for (number, &max) in (1..).zip(max_in_flight) {
            bench.step(Input::Upsert(endpoint(number, max)));
            bench.step(Input::Loaded { webhook: webhook(number), page: Page::default() });
        }
        bench
    }

    fn step(&mut self, input: Input) -> Vec<u64> {
        self.step_at(NOW, input)
    }

    fn step_at(&mut self, now: Time, input: Input) -> Vec<u64> {
        let mut effects = Vec::new();
        self.0.step(now, input, &mut effects);
        let sent = effects.into_iter().filter_map(|effect| match effect {
            Effect::Send(send) => Some(send.deliveries),
            Effect::Command(_) | Effect::Circuit { .. } | Effect::Held { .. } | Effect::Restraint { .. } => {
                None
            }
        });
        sent.flatten().map(|pending| pending.id.as_u64()).collect()
    }

    fn answered(&mut self, id: u64, status: u16) -> Vec<u64> {
        let outcome = Outcome::Responded { status, retry_after: None };
        let attempt = Attempt { started: NOW, elapsed: Duration::ZERO, outcome, response: Vec::new() };
        let deliveries = vec![DeliveryId::from_u64(id)];
        self.step(Input::Attempted { deliveries, attempt, unread: Vec::new(), entropy: 0 })
    }
}

#[test]
fn webhooks_take_turns_however_much_one_of_them_has_waiting() {
    let mut bench = Bench::new(Limits { max_in_flight: 1, window: 100 }, &[10, 10]);
    assert_eq!(bench.step(Input::Accepted((1..=50).map(|id| pending(id, 1)).collect())), [1]);
    bench.step(Input::Accepted(vec![pending(60, 2)]));
    assert_eq!(bench.answered(1, 200), [2]);
    assert_eq!(bench.answered(2, 200), [60]);
    assert_eq!(bench.answered(60, 200), [3]);
}

#[test]
fn a_failing_receiver_gets_less_at_a_time_and_more_again_when_it_is_well() {
    let mut bench = Bench::new(Limits::default(), &[4]);
    let many = (1..=20).map(|id| pending(id, 1)).collect();
    assert_eq!(bench.step(Input::Accepted(many)), [1, 2, 3, 4]);
    let after_failures: Vec<_> = (1..=4).map(|id| bench.answered(id, 500)).collect();
    assert_eq!(after_failures, [vec![], vec![], vec![], vec![5]]);
    assert_eq!(bench.answered(5, 200), [6, 7]);
    assert_eq!(bench.answered(6, 200), [8, 9]);
}

#[test]
fn the_circuit_of_a_failing_receiver_opens_and_closes_with_the_webhook_that_changes() {
    let policy = Some(breaker::Policy::new(70, 3, 300, 30).unwrap());
    let broken = Endpoint { breaker: policy, ..(*endpoint(1, 4)).clone() };
    let changed = Endpoint { generation: 2, ..broken.clone() };
    let another_key = Receiver::new(ReceiverUrl::parse("https://receiver.example/").unwrap(), "other".into());
    let rotated = Endpoint { target: Target::Receiver(Arc::new(another_key)), ..broken.clone() };
    for (then, sent) in [(broken.clone(), vec![]), (changed, vec![5, 6, 7, 8]), (rotated, vec![5, 6, 7, 8])] {
        let mut bench = with_open_circuit(broken.clone());
        assert_eq!(bench.step(Input::Upsert(Arc::new(then))), sent);
    }
}

/// A receiver that has failed too often, with more that waits for it.
fn with_open_circuit(broken: Endpoint) -> Bench {
    let mut bench = Bench(Engine::new(Limits::default()));
    bench.step(Input::Upsert(Arc::new(broken)));
    bench.step(Input::Loaded { webhook: webhook(1), page: Page::default() });
    bench.step(Input::Accepted((1..=20).map(|id| pending(id, 1)).collect()));
    for id in 1..=4 {
        assert!(bench.answered(id, 500).is_empty());
    }
    assert_eq!(bench.0.next_wake(), Some(NOW + Duration::from_secs(30)));
    bench
}

#[test]
fn nothing_is_sent_before_the_log_has_said_what_is_older() {
    let mut bench = Bench(Engine::new(Limits::default()));
    bench.step(Input::Upsert(endpoint(1, 10)));
    assert!(bench.step(Input::Accepted(vec![pending(7, 1)])).is_empty());
    let page = Page { pending: vec![pending(3, 1)], ..Page::default() };
    assert_eq!(bench.step(Input::Loaded { webhook: webhook(1), page }), [3, 7]);
}

/// What becomes of a delivery of a webhook that names `backlog` for its dead letters, tried once.
fn end(kind: Kind, status: u16, backlog: Option<u128>) -> (State, Option<WebhookId>) {
    let mut engine = Engine::new(Limits::default());
    let mut effects = Vec::new();
    let mut known = HashSet::from([webhook(1)]);
    let named = Endpoint {
        dead_letter: Some("backlog".into()),
        retry: retry::Policy::never(),
        ..(*endpoint(1, 4)).clone()
    };
    // Named by itself, where `backlog` is itself.
    let name = if backlog == Some(1) { "backlog" } else { "orders" };
    engine.step(NOW, Input::Upsert(Arc::new(Endpoint { name: name.into(), ..named })), &mut effects);
    engine.step(NOW, Input::Loaded { webhook: webhook(1), page: Page::default() }, &mut effects);
    engine.step(NOW, Input::Accepted(vec![Pending { kind, ..pending(1, 1) }]), &mut effects);
    assert_eq!(engine.in_flight(), 0, "not all webhooks are known yet");
    if let Some(number) = backlog.filter(|&number| number != 1) {
        let endpoint = Endpoint { name: "backlog".into(), ..(*endpoint(number, 4)).clone() };
        engine.step(NOW, Input::Upsert(Arc::new(endpoint)), &mut effects);
        known.insert(webhook(number));
    }
    engine.step(NOW, Input::Synced(known), &mut effects);
    assert_eq!(engine.in_flight(), 1);
    effects.clear();
    let outcome = Outcome::Responded { status, retry_after: None };
    let attempt = Attempt { started: NOW, elapsed: Duration::ZERO, outcome, response: Vec::new() };
    engine.step(
        NOW,
        Input::Attempted {
            deliveries: vec![DeliveryId::from_u64(1)],
            attempt,
            unread: Vec::new(),
            entropy: 0,
        },
        &mut effects,
    );
    let ended = effects.into_iter().find_map(|effect| match effect {
        Effect::Command(Command::Record(record)) => Some((record.state, record.dead_letter)),
        _ => None,
    });
    ended.unwrap()
}

#[test]
fn what_failed_is_handed_to_the_webhook_that_is_named_for_it_and_no_further() {
    let handed = (State::DeadLettered, Some(webhook(2)));
    assert_eq!(end(Kind::Event, 500, Some(2)), handed);
    assert_eq!(end(Kind::Event, 410, Some(2)), handed, "gone for good is failed, too");
    assert_eq!(end(Kind::Event, 200, Some(2)), (State::Delivered, None));
    let failed = (State::Failed, None);
    assert_eq!(end(Kind::DeadLetter, 500, Some(2)), failed, "one hop");
    assert_eq!(end(Kind::Test, 500, Some(2)), failed, "a test is no event");
    assert_eq!(end(Kind::Event, 500, None), failed, "there is no such webhook");
    assert_eq!(end(Kind::Event, 500, Some(1)), failed, "not to itself");
}

#[test]
fn a_test_is_tried_once_whatever_the_policy_says() {
    let mut bench = Bench::new(Limits::default(), &[4]);
    assert_eq!(bench.step(Input::Accepted(vec![Pending { kind: Kind::Test, ..pending(1, 1) }])), [1]);
    bench.answered(1, 500);
    assert_eq!(bench.0.next_wake(), None);
}

#[test]
fn what_follows_a_canceled_delivery_waits_until_its_request_has_ended() {
    let mut bench = Bench::new(Limits::default(), &[10]);
    let in_line = |id| Pending { line: Some(Line::from_u64(7)), ..pending(id, 1) };
    assert_eq!(bench.step(Input::Accepted(vec![in_line(1)])), [1]);
    bench.step(Input::Canceled(vec![in_line(1)]));
    assert!(bench.step(Input::Retried(in_line(2))).is_empty());
    assert_eq!(bench.step(Input::Accepted(vec![pending(3, 1)])), [3], "others do not wait");
    assert_eq!(bench.0.next_wake(), Some(NOW + FAULT_DELAY));
    assert!(bench.answered(1, 500).is_empty());
    assert_eq!(bench.step_at(NOW + FAULT_DELAY, Input::Tick), [2]);
}

#[test]
fn what_holds_deliveries_back_is_told_when_it_changes() {
    let mut bench = Bench::new(Limits::default(), &[]);
    let limited = Endpoint { rate_limit: Some(rate::Limit::new(1, 1).unwrap()), ..(*endpoint(1, 9)).clone() };
    let held = Arc::new(Endpoint { target: Target::Held(Hold::Suspended), ..limited.clone() });
    let second = Duration::from_secs(1);
    let mut told = |after: Duration, input| {
        let mut effects = Vec::new();
        bench.0.step(NOW + after, input, &mut effects);
        let told = effects.into_iter().filter_map(|effect| match effect {
            Effect::Restraint { webhook: _, restraint } => Some(restraint),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    let busy = |id, until| {
        let outcome = Outcome::Responded { status: 429, retry_after: Some(until) };
        let attempt = Attempt { started: NOW, elapsed: Duration::ZERO, outcome, response: Vec::new() };
        Input::Attempted {
            deliveries: vec![DeliveryId::from_u64(id)],
            attempt,
            unread: Vec::new(),
            entropy: 0,
        }
    };
    assert_eq!(
        told(Duration::ZERO, Input::Upsert(Arc::clone(&held))),
        [Some(Restraint::Held(Hold::Suspended))]
    );
    assert_eq!(told(Duration::ZERO, Input::Upsert(Arc::new(limited))), [None]);
    assert!(told(Duration::ZERO, Input::Loaded { webhook: webhook(1), page: Page::default() }).is_empty());
    let three = (1..=3).map(|id| pending(id, 1)).collect();
    assert_eq!(told(Duration::ZERO, Input::Accepted(three)).last(), Some(&Some(Restraint::RateLimited)));
    assert!(told(second, Input::Tick).is_empty(), "one is sent, and the last one waits");
    let until = NOW + second * 60;
    assert_eq!(told(second, busy(1, until)), [Some(Restraint::Quiet { until })]);
    assert!(told(second, Input::Tick).is_empty());
    assert_eq!(told(second * 60, Input::Tick), [None]);
    let suspended = Some(Restraint::Held(Hold::Suspended));
    assert_eq!(told(second * 60, Input::Upsert(Arc::clone(&held))), [suspended]);
    assert_eq!(told(second * 60, Input::Remove(webhook(1))), [None]);
}
