// `json!` is handed over as it is, and a table is as long as it is.
#![allow(clippy::needless_pass_by_value, clippy::too_many_lines)]

use hookwright_engine::endpoint::{ContentType, HeaderName, ReceiverUrl, Schemes};
use hookwright_engine::event::Draft;
use hookwright_engine::filter::{Subject, Verdict};
use hookwright_engine::time::Time;
use k8s_openapi::api::core::v1::Secret;
use kube::core::cel::validate_cel;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

mod authorization;
mod oauth2;
mod pace;
mod tls;

const ID: WebhookId = WebhookId::from_uid(Uuid::from_u128(7));

fn webhook(spec: Value) -> Webhook {
    serde_json::from_value(json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Webhook",
        "metadata": { "name": "orders", "namespace": "shop", "generation": 3 },
        "spec": spec,
    }))
    .unwrap()
}

/// A spec with everything required, and `fields` on top.
fn spec(fields: Value) -> Value {
    let mut spec = json!({ "url": "https://a.example/hook", "events": ["resource.*"] });
    for (field, value) in fields.as_object().unwrap() {
        spec[field] = value.clone();
    }
    spec
}

fn secret(name: &str, data: Value) -> Secret {
    serde_json::from_value(json!({ "metadata": { "name": name }, "stringData": data })).unwrap()
}

fn secrets(webhook: &Webhook, present: &[Secret]) -> Secrets {
    let mut secrets = Secrets::new();
    for key in webhook.references() {
        if let Some(secret) = present.iter().find(|it| it.metadata.name.as_deref() == Some(&key.name)) {
            secrets.add(key, secret);
        }
    }
    secrets
}

fn build(spec: Value, present: &[Secret]) -> Built {
    let webhook = webhook(spec);
    webhook.endpoint(ID, &secrets(&webhook, present), None)
}

fn signing() -> Secret {
    secret("orders-signing", json!({ "secret": "whsec_abc" }))
}

fn receiver(built: &Built) -> &Receiver {
    built.receiver.as_ref().unwrap()
}

fn hold(built: &Built) -> Option<Hold> {
    match built.endpoint.target {
        Target::Held(hold) => Some(hold),
        Target::Receiver(_) => None,
    }
}

