//! The table.

use serde_json::{Value, json};

use super::Row;

/// At the same place there and there, in the case of each.
fn same(pointer: &str, value: Value) -> Row {
    Row { pointer: pointer.to_owned(), path: camel(pointer), written: value.clone(), said: value }
}

/// At another place of the manifest.
fn placed(pointer: &str, path: &str, value: Value) -> Row {
    Row { pointer: pointer.to_owned(), path: path.to_owned(), written: value.clone(), said: value }
}

/// Said otherwise in the manifest.
fn otherwise(pointer: &str, said: Value, path: &str, written: Value) -> Row {
    Row { pointer: pointer.to_owned(), said, path: path.to_owned(), written }
}

/// A header of this name and value.
fn header(name: &str, value: &Value) -> Row {
    let pointer = format!("/config/headers/{}", name.replace('~', "~0").replace('/', "~1"));
    otherwise(&pointer, value.clone(), "/request/headers", json!([{ "name": name, "value": value }]))
}

fn camel(pointer: &str) -> String {
    let mut parts = pointer.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + &part[..1].to_uppercase() + &part[1..])
}

pub(super) fn rows() -> Vec<Row> {
    let groups = [
        urls(),
        events(),
        headers(),
        retries(),
        filters(),
        signing(),
        transport(),
        oauth2(),
        pace(),
        others(),
    ];
    groups.into_iter().flatten().collect()
}

fn urls() -> Vec<Row> {
    let urls = [
        json!(""),
        json!("/hook"),
        json!("a.example/hook"),
        json!("//a.example"),
        json!("https://"),
        json!("ftp://a.example"),
        json!("file:///etc/passwd"),
        json!("javascript:alert(1)"),
        json!("https://a.example/#x"),
        json!("https://u:p@a.example/"),
        json!("https://u@a.example/"),
        json!("https://a b.example/"),
        json!(format!("https://a.example/{}", "x".repeat(2048))),
        json!(null),
        json!(7),
        json!({}),
        json!(["https://a.example/"]),
    ];
    let mut rows: Vec<_> = urls.into_iter().map(|url| same("/url", url)).collect();
    // Both of them.
    rows.push(otherwise(
        "/url",
        json!("https://a.example/#x"),
        "/urlFrom",
        json!({ "secretKeyRef": { "name": "a", "key": "b" } }),
    ));
    rows
}

fn events() -> Vec<Row> {
    let long = format!("a.{}", "x".repeat(65));
    let lists = [
        json!(null),
        json!([]),
        json!(vec!["a"; 65]),
        json!("resource.*"),
        json!({}),
        json!([""]),
        json!([7]),
        json!([null]),
        json!([["a"]]),
        json!(["a", "a.*.b"]),
        json!(["*.a"]),
        json!(["**"]),
        json!(["a*"]),
        json!(["a..b"]),
        json!([".a"]),
        json!(["a b"]),
        json!(["a\n"]),
        json!(["a.b.c.d.e.f.g.h.i"]),
        json!([long]),
    ];
    lists.into_iter().map(|list| same("/events", list)).collect()
}

