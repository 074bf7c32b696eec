//! What happens to events: each once, with every handler that matches, again where one fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hookwright_receiver::{BoxError, Event, Receiver, Router};
use tokio::time::Instant;

use crate::support::{Seen, app, event, genuine, status};

/// Notes its name and the event's id, and fails so many times.
fn noting(
    seen: &Seen,
    name: &'static str,
    failures: u32,
) -> impl Fn(Arc<Event>) -> std::future::Ready<Result<(), BoxError>> + Send + Sync + 'static {
    let (seen, left) = (seen.clone(), AtomicU32::new(failures));
    move |event| {
        seen.add(format!("{name} {}", event.id));
        let fails = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        std::future::ready(if fails.is_ok() { Err(format!("{name} failed").into()) } else { Ok(()) })
    }
}

#[test]
fn a_router_with_a_pattern_that_is_none_is_refused() {
    let router =
        Router::new().on("a.*.b", async |_| Ok::<_, BoxError>(())).on("*", async |_| Ok::<_, BoxError>(()));
    let refused = Receiver::new(router).unwrap_err().to_string();
    assert!(refused.contains("'a.*.b'"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn every_handler_that_matches_runs_whatever_becomes_of_the_others() {
    let seen = Seen::default();
    let told = seen.clone();
    let router = Router::new()
        .on("resource.created", noting(&seen, "created", 9))
        .on("resource.*", async |_| panic!("as told") as Result<(), BoxError>)
        .on("resource.updated", noting(&seen, "updated", 0))
        .on("*", noting(&seen, "all", 0));
    let receiver = Receiver::new(router).unwrap().on_exhausted(move |event, failures| {
        for failure in failures {
            told.add(format!("{}: {} {}: {}", event.id, failure.handler, failure.pattern, failure.error));
        }
    });
    let (app, work) = app(receiver);
    assert_eq!(status(&app, genuine(&event("evt_1", "resource.created"))).await, 200);
    work.finish().await;
    let expected = [
        "created evt_1",
        "all evt_1",
        "created evt_1",
        "created evt_1",
        "evt_1: 0 resource.created: created failed",
        "evt_1: 1 resource.*: the handler panicked",
    ];
    assert_eq!(seen.all(), expected);
}

#[tokio::test(start_paused = true)]
async fn only_the_handlers_that_failed_run_again_and_after_growing_pauses() {
    let seen = Seen::default();
    let router = Router::new().on("*", noting(&seen, "ill", 2)).on("*", noting(&seen, "well", 0));
    let (app, work) = app(Receiver::new(router).unwrap());
    let begin = Instant::now();
    assert_eq!(status(&app, genuine(&event("evt_1", "user.login"))).await, 200);
    work.finish().await;
    assert_eq!(begin.elapsed().as_secs(), 2 + 4);
    assert_eq!(seen.all(), ["ill evt_1", "well evt_1", "ill evt_1", "ill evt_1"]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_given_up() {
    let seen = Seen::default();
    let told = seen.clone();
    let router = Router::new().on("*", async |_| std::future::pending::<Result<(), BoxError>>().await);
    let receiver = Receiver::new(router)
        .unwrap()
        .on_exhausted(move |_, failures| told.add(failures[0].error.to_string()));
    let (app, work) = app(receiver);
    let begin = Instant::now();
    assert_eq!(status(&app, genuine(&event("evt_1", "user.login"))).await, 200);
    work.finish().await;
    assert_eq!(seen.all(), ["the handler took longer than 30 seconds"]);
    assert_eq!(begin.elapsed(), Duration::from_secs(3 * 30 + 2 + 4));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_was_handled_is_not_handled_again_but_one_that_failed_is() {
    let seen = Seen::default();
    let router = Router::new().on("user.*", noting(&seen, "user", 0)).on("auth.*", noting(&seen, "auth", 3));
    let (app, work) = app(Receiver::new(router).unwrap());
    for _ in 0..3 {
        for event_type in ["user.login", "auth.login"] {
            let sent = event(&format!("evt_{event_type}"), event_type);
            assert_eq!(status(&app, genuine(&sent)).await, 200);
        }
        // All attempts have been made then.
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    work.finish().await;
    let count = |what: &str| seen.all().iter().filter(|seen| seen.starts_with(what)).count();
    assert_eq!((count("user"), count("auth")), (1, 3 + 1), "{:?}", seen.all());
}