/// Specs that are wrong: what is on top of a good spec, and what is said about it.
fn wrong() -> Vec<(Value, &'static str)> {
    vec![
        (json!({ "url": null }), "spec: exactly one of url and urlFrom is required"),
        (
            json!({ "urlFrom": { "secretKeyRef": { "name": "a", "key": "b" } } }),
            "spec: exactly one of url and urlFrom is required",
        ),
        (json!({ "url": "/hook" }), "spec.url: must be an absolute URL such as https://example.com/webhooks"),
        (json!({ "url": "ftp://a.example" }), "spec.url: must begin with https:// or http://"),
        (json!({ "url": "https://a.example/#x" }), "spec.url: must not have a #fragment"),
        (
            json!({ "url": "https://user:pass@a.example/" }),
            "spec.url: must not contain a user or password: use request.headers with a Secret",
        ),
        (
            json!({ "url": format!("https://a.example/{}", "x".repeat(2048)) }),
            "spec.url: must be at most 2048 bytes long",
        ),
        (json!({ "events": [] }), "spec.events: must have 1 to 64 entries, not 0"),
        (
            json!({ "events": ["a", "a.*.b"] }),
            "spec.events[1]: 'a.*.b': '*' is allowed alone or as the last segment only, as in 'resource.*'",
        ),
        (
            json!({ "events": ["a.b.c.d.e.f.g.h.i"] }),
            "spec.events[0]: 'a.b.c.d.e.f.g.h.i' must have 1 to 8 segments separated by dots",
        ),
        (
            json!({ "events": ["a.b.c.d.e.f.g.h.*"] }),
            "spec.events[0]: 'a.b.c.d.e.f.g.h.*' must have 1 to 8 segments separated by dots",
        ),
        (
            json!({ "events": ["a b"] }),
            "spec.events[0]: segment 'a b' of 'a b' must be 1 to 64 characters of A-Z a-z 0-9 _ -",
        ),
        (
            json!({ "filters": { "resourceTypes": [], "userIDs": ["", "a", "a"] } }),
            "spec.filters.resourceTypes: must have 1 to 64 entries, not 0; \
             spec.filters.userIDs[0]: must be 1 to 256 bytes long, not 0; spec.filters.userIDs[2]: 'a' is there twice",
        ),
        (
            json!({ "filters": { "expressions": [{ "name": "a b", "cel": "event.typ == 'a'" }] } }),
            "spec.filters.expressions[0].name: must be 1 to 63 characters of A-Z a-z 0-9 - _ .; \
             spec.filters.expressions[0].cel: at 1:6: event has no field 'typ'; its fields are id, type, created_at, data, metadata",
        ),
        (
            json!({ "filters": { "expressions": [{ "name": "a", "cel": "true" }, { "name": "a", "cel": "x".repeat(1025) }] } }),
            "spec.filters.expressions[1].name: 'a' is there twice; \
             spec.filters.expressions[1].cel: at 1:1: must be at most 1024 bytes long, not 1025",
        ),
        (
            json!({ "description": "x".repeat(1025) }),
            "spec.description: must be at most 1024 characters long",
        ),
        (
            json!({ "request": { "headers": [{ "name": "X-PCF-Event", "value": "x" }] } }),
            "spec.request.headers[0].name: 'x-pcf-event' is set by Hookwright and cannot be overridden",
        ),
        (
            json!({ "request": { "headers": [{ "name": "a b", "value": "x" }] } }),
            "spec.request.headers[0].name: 'a b' is not a header name (1 to 256 letters, digits and !#$%&'*+-.^_`|~)",
        ),
        (
            json!({ "request": { "headers": [{ "name": "X-A", "value": "a\r\nb: c" }] } }),
            "spec.request.headers[0].value: the value of 'x-a' must be at most 4096 visible characters, spaces or tabs",
        ),
        (
            json!({ "request": { "headers": [{ "name": "X-A" }] } }),
            "spec.request.headers[0]: exactly one of value and valueFrom is required",
        ),
        (
            json!({ "request": { "headers": [{ "name": "X-A", "value": "1" }, { "name": "x-a", "value": "2" }] } }),
            "spec.request.headers[1]: 'x-a' is there twice",
        ),
        (
            json!({ "request": { "headers": [
                { "name": "X-A", "value": "a".repeat(4096) }, { "name": "X-B", "value": "b".repeat(4096) },
            ] } }),
            "spec.request.headers: all names and values together must be at most 8192 bytes long",
        ),
        (
            json!({ "url": null, "urlFrom": { "secretKeyRef": { "name": "A_b", "key": "b" } } }),
            "spec.urlFrom.secretKeyRef.name: must be the name of an object: a-z 0-9 - and dots, at most 253",
        ),
        (
            json!({ "signing": { "secretRef": { "name": "a", "key": "b c" } } }),
            "spec.signing.secretRef.key: must be a key of a Secret: A-Z a-z 0-9 - _ . and at most 253",
        ),
        (
            json!({ "tls": { "caRef": { "name": "A_b" } } }),
            "spec.tls.caRef.name: must be the name of an object: a-z 0-9 - and dots, at most 253",
        ),
        (
            json!({ "tls": { "clientCertRef": { "name": "" } } }),
            "spec.tls.clientCertRef.name: must be the name of an object: a-z 0-9 - and dots, at most 253",
        ),
        (
            json!({ "tls": { "insecureSkipVerify": true, "caRef": { "name": "ca" } } }),
            "spec.tls: caRef checks nothing where insecureSkipVerify is true",
        ),
        (
            json!({ "url": "http://a.example", "tls": { "clientCertRef": { "name": "a" } } }),
            "spec.tls: caRef and clientCertRef need an https URL",
        ),
        (
            json!({ "signing": { "schemes": [] } }),
            "spec.signing.schemes: must be PCF, StandardWebhooks or both, each once",
        ),
        (
            json!({ "signing": { "schemes": ["PCF", "PCF"] } }),
            "spec.signing.schemes: must be PCF, StandardWebhooks or both, each once",
        ),
        (
            json!({ "signing": { "rotation": { "overlapSeconds": 604_801 } } }),
            "spec.signing.rotation.overlapSeconds: must be 0 to 604800, not 604801",
        ),
        (
            json!({ "retry": { "maxAttempts": 0 } }),
            "spec.retry.maxAttempts: max attempts must be 1 to 50, not 0",
        ),
        (
            json!({ "retry": { "intervalsSeconds": [] } }),
            "spec.retry.intervalsSeconds: there must be 1 to 50 intervals, not 0",
        ),
        (
            json!({ "retry": { "intervalsSeconds": [60, 86_401] } }),
            "spec.retry.intervalsSeconds: an interval must be 1 to 86400 seconds, not 86401",
        ),
        (
            json!({ "retry": { "maxIntervalSeconds": 0 } }),
            "spec.retry.maxIntervalSeconds: an interval must be 1 to 86400 seconds, not 0",
        ),
        (
            json!({ "retry": { "backoffRatePercent": 99 } }),
            "spec.retry.backoffRatePercent: the backoff rate must be 100 to 1000 percent, not 99",
        ),
        (
            json!({ "timeouts": { "requestSeconds": 301 } }),
            "spec.timeouts.requestSeconds: must be 1 to 300, not 301",
        ),
        (
            json!({ "timeouts": { "connectSeconds": 31 } }),
            "spec.timeouts.connectSeconds: must not be more than requestSeconds (30)",
        ),
        (
            json!({ "concurrency": { "maxInFlight": 0 } }),
            "spec.concurrency.maxInFlight: must be 1 to 1000, not 0",
        ),
        (json!({ "batch": { "maxSize": 1001 } }), "spec.batch.maxSize: must be 1 to 1000, not 1001"),
        (
            json!({ "batch": { "maxWaitMilliseconds": 300_001 } }),
            "spec.batch.maxWaitMilliseconds: must be 0 to 300000, not 300001",
        ),
        (json!({ "rateLimit": { "requests": 0 } }), "spec.rateLimit.requests: must be 1 to 100000, not 0"),
        (
            json!({ "rateLimit": { "requests": 1, "periodSeconds": 86_401 } }),
            "spec.rateLimit.periodSeconds: must be 1 to 86400, not 86401",
        ),
        (
            json!({ "circuitBreaker": { "failurePercent": 101 } }),
            "spec.circuitBreaker.failurePercent: must be 1 to 100, not 101",
        ),
        (
            json!({ "circuitBreaker": { "enabled": false, "minimumAttempts": 0 } }),
            "spec.circuitBreaker.minimumAttempts: must be 1 to 10000, not 0",
        ),
        (
            json!({ "circuitBreaker": { "windowSeconds": 3601 } }),
            "spec.circuitBreaker.windowSeconds: must be 1 to 3600, not 3601",
        ),
        (
            json!({ "circuitBreaker": { "openSeconds": 0 } }),
            "spec.circuitBreaker.openSeconds: must be 1 to 3600, not 0",
        ),
        (
            json!({ "history": { "failedLimit": 1001 } }),
            "spec.history.failedLimit: must be 0 to 1000, not 1001",
        ),
    ]
}