/// Names that would break the framing of a request or forge what is ours, and values that would.
fn headers() -> Vec<Row> {
    let names = [
        "Content-Length",
        "content-type",
        "Content-Encoding",
        "Transfer-Encoding",
        "Host",
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
        "User-Agent",
        "traceparent",
        "X-PCF-Signature",
        "x-pcf-anything",
        "Webhook-Id",
        "webhook-signature",
        "a b",
        "a:b",
        "a\r\nb",
        "a/b",
        "é",
        "",
    ];
    let values =
        [json!("a\r\nb: c"), json!("a\nb"), json!("a\0b"), json!("a\u{1b}[2J"), json!(7), json!(["a"])];
    let many: Vec<_> = (0..65).map(|number| json!({ "name": format!("X-{number}"), "value": "" })).collect();
    let large: Vec<_> =
        (0..3).map(|number| json!({ "name": format!("X-{number}"), "value": "x".repeat(4000) })).collect();
    let by_name = |items: &[Value]| -> Value {
        items.iter().map(|it| (it["name"].as_str().unwrap().to_owned(), it["value"].clone())).collect()
    };
    let mut rows: Vec<_> = names.into_iter().map(|name| header(name, &json!("x"))).collect();
    rows.push(header(&"x".repeat(257), &json!("x")));
    rows.extend(values.iter().map(|value| header("X-A", value)));
    rows.push(header("X-A", &json!("x".repeat(4097))));
    for items in [many, large] {
        rows.push(otherwise("/config/headers", by_name(&items), "/request/headers", json!(items)));
    }
    let twice = json!([{ "name": "X-A", "value": "1" }, { "name": "x-a", "value": "2" }]);
    rows.push(otherwise("/config/headers", json!({ "X-A": "1", "x-a": "2" }), "/request/headers", twice));
    for reference in [json!({ "name": "A_b", "key": "k" }), json!({ "name": "a", "key": "a/b" }), json!({})] {
        rows.push(otherwise(
            "/config/headers/X-A",
            json!({ "value_from": { "secret_key_ref": reference } }),
            "/request/headers",
            json!([{ "name": "X-A", "valueFrom": { "secretKeyRef": reference } }]),
        ));
    }
    rows
}

fn retries() -> Vec<Row> {
    let mut rows = Vec::new();
    for attempts in [
        json!(0),
        json!(51),
        json!(-1),
        json!(1.5),
        json!("5"),
        json!(4_294_967_297_u64),
        json!(1e20),
        json!([]),
    ] {
        rows.push(placed("/retry_policy/max_attempts", "/retry/maxAttempts", attempts.clone()));
        rows.push(placed("/config/retry/max_attempts", "/retry/maxAttempts", attempts));
    }
    for intervals in [json!([]), json!([0]), json!([60, 86_401]), json!(["60"]), json!([null]), json!(60)] {
        rows.push(placed("/retry_policy/intervals", "/retry/intervalsSeconds", intervals));
    }
    rows.push(placed("/retry_policy/intervals", "/retry/intervalsSeconds", json!(vec![1; 51])));
    for (factor, percent) in [
        (json!(0.99), json!(99)),
        (json!(10.01), json!(1001)),
        (json!("2"), json!("200")),
        (json!(-1), json!(-100)),
    ] {
        rows.push(otherwise("/retry_policy/backoff_rate", factor, "/retry/backoffRatePercent", percent));
    }
    rows.push(otherwise(
        "/retry_policy/backoff_rate",
        json!(1.005),
        "/retry/backoffRatePercent",
        json!(100.5),
    ));
    rows.push(placed("/retry_policy/enabled", "/retry/enabled", json!("no")));
    rows.push(placed("/retry_policy/max_interval_seconds", "/retry/maxIntervalSeconds", json!(86_401)));
    for timeout in [json!(0), json!(301), json!(30.5), json!("30")] {
        rows.push(placed("/retry_policy/timeout", "/timeouts/requestSeconds", timeout));
    }
    rows.push(same("/timeouts/connect_seconds", json!(0)));
    rows.push(same("/timeouts/connect_seconds", json!(31)));
    rows
}

fn filters() -> Vec<Row> {
    let many: Vec<_> = (0..65).map(|number| format!("user_{number}")).collect();
    let mut rows = Vec::new();
    for list in [
        json!([]),
        json!([""]),
        json!(["a", "a"]),
        json!("a"),
        json!([7]),
        json!(["x".repeat(257)]),
        json!(many),
    ] {
        rows.push(same("/filters/resource_types", list.clone()));
        rows.push(placed("/filters/user_ids", "/filters/userIDs", list));
    }
    let named = |text: &Value| json!([{ "name": "expression-1", "cel": text }]);
    for text in [json!(""), json!("x".repeat(1025)), json!(7), json!(null), json!(["true"])] {
        let (said, written) = (json!([text]), named(&text));
        rows.push(otherwise("/filters/expressions", said, "/filters/expressions", written));
    }
    rows.push(same("/filters/expressions", json!([])));
    rows.push(same("/filters/expressions", json!("true")));
    rows.push(same("/filters/expressions", json!([{ "name": "a b", "cel": "true" }])));
    rows.push(same("/filters/expressions", json!([{ "name": "a", "cel": "true", "bogus": 1 }])));
    rows.push(same(
        "/filters/expressions",
        json!([{ "name": "a", "cel": "true" }, { "name": "a", "cel": "true" }]),
    ));
    rows
}

