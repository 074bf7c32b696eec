use serde_json::json;

use super::*;

fn read(body: &Value) -> Result<Change, Problem> {
    Change::read(body.to_string().as_bytes())
}

fn spec(body: &Value) -> Value {
    serde_json::to_value(read(body).unwrap().apply(None).unwrap()).unwrap()
}

/// Pointers and details of what is wrong with the body of a new webhook.
fn wrong(body: &Value) -> Vec<(String, String)> {
    let refused = read(body).and_then(|change| {
        let webhook = Webhook::new("orders", change.apply(None)?);
        change.check(&webhook)
    });
    let problem = serde_json::to_value(refused.expect_err(&body.to_string())).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let errors = problem["errors"].as_array().unwrap().iter();
    errors.map(|error| (text(&error["pointer"]), text(&error["detail"]))).collect()
}

#[test]
fn each_field_lands_in_its_place_of_the_spec() {
    let body = json!({
        "url": "https://a.example/hook", "events": ["a.b", "c.*"], "active": false, "description": "d",
        "config": {
            "content_type": "application/json", "insecure_ssl": false, "secret": "s",
            "headers": { "X-B": "2", "x_a": { "value_from": { "secret_key_ref": { "name": "n", "key": "k" } } } },
        },
        "retry_policy": {
            "enabled": true, "max_attempts": 3, "intervals": [1, 2], "timeout": 7, "backoff_rate": 1.5,
        },
        "timeouts": { "connect_seconds": 2 },
        "signing": { "rotation": { "overlap_seconds": 9 } },
        "request": { "authorization": { "oauth2": {
            "token_url": "https://auth.example/token", "client_id": "a", "scopes": ["b"],
            "client_secret_ref": { "name": "s", "key": "k" }, "tls": { "ca_ref": { "name": "ca" } },
        } } },
    });
    let spec = spec(&body);
    let headers = json!([
        { "name": "X-B", "value": "2" },
        { "name": "x_a", "valueFrom": { "secretKeyRef": { "name": "n", "key": "k" } } },
    ]);
    assert_eq!(spec["request"]["headers"], headers);
    let oauth2 = json!({
        "tokenURL": "https://auth.example/token", "clientID": "a", "scopes": ["b"],
        "clientSecretRef": { "name": "s", "key": "k" },
        "tls": { "insecureSkipVerify": false, "caRef": { "name": "ca" } },
    });
    assert_eq!(spec["request"]["authorization"], json!({ "oauth2": oauth2 }));
    assert_eq!(
        spec["retry"],
        json!({ "enabled": true, "maxAttempts": 3, "intervalsSeconds": [1, 2], "backoffRatePercent": 150 })
    );
    assert_eq!(spec["timeouts"], json!({ "requestSeconds": 7, "connectSeconds": 2 }));
    assert_eq!(spec["signing"], json!({ "rotation": { "overlapSeconds": 9 } }));
    assert_eq!((&spec["suspend"], &spec["description"]), (&json!(true), &json!("d")));
}

#[test]
fn the_retry_of_the_config_and_the_policy_are_one() {
    let with = |config: Value, policy: Value| json!({ "url": "https://a.example", "events": ["*"], "config": { "retry": config }, "retry_policy": policy });
    let both = spec(&with(json!({ "max_attempts": 3 }), json!({ "enabled": true, "max_attempts": 3 })));
    assert_eq!(both["retry"], json!({ "enabled": true, "maxAttempts": 3 }));
    let errors = wrong(&with(json!({ "max_attempts": 3 }), json!({ "max_attempts": 4 })));
    assert_eq!(errors.len(), 1);
    assert!(errors[0].1.starts_with("says something else than /"), "{errors:?}");
}