#[test]
fn a_good_spec_becomes_a_receiver_with_the_values_of_its_secrets() {
    let tokens = secret("tokens", json!({ "url": "https://hooks.example/s3cr3t", "bearer": "Bearer t0ken" }));
    let built = build(
        json!({
            "urlFrom": { "secretKeyRef": { "name": "tokens", "key": "url" } },
            "events": ["*"],
            "request": { "contentType": "application/x-www-form-urlencoded", "headers": [
                { "name": "X-Env", "value": "production" },
                { "name": "Authorization", "valueFrom": { "secretKeyRef": { "name": "tokens", "key": "bearer" } } },
            ] },
            "timeouts": { "requestSeconds": 3 },
        }),
        &[tokens, signing()],
    );
    let receiver = receiver(&built);
    assert_eq!(receiver.url.host(), "hooks.example");
    assert_eq!(receiver.content_type, ContentType::Form);
    assert_eq!(receiver.signing.current.expose_secret(), "whsec_abc");
    let headers: Vec<_> =
        receiver.headers.iter().map(|it| (it.name.as_str(), it.value.expose_secret())).collect();
    assert_eq!(headers, [("x-env", "production"), ("authorization", "Bearer t0ken")]);
    assert_eq!(receiver.timeouts.connect, Duration::from_secs(3));
    assert_eq!((&*built.endpoint.namespace, &*built.endpoint.name), ("shop", "orders"));
    assert_eq!((built.endpoint.generation, hold(&built)), (3, None));
}