fn signing() -> Vec<Row> {
    let mut rows: Vec<_> = [json!([]), json!(["pcf"]), json!(["PCF", "PCF"]), json!("PCF"), json!([null])]
        .map(|schemes| same("/signing/schemes", schemes))
        .into();
    rows.push(same("/signing/secret_ref", json!({})));
    rows.push(same("/signing/secret_ref/name", json!("A_b")));
    rows.push(same("/signing/secret_ref", json!({ "name": "a", "key": "a/b" })));
    rows.push(same("/signing/secret_ref", json!({ "name": "a", "bogus": "b" })));
    for seconds in [json!(-1), json!(604_801), json!("60")] {
        rows.push(same("/signing/rotation/overlap_seconds", seconds));
    }
    rows
}

fn transport() -> Vec<Row> {
    let reference = json!({ "name": "a", "key": "b" });
    vec![
        placed("/config/content_type", "/request/contentType", json!("text/plain")),
        placed("/config/content_type", "/request/contentType", json!(7)),
        placed("/config/insecure_ssl", "/tls/insecureSkipVerify", json!("true")),
        same("/tls/ca_ref/name", json!("A_b")),
        same("/tls/ca_ref", json!({ "name": "a", "key": "" })),
        same("/tls/client_cert_ref", json!({})),
        same("/request/authorization", json!({})),
        otherwise(
            "/request/authorization/basic",
            json!({ "username": "a:b", "password_ref": reference }),
            "/request/authorization/basic",
            json!({ "username": "a:b", "passwordRef": reference }),
        ),
        same("/request/authorization/basic", json!({ "username": "a" })),
        same("/request/authorization/basic/bogus", json!("a")),
        otherwise(
            "/request/authorization/bearer",
            json!({ "token_ref": { "name": "a" } }),
            "/request/authorization/bearer",
            json!({ "tokenRef": { "name": "a" } }),
        ),
    ]
}

fn oauth2() -> Vec<Row> {
    let renamed = [
        ("token_url", "tokenURL"),
        ("client_id", "clientID"),
        ("client_id_ref", "clientIDRef"),
        ("client_secret_ref", "clientSecretRef"),
        ("client_authentication", "clientAuthentication"),
        ("ca_ref", "caRef"),
    ];
    let reference = json!({ "name": "s", "key": "k" });
    let one = json!({ "name": "audience", "value": "a" });
    let wrong = [
        json!({ "tokenURL": "auth.example/token" }),
        json!({ "tokenURL": "ftp://auth.example" }),
        json!({ "tokenURL": "https://u:p@auth.example" }),
        json!({ "tokenURL": "https://auth.example/#x" }),
        json!({ "tokenURL": null }),
        json!({ "clientID": "" }),
        json!({ "clientID": "a\n" }),
        json!({ "clientID": "a".repeat(257) }),
        json!({ "clientID": null }),
        json!({ "clientIDRef": reference }),
        json!({ "clientSecretRef": null }),
        json!({ "clientSecretRef": "s3cr3t" }),
        json!({ "clientSecretRef": { "name": "s" } }),
        json!({ "clientAuthentication": "basic" }),
        json!({ "scopes": "a b" }),
        json!({ "scopes": [] }),
        json!({ "scopes": ["a b"] }),
        json!({ "scopes": ["a\\"] }),
        json!({ "scopes": ["a", "a"] }),
        json!({ "scopes": (0..33).map(|n| n.to_string()).collect::<Vec<_>>() }),
        json!({ "parameters": { "audience": "a" } }),
        json!({ "parameters": [] }),
        json!({ "parameters": [{ "name": "audience" }] }),
        json!({ "parameters": [{ "name": "a=b", "value": "a" }] }),
        json!({ "parameters": [{ "name": "grant_type", "value": "password" }] }),
        json!({ "parameters": [{ "name": "audience", "value": "a\nb" }] }),
        json!({ "parameters": [one, one] }),
        json!({ "tls": { "caRef": "ca" } }),
        json!({ "tokenURL": "http://auth.example", "tls": { "caRef": { "name": "ca" } } }),
        json!({ "scope": "a" }),
    ];
    let row = |wrong: Value| {
        let mut written = json!({
            "tokenURL": "https://auth.example/token", "clientID": "a", "clientSecretRef": reference,
        });
        written.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let said = renamed.iter().fold(written.to_string(), |text, (here, there)| {
            text.replace(&format!("\"{there}\":"), &format!("\"{here}\":"))
        });
        let place = "/request/authorization/oauth2";
        otherwise(place, serde_json::from_str(&said).unwrap(), place, written)
    };
    wrong.into_iter().map(row).collect()
}