#[test]
#[allow(clippy::too_many_lines)] // A table is as long as it is.
fn what_is_wrong_is_told_where_the_caller_wrote_it() {
    let with = |field: &str, value: Value| {
        let mut body = json!({ "url": "https://a.example/", "events": ["*"] });
        *slot(&mut body, field) = value;
        body
    };
    let reference = json!({ "name": "s", "key": "k" });
    let oauth2 =
        |url: &str, id: &str| json!({ "token_url": url, "client_id": id, "client_secret_ref": reference });
    let basic_and_bearer = json!({
        "basic": { "username": "a", "password_ref": reference }, "bearer": { "token_ref": reference },
    });
    for (field, value, pointer, says) in [
        ("/url", json!("ftp://a.example"), "/url", "http"),
        ("/url", json!("https://u:p@a.example/"), "/url", "password"),
        ("/url", json!(null), "/url", "exactly one of url and urlFrom"),
        ("/url", json!(7), "/url", "expected a string"),
        ("/url", json!({}), "/url", "expected a string"),
        ("/events", json!(null), "/events", "is required"),
        ("/events", json!([]), "/events", "1 to 64"),
        ("/events", json!(["a", "a.*.b"]), "/events/1", "last segment"),
        ("/events", json!("a"), "/events", "expected a sequence"),
        ("/active", json!("yes"), "/active", "true or false"),
        ("/description", json!("x".repeat(1025)), "/description", "1024"),
        ("/config/secret", json!(""), "/config/secret", "1 to 1024 bytes"),
        ("/config/secret", json!("a\n"), "/config/secret", "line breaks"),
        ("/config/secret", json!(null), "/config/secret", "must be text"),
        ("/config/content_type", json!("text/plain"), "/config/content_type", "unknown variant"),
        ("/config/headers", json!({ "X-A": "a\r\nb: c" }), "/config/headers/X-A", "visible"),
        ("/config/headers", json!({ "a b": "x" }), "/config/headers/a b", "header name"),
        ("/config/headers", json!({ "x/~": "x" }), "/config/headers/x~1~0", "header name"),
        ("/config/headers", json!({ "X-A": 1 }), "/config/headers/X-A", "must be text"),
        ("/config/headers", json!({ "Host": "x" }), "/config/headers/Host", "set by"),
        ("/config/headers", json!([]), "/config/headers", "an object"),
        ("/config/headers", json!({ "X-A": "1", "x-a": "2" }), "/config/headers/x-a", "is there twice"),
        (
            "/config/headers/X-A",
            json!({ "value_from": { "secret_key_ref": { "name": "n", "key": "k", "x": 1 } } }),
            "/config/headers/X-A",
            "no such field",
        ),
        ("/config/headers/X-A", json!({ "value_from": {} }), "/config/headers/X-A", "missing field"),
        ("/filters/expressions", json!(["true", "event."]), "/filters/expressions/1", ""),
        ("/filters/expressions", json!([{ "name": "a", "cel": "event." }]), "/filters/expressions/0/cel", ""),
        (
            "/filters/expressions",
            json!([{ "name": "a", "cel": "true", "x": 1 }]),
            "/filters/expressions/0/x",
            "no such field",
        ),
        ("/request/authorization", json!({}), "/request/authorization", "exactly one"),
        (
            "/request/authorization/bearer/token_ref",
            json!({ "name": "A_b", "key": "k" }),
            "/request/authorization/bearer/token_ref/name",
            "the name of an object",
        ),
        ("/config/retry/max_attempts", json!(-1), "/config/retry/max_attempts", "invalid value"),
        ("/retry_policy/max_attempts", json!(0), "/retry_policy/max_attempts", "0"),
        ("/retry_policy/intervals", json!([1, 0]), "/retry_policy/intervals", "0"),
        ("/retry_policy/backoff_rate", json!("2"), "/retry_policy/backoff_rate", "must be a number"),
        ("/retry_policy/backoff_rate", json!(0.5), "/retry_policy/backoff_rate", "50"),
        ("/retry_policy/timeout", json!(301), "/retry_policy/timeout", "1 to 300"),
        ("/timeouts/connect_seconds", json!(31), "/timeouts/connect_seconds", "requestSeconds"),
        (
            "/request/authorization",
            basic_and_bearer,
            "/request/authorization",
            "exactly one of basic, bearer",
        ),
        (
            "/request/authorization/oauth2",
            oauth2("ftp://a", "a"),
            "/request/authorization/oauth2/token_url",
            "http",
        ),
        (
            "/request/authorization/oauth2",
            oauth2("https://a", "\n"),
            "/request/authorization/oauth2/client_id",
            "ASCII",
        ),
        (
            "/request/authorization/bearer",
            json!([reference]),
            "/request/authorization/bearer",
            "must be an object",
        ),
        (
            "/config/headers/X-A",
            json!({ "value_from": [reference] }),
            "/config/headers/X-A",
            "must be an object",
        ),
        (
            "/request/authorization/oauth2/parameters",
            json!([["audience", "a"]]),
            "/request/authorization/oauth2/parameters/0",
            "must be an object",
        ),
        ("/concurrency/max_in_flight", json!(0), "/concurrency/max_in_flight", "1 to"),
        ("/concurrency/max_idle_connections", json!(1025), "/concurrency/max_idle_connections", "0 to 1024"),
        ("/concurrency/idle_timeout_seconds", json!(0), "/concurrency/idle_timeout_seconds", "1 to 600"),
        ("/concurrency/ordering", json!("per_key"), "/concurrency/ordering", "unknown variant"),
        ("/concurrency/ordering", json!(true), "/concurrency/ordering", "invalid type"),
    ] {
        let errors = wrong(&with(field, value.clone()));
        let named = errors.iter().any(|(at, detail)| at.starts_with(pointer) && detail.contains(says));
        assert!(named, "{field} = {value}: {errors:?}");
    }
}

