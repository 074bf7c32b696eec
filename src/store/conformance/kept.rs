//! Webhooks that are kept here.

use hookwright_engine::endpoint::PreviousKey;
use hookwright_engine::time::Time;
use secrecy::ExposeSecret;

use super::log::{AMPLE, Log, Open};
use crate::store::{Error, Kept, Retention};

fn webhook(namespace: &str, name: &str) -> Kept {
    Kept {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        spec: r#"{"url":"https://a.example/","events":["*"]}"#.to_owned(),
        generation: 1,
        created: Time::from_secs(1000),
        key: Some("one".into()),
        previous: None,
    }
}

/// All that is known of it, secrets included.
fn told(kept: &Kept) -> String {
    let Kept { namespace, name, spec, generation, created, key, previous } = kept;
    let key = key.as_ref().map(ExposeSecret::expose_secret);
    let previous = previous.as_ref().map(|it| (it.secret.expose_secret(), it.until));
    format!("{namespace}/{name} {spec} {generation} {created} {key:?} {previous:?}")
}

async fn all(log: &Log) -> Vec<String> {
    log.handle.kept().await.unwrap().iter().map(told).collect()
}

pub(in crate::store) async fn a_webhook_is_kept_as_it_was_written_last_until_it_is_forgotten(open: Open) {
    let log = Log::new(open);
    let (first, other) = (webhook("b", "orders"), webhook("a", "orders"));
    let keyless = Kept { key: None, ..webhook("b", "keyless") };
    for kept in [&first, &other, &keyless] {
        log.handle.keep(kept.clone()).await.unwrap();
    }
    assert_eq!(all(&log).await, [told(&other), told(&keyless), told(&first)]);

    let previous = PreviousKey { secret: "one".into(), until: Time::from_secs(2000) };
    let rotated = Kept {
        spec: r#"{"url":"https://b.example/","events":["*"]}"#.to_owned(),
        generation: 2,
        key: Some("two".into()),
        previous: Some(previous),
        ..first
    };
    log.handle.keep(rotated.clone()).await.unwrap();
    log.handle.forget("a".to_owned(), "orders".to_owned()).await.unwrap();
    log.handle.forget("a".to_owned(), "nobody".to_owned()).await.unwrap();
    let log = log.reopen().await;
    assert_eq!(all(&log).await, [told(&keyless), told(&rotated)]);
}

pub(in crate::store) async fn a_webhook_that_the_quota_has_no_room_for_is_refused(open: Open) {
    let log = Log::with(open, Retention { max_bytes: 256 * 1024, ..AMPLE });
    let mut refused = None;
    for number in 0..100 {
        let large = Kept { spec: "x".repeat(64 * 1024), ..webhook("a", &format!("large-{number}")) };
        if let Err(error) = log.handle.keep(large).await {
            refused = Some(error);
            break;
        }
    }
    assert!(matches!(refused, Some(Error::Full(_))), "{refused:?}");
    log.handle.forget("a".to_owned(), "large-0".to_owned()).await.unwrap();
}