fn pace() -> Vec<Row> {
    vec![
        same("/concurrency/max_in_flight", json!(0)),
        same("/concurrency/max_in_flight", json!(1001)),
        same("/concurrency/max_idle_connections", json!(-1)),
        same("/concurrency/max_idle_connections", json!(1025)),
        same("/concurrency/idle_timeout_seconds", json!(0)),
        same("/concurrency/idle_timeout_seconds", json!(601)),
        same("/concurrency/ordering", json!("Some")),
        same("/concurrency/ordering", json!("per_key")),
        placed("/config/batch/enabled", "/batch/enabled", json!("yes")),
        placed("/config/batch/max_size", "/batch/maxSize", json!(0)),
        placed("/config/batch/max_size", "/batch/maxSize", json!(1001)),
        placed("/config/batch/max_size", "/batch/maxSize", json!("all")),
        placed("/config/batch/max_wait_ms", "/batch/maxWaitMilliseconds", json!(-1)),
        placed("/config/batch/max_wait_ms", "/batch/maxWaitMilliseconds", json!(300_001)),
        placed("/config/batch/bogus", "/batch/bogus", json!(1)),
        same("/rate_limit", json!({})),
        same("/rate_limit/requests", json!(0)),
        same("/rate_limit/requests", json!(100_001)),
        same("/rate_limit", json!({ "requests": 1, "bogus": 1 })),
        same("/circuit_breaker/enabled", json!(1)),
        same("/circuit_breaker/failure_percent", json!(0)),
        same("/circuit_breaker/failure_percent", json!(101)),
        same("/circuit_breaker/minimum_attempts", json!(0)),
        same("/circuit_breaker/window_seconds", json!(0)),
        same("/circuit_breaker/open_seconds", json!(0)),
        same("/dead_letter", json!({})),
        same("/dead_letter", json!("backlog")),
        same("/dead_letter/webhook_ref/name", json!("")),
        same("/dead_letter/webhook_ref/name", json!("A_b")),
        same("/dead_letter/webhook_ref/name", json!("x".repeat(254))),
    ]
}

fn others() -> Vec<Row> {
    vec![
        otherwise("/active", json!("yes"), "/suspend", json!("no")),
        otherwise("/active", json!(1), "/suspend", json!(0)),
        same("/description", json!("x".repeat(1025))),
        same("/description", json!(7)),
        same("/history/record", json!("Some")),
        same("/history/successful_limit", json!(1001)),
        same("/history/failed_limit", json!(-1)),
        same("/history/ttl_seconds_after_finished", json!(-1)),
        same("/bogus", json!(1)),
        same("/filters/bogus", json!(1)),
        placed("/config/bogus", "/request/bogus", json!(1)),
        placed("/retry_policy/bogus", "/retry/bogus", json!(1)),
        // Each by the other's name.
        otherwise("/suspend", json!(true), "/active", json!(false)),
        otherwise("/rateLimit", json!({ "requests": 1 }), "/rate_limit", json!({ "requests": 1 })),
    ]
}