#[test]
fn whatever_is_wrong_is_named_by_its_field() {
    for (fields, says) in wrong() {
        let built = build(spec(fields), &[signing()]);
        let problem = built.receiver.as_ref().expect_err(says);
        assert_eq!(problem.to_string(), says);
        assert_eq!(hold(&built), Some(Hold::Invalid));
    }
}

#[test]
fn a_name_leaves_room_for_the_names_of_what_the_webhook_owns() {
    let mut webhook = webhook(spec(json!({})));
    webhook.metadata.name = Some("x".repeat(64));
    let built = webhook.endpoint(ID, &Secrets::new(), None);
    assert_eq!(built.receiver.unwrap_err().to_string(), "metadata.name: must be at most 63 characters long");
    assert!(validate_cel(&webhook).is_err());
}

#[test]
fn all_errors_are_reported_and_events_still_queue() {
    let built = build(
        spec(json!({ "url": "x", "events": ["user.*", "**"], "retry": { "maxAttempts": 99 } })),
        &[signing()],
    );
    let Err(Problem::Invalid(Invalid(errors))) = &built.receiver else { panic!("not invalid") };
    let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["spec.url", "spec.events[1]", "spec.retry.maxAttempts"]);
    assert_eq!(built.endpoint.events, ["user.*".parse().unwrap()]);
}

#[test]
fn an_invalid_filter_is_told_apart_and_what_is_right_of_it_still_filters() {
    let expressions = |wrong: &str| json!([{ "name": "right", "cel": "event.type == 'a'" }, { "name": "wrong", "cel": wrong }]);
    let built =
        build(spec(json!({ "filters": { "expressions": expressions("event.type =") } })), &[signing()]);
    let Err(Problem::Invalid(invalid)) = &built.receiver else { panic!("not invalid") };
    assert!(invalid.is_of_filters());
    assert_eq!(hold(&built), Some(Hold::Invalid));
    let filter = built.endpoint.filter.unwrap();
    for (event, verdict) in [("a", Verdict::Accepted), ("b", Verdict::Rejected)] {
        let draft = Draft::parse(json!({ "type": event, "data": {} }).to_string().as_bytes()).unwrap();
        assert_eq!(filter.judge(&Subject::of_draft(&draft, Time::MIN)), verdict);
    }

    let both = json!({ "url": "x", "filters": { "expressions": expressions("(") } });
    let Err(Problem::Invalid(invalid)) = build(spec(both), &[signing()]).receiver else {
        panic!("not invalid")
    };
    assert!(!invalid.is_of_filters());
    let fine = build(spec(json!({ "filters": { "expressions": expressions("true") } })), &[signing()]);
    assert!(fine.receiver.is_ok() && fine.endpoint.filter.is_some());
    assert!(build(spec(json!({ "filters": {} })), &[signing()]).endpoint.filter.is_none());
}

#[test]
fn every_header_that_is_reserved_is_refused_by_cel_and_here() {
    let prefixed = HeaderName::RESERVED_PREFIXES.map(|prefix| format!("{prefix}x"));
    for name in HeaderName::RESERVED.map(str::to_uppercase).into_iter().chain(prefixed) {
        let spec = spec(json!({ "request": { "headers": [{ "name": name, "value": "x" }] } }));
        assert!(validate_cel(&webhook(spec.clone())).is_err(), "{name}");
        assert_eq!(hold(&build(spec, &[signing()])), Some(Hold::Invalid), "{name}");
    }
}

