//! How fast a webhook sends, and in which order.

use hookwright_engine::endpoint::KeepAlive;
use hookwright_engine::{batch, breaker, ordering, rate};

use super::*;

#[test]
fn deliveries_go_in_no_order_and_connections_are_kept_unless_it_says_otherwise() {
    let with = |fields| build(spec(json!({ "concurrency": fields })), &[signing()]);
    let usual = with(json!({}));
    assert_eq!(usual.endpoint.ordering, ordering::Policy::None);
    assert_eq!(receiver(&usual).keep_alive, KeepAlive::default());
    assert_eq!(with(json!({ "ordering": "PerKey" })).endpoint.ordering, ordering::Policy::PerKey);
    assert_eq!(with(json!({ "ordering": "Strict" })).endpoint.ordering, ordering::Policy::Strict);
    let brief = with(json!({ "maxIdleConnections": 0, "idleTimeoutSeconds": 5 }));
    let expected = KeepAlive { max_idle: 0, idle_timeout: Duration::from_secs(5) };
    assert_eq!(receiver(&brief).keep_alive, expected);
    for fields in [json!({ "maxIdleConnections": 1025 }), json!({ "idleTimeoutSeconds": 601 })] {
        let error = with(fields).receiver.unwrap_err().to_string();
        assert!(error.contains("spec.concurrency.") && error.contains("must be"), "{error}");
    }
}

#[test]
fn events_go_one_by_one_unless_it_asks_for_batches() {
    let batch = |fields| build(spec(json!({ "batch": fields })), &[signing()]).endpoint.batch;
    assert_eq!(batch(json!(null)), None);
    assert_eq!(batch(json!({ "enabled": false, "maxSize": 7 })), None);
    assert_eq!(batch(json!({})), Some(batch::Policy::new(100, 5000).unwrap()));
    let brief = json!({ "enabled": true, "maxSize": 7, "maxWaitMilliseconds": 0 });
    assert_eq!(batch(brief), Some(batch::Policy::new(7, 0).unwrap()));
}

#[test]
fn there_are_no_batches_in_strict_order() {
    let with =
        |batch| build(spec(json!({ "concurrency": { "ordering": "Strict" }, "batch": batch })), &[signing()]);
    let error = with(json!({})).receiver.unwrap_err().to_string();
    assert!(
        error.contains("spec.concurrency.ordering") && error.contains("choose PerKey, or no batch"),
        "{error}"
    );
    assert!(with(json!({ "enabled": false })).receiver.is_ok());
}

#[test]
fn a_rate_limit_is_per_second_unless_it_says_otherwise() {
    let limit = |fields| build(spec(json!({ "rateLimit": fields })), &[signing()]).endpoint.rate_limit;
    assert_eq!(limit(json!({ "requests": 7 })), Some(rate::Limit::new(7, 1).unwrap()));
    assert_eq!(limit(json!({ "requests": 7, "periodSeconds": 60 })), Some(rate::Limit::new(7, 60).unwrap()));
    assert_eq!(limit(json!(null)), None);
}

#[test]
fn there_is_a_circuit_breaker_unless_it_is_disabled() {
    let breaker = |fields| build(spec(json!({ "circuitBreaker": fields })), &[signing()]).endpoint.breaker;
    assert_eq!(breaker(json!(null)), Some(breaker::Policy::default()));
    assert_eq!(breaker(json!({})), Some(breaker::Policy::default()));
    assert_eq!(breaker(json!({ "enabled": false })), None);
    let strict = json!({ "failurePercent": 50, "minimumAttempts": 2, "windowSeconds": 60, "openSeconds": 5 });
    assert_eq!(breaker(strict), Some(breaker::Policy::new(50, 2, 60, 5).unwrap()));
}