#[test]
fn a_field_that_nobody_enforces_is_refused() {
    for (field, value) in [
        ("/id", json!("webhook_1")),
        ("/unknown", json!(1)),
        ("/unknown", json!(null)),
        ("/config/unknown", json!({ "a": 1 })),
        ("/retry/maxAttempts", json!(1)),
        ("/suspend", json!(true)),
        ("/request/headers", json!([])),
        ("/request/content_type", json!("application/json")),
        ("/timeouts/requestSeconds", json!(1)),
        ("/retry_policy/unknown", json!(null)),
    ] {
        let mut body = json!({ "url": "https://a.example/", "events": ["*"] });
        *slot(&mut body, field) = value;
        let errors = wrong(&body);
        assert!(
            errors[0].0.starts_with(field) && errors[0].1.contains("no such field"),
            "{body}: {errors:?}"
        );
    }
    assert!(Change::read(b"[]").is_err() && Change::read(b"{").is_err());
}

#[test]
fn a_patch_keeps_what_it_does_not_name_and_removes_what_it_says_is_null() {
    let before = read(&json!({
        "url": "https://a.example/", "events": ["*"], "description": "d",
        "config": { "headers": { "X-A": "1", "X-B": "2" } },
        "retry_policy": { "max_attempts": 3, "timeout": 7 },
    }));
    let before = before.unwrap().apply(None).unwrap();
    let patched =
        |body: Value| serde_json::to_value(read(&body).unwrap().apply(Some(&before)).unwrap()).unwrap();
    assert_eq!(patched(json!({})), serde_json::to_value(&before).unwrap());
    let headers = patched(json!({ "config": { "headers": { "X-A": null, "X-C": "3" } } }));
    assert_eq!(
        headers["request"]["headers"],
        json!([{ "name": "X-B", "value": "2" }, { "name": "X-C", "value": "3" }])
    );
    assert_eq!(headers["description"], "d");
    let cased = patched(json!({ "config": { "headers": { "x-a": "2", "x-B": null } } }));
    assert_eq!(cased["request"]["headers"], json!([{ "name": "x-a", "value": "2" }]));
    let removed = patched(json!({ "description": null, "retry_policy": null, "config": null }));
    for field in ["description", "retry"] {
        assert!(removed.get(field).is_none(), "{removed}");
    }
    assert_eq!(removed["timeouts"], json!({}));
    assert_eq!(removed["request"], json!({}));
    let slower = patched(json!({ "config": { "retry": { "max_attempts": 9 } } }));
    assert_eq!(slower["retry"]["maxAttempts"], 9);
    assert_eq!(slower["timeouts"]["requestSeconds"], 7);
}