#[test]
fn a_missing_or_unusable_secret_is_unresolved_and_never_quoted() {
    let from = spec(json!({
        "url": null, "urlFrom": { "secretKeyRef": { "name": "s", "key": "url" } },
    }));
    for (present, says) in [
        (vec![], "Secret 's' does not exist"),
        (vec![secret("s", json!({}))], "Secret 's' has no key 'url'"),
        (
            vec![secret("s", json!({ "url": "s3cr3t" }))],
            "key 'url' of Secret 's', which spec.urlFrom needs: must be an absolute URL such as https://example.com/webhooks",
        ),
        (vec![secret("s", json!({ "url": "https://a.example" }))], "Secret 'orders-signing' does not exist"),
        (
            vec![
                secret("s", json!({ "url": "https://a.example" })),
                secret("orders-signing", json!({ "secret": "s3cr3t\n" })),
            ],
            "key 'secret' of Secret 'orders-signing', which spec.signing needs: must be 1 to 1024 bytes long, without spaces and line breaks at its ends",
        ),
    ] {
        let built = build(from.clone(), &present);
        assert_eq!(built.receiver.as_ref().unwrap_err().to_string(), says);
        assert_eq!(hold(&built), Some(Hold::Unresolved));
        assert!(!format!("{built:?}").contains("s3cr3t"));
    }
}

#[test]
fn only_a_secret_of_the_right_form_signs_standard_webhooks() {
    for (schemes, expected) in [
        (json!(["PCF"]), Schemes::Pcf),
        (json!(["StandardWebhooks"]), Schemes::Standard),
        (json!(["PCF", "StandardWebhooks"]), Schemes::Both),
    ] {
        let build = |key: &str| {
            let secret = secret("orders-signing", json!({ "secret": key }));
            build(spec(json!({ "signing": { "schemes": schemes.clone() } })), &[secret])
        };
        assert_eq!(receiver(&build("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).signing.schemes, expected);
        let plain = build("s3cr3t").receiver.map(drop).map_err(|problem| problem.to_string());
        assert_eq!(
            plain.err().as_deref(),
            expected.standard().then_some(
                "key 'secret' of Secret 'orders-signing', which spec.signing needs: \
                 Standard Webhooks needs a secret of the form whsec_<base64>"
            )
        );
    }
}

#[test]
fn headers_from_secrets_count_towards_the_limit() {
    let header =
        |name: &str| json!({ "name": name, "valueFrom": { "secretKeyRef": { "name": "s", "key": "v" } } });
    let spec = spec(json!({ "request": { "headers": [header("X-A"), header("X-B"), header("X-C")] } }));
    let built = build(spec, &[secret("s", json!({ "v": "v".repeat(4000) })), signing()]);
    assert_eq!(
        built.receiver.unwrap_err().to_string(),
        "key 'v' of Secret 's', which spec.request.headers[2] needs: makes all headers longer than 8192 bytes"
    );
}

#[test]
fn a_suspended_webhook_keeps_its_receiver_and_is_held() {
    let built = build(spec(json!({ "suspend": true })), &[signing()]);
    assert_eq!(receiver(&built).url, ReceiverUrl::parse("https://a.example/hook").unwrap());
    assert_eq!(hold(&built), Some(Hold::Suspended));
}

#[test]
fn disabled_retries_mean_one_attempt() {
    let built = build(spec(json!({ "retry": { "enabled": false, "maxAttempts": 9 } })), &[signing()]);
    assert_eq!(built.endpoint.retry.max_attempts(), 1);
}

#[test]
fn references_are_all_secrets_in_use_and_the_signing_key_has_a_default() {
    let webhook = webhook(spec(json!({ "request": { "headers": [
        { "name": "X-A", "valueFrom": { "secretKeyRef": { "name": "s", "key": "v" } } },
    ] } })));
    let references: Vec<_> = webhook.references().iter().map(ToString::to_string).collect();
    assert_eq!(references, ["key 'secret' of Secret 'orders-signing'", "key 'v' of Secret 's'"]);
    assert!(webhook.generates_signing_key());
}
