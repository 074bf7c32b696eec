//! When a sender is answered, and with what.

use std::sync::Arc;

use hookwright_receiver::{BoxError, Claim, Event, Memory, Options, Receiver, Router};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};
use tower::ServiceExt;

use crate::support::{Seen, answer, app, event, genuine, status};

struct Gate {
    reached: Notify,
    open: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self { reached: Notify::new(), open: Semaphore::new(0) }
    }
}

/// A router whose handlers wait to be let go, and their gate.
fn waiting(seen: &Seen) -> (Router, Arc<Gate>) {
    let (seen, gate) = (seen.clone(), Arc::new(Gate::default()));
    let opened = Arc::clone(&gate);
    let router = Router::new().on("*", move |event: Arc<Event>| {
        let (seen, gate) = (seen.clone(), Arc::clone(&gate));
        async move {
            gate.reached.notify_one();
            gate.open.acquire().await?.forget();
            seen.add(event.id.clone());
            Ok::<_, BoxError>(())
        }
    });
    (router, opened)
}

#[tokio::test]
async fn the_answer_does_not_wait_for_the_work_and_the_end_does() {
    let seen = Seen::default();
    let (router, gate) = waiting(&seen);
    let (app, work) = app(Receiver::new(router).unwrap());
    assert_eq!(status(&app, genuine(&event("evt_1", "user.login"))).await, 200);
    assert_eq!(seen.all(), <[String; 0]>::default());
    let end = tokio::spawn(work.finish());
    gate.open.add_permits(1);
    end.await.unwrap();
    assert_eq!(seen.all(), ["evt_1"]);
    assert_eq!(
        status(&app, genuine(&event("evt_2", "user.login"))).await,
        503,
        "nothing is taken after the end"
    );
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() {
    let seen = Seen::default();
    let (router, gate) = waiting(&seen);
    let options = Options { capacity: 3, ..Options::default() };
    let (app, work) = app(Receiver::new(router).unwrap().options(options));
    let batch = |ids: &[&str]| {
        let events: Vec<_> = ids.iter().map(|id| event(id, "user.login")).collect();
        genuine(&json!({ "events": events }))
    };
    let (taken, told) = answer(&app, batch(&["evt_1", "evt_2"])).await;
    assert_eq!((taken.as_u16(), told), (200, json!({ "received": true, "count": 2 })));
    let refused = app.clone().oneshot(batch(&["evt_3", "evt_4"])).await.unwrap();
    assert_eq!(refused.status().as_u16(), 503, "there is room for one");
    assert_eq!(refused.headers()["retry-after"], "5");
    assert_eq!(
        status(&app, batch(&["evt_3", "evt_4", "evt_5", "evt_6"])).await,
        413,
        "there never is room for four"
    );
    gate.open.add_permits(9);
    // What was refused was not claimed: it comes again, beside one that was taken before.
    let again = async || answer(&app, batch(&["evt_2", "evt_3", "evt_4"])).await;
    let mut told = again().await;
    while told.0.as_u16() == 503 {
        tokio::task::yield_now().await;
        told = again().await;
    }
    assert_eq!(told.1, json!({ "received": true, "count": 3, "duplicates": 1 }));
    work.finish().await;
    let mut all = seen.all();
    all.sort();
    assert_eq!(all, ["evt_1", "evt_2", "evt_3", "evt_4"]);
}

#[tokio::test]
async fn the_answer_may_wait_for_the_work_and_tells_of_its_failure() {
    let seen = Seen::default();
    let noting = seen.clone();
    let router = Router::new().on("*", move |event: Arc<Event>| {
        noting.add(event.id.clone());
        let fails = event.id == "evt_2" && noting.all().len() < 3;
        async move { if fails { Err("as told") } else { Ok(()) } }
    });
    let (app, _work) = app(Receiver::new(router).unwrap().answer_last());
    let batch = json!({ "events": [event("evt_1", "user.login"), event("evt_2", "user.login")] });
    assert_eq!(status(&app, genuine(&batch)).await, 500);
    assert_eq!(status(&app, genuine(&batch)).await, 200);
    assert_eq!(seen.all(), ["evt_1", "evt_2", "evt_2"], "what succeeded is not done again");
}

#[tokio::test]
async fn an_event_that_is_twice_in_a_batch_is_handled_once() {
    for receiver in [Receiver::new, |router| Receiver::new(router).map(Receiver::answer_last)] {
        let seen = Seen::default();
        let (app, work) = app(receiver(seen.router()).unwrap());
        let batch = json!({ "events": [event("evt_1", "user.login"), event("evt_1", "user.login")] });
        let (taken, told) = answer(&app, genuine(&batch)).await;
        assert_eq!((taken.as_u16(), told), (200, json!({ "received": true, "count": 2, "duplicates": 1 })));
        work.finish().await;
        assert_eq!(seen.all(), ["evt_1"]);
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_not_acknowledged_again_before_it_is_done() {
    let seen = Seen::default();
    let (router, gate) = waiting(&seen);
    let (app, work) = app(Receiver::new(router).unwrap());
    assert_eq!(status(&app, genuine(&event("evt_1", "user.login"))).await, 200);
    assert_eq!(status(&app, genuine(&event("evt_1", "user.login"))).await, 503, "the work may be in vain");
    gate.open.add_permits(1);
    let mut told = answer(&app, genuine(&event("evt_1", "user.login"))).await;
    while told.0.as_u16() == 503 {
        tokio::task::yield_now().await;
        told = answer(&app, genuine(&event("evt_1", "user.login"))).await;
    }
    assert_eq!(told.1, json!({ "received": true, "duplicates": 1 }));
    work.finish().await;
    assert_eq!(seen.all(), ["evt_1"]);
}

#[tokio::test]
async fn an_event_that_is_being_worked_on_is_to_come_again() {
    let seen = Seen::default();
    let (router, gate) = waiting(&seen);
    let (app, _work) = app(Receiver::new(router).unwrap().answer_last());
    let first = tokio::spawn({
        let app = app.clone();
        async move { status(&app, genuine(&event("evt_1", "user.login"))).await }
    });
    gate.reached.notified().await;
    assert_eq!(status(&app, genuine(&event("evt_1", "user.login"))).await, 503);
    gate.open.add_permits(1);
    assert_eq!(first.await.unwrap(), 200);
    assert_eq!(status(&app, genuine(&event("evt_1", "user.login"))).await, 200);
    assert_eq!(seen.all(), ["evt_1"]);
}

#[derive(Debug)]
struct Away;

impl Memory for Away {
    type Error = std::io::Error;

    async fn claim(&self, _: &str) -> Result<Claim, Self::Error> {
        Err(std::io::Error::other("away"))
    }

    async fn keep(&self, _: &str) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn release(&self, _: &str) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[tokio::test]
async fn without_its_memory_a_receiver_takes_nothing() {
    let (app, _work) = app(Receiver::new(Router::new()).unwrap().memory(Away));
    assert_eq!(status(&app, genuine(&event("evt_1", "user.login"))).await, 503);
}
