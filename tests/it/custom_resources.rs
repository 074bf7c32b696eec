//! What the API server makes of good and bad objects, by the definitions alone: no operator runs.

use hookwright::crd::{Webhook, WebhookDelivery};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::CustomResourceExt,
};
use serde_json::{Value, json};

use super::support::{Namespace, cluster};

/// A spec that nothing is wrong with.
fn webhook_spec() -> Value {
    json!({ "url": "https://a.example/hook", "events": ["resource.*"] })
}

/// A spec with `changes` on top; those that are null are left out.
fn changed(spec: &Value, changes: &Value) -> Value {
    let mut spec = spec.as_object().unwrap().clone();
    spec.extend(changes.as_object().unwrap().clone());
    spec.retain(|_, value| !value.is_null());
    spec.into()
}

/// What the API server says to a new object, asked as `kubectl apply --server-side` asks.
pub async fn apply(
    ns: &Namespace<'_>,
    resource: &ApiResource,
    spec: &Value,
    dry: bool,
) -> Result<(), String> {
    let client = ns.api::<Webhook>().await.into_client();
    let api: Api<DynamicObject> = Api::namespaced_with(client, ns.name(), resource);
    let object = DynamicObject::new("orders", resource).data(json!({ "spec": spec }));
    let params = PatchParams { dry_run: dry, ..PatchParams::apply("test").validation_strict() };
    api.patch("orders", &params, &Patch::Apply(object)).await.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn good_webhooks_are_accepted() {
    let ns = cluster().await.namespace("good").await;
    for changes in [
        json!({}),
        json!({ "url": "http://127.0.0.1:8080" }),
        json!({ "url": "https://[2001:db8::1]:8443/a%20b?c=d&e=@" }),
        json!({ "url": null, "urlFrom": { "secretKeyRef": { "name": "a-1.b", "key": "URL_1" } } }),
        json!({ "events": ["*", "a", "a.*", "a.b.c.d.e.f.g.h", "a.b.c.d.e.f.g.*"] }),
        json!({ "request": { "contentType": "application/json", "headers": [
            { "name": "X-Env", "value": "production" },
            { "name": "Authorization", "valueFrom": { "secretKeyRef": { "name": "a", "key": "b" } } },
        ] } }),
        json!({ "request": { "contentType": "application/x-www-form-urlencoded" } }),
        json!({ "tls": { "caRef": { "name": "ca", "key": "ca.pem" }, "clientCertRef": { "name": "a" } } }),
        json!({ "tls": { "insecureSkipVerify": true } }),
        json!({ "request": { "authorization": { "basic": {
            "username": "us er", "passwordRef": { "name": "s", "key": "k" },
        } } } }),
        json!({ "request": { "authorization": { "bearer": { "tokenRef": { "name": "s", "key": "k" } } } } }),
        json!({ "request": { "authorization": { "oauth2": {
            "tokenURL": "https://auth.example/token?tenant=a", "clientID": "a b",
            "clientSecretRef": { "name": "s", "key": "k" }, "clientAuthentication": "Post",
            "scopes": ["hooks:write", "https://a.example/.default"],
            "parameters": [{ "name": "audience", "value": "https://api.example" }],
            "tls": { "caRef": { "name": "ca" } },
        } } } }),
        json!({ "signing": { "schemes": ["PCF", "StandardWebhooks"] } }),
        json!({ "filters": {} }),
        json!({ "filters": {
            "resourceTypes": ["resource", "user"], "userIDs": ["user_1"],
            "expressions": [{ "name": "active-1", "cel": "event.data.object.attributes.status == 'active'" }],
        } }),
        json!({ "signing": { "secretRef": { "name": "key" }, "rotation": { "overlapSeconds": 0 } } }),
        json!({ "retry": {
            "enabled": true, "maxAttempts": 50, "intervalsSeconds": [1, 86_400], "backoffRatePercent": 100,
            "maxIntervalSeconds": 1,
        } }),
        json!({ "timeouts": { "requestSeconds": 300, "connectSeconds": 300 } }),
        json!({ "deadLetter": { "webhookRef": { "name": "backlog" } } }),
        json!({ "history": {
            "record": "Failures", "successfulLimit": 0, "failedLimit": 1000, "ttlSecondsAfterFinished": 0,
        } }),
    ] {
        let answer = apply(&ns, &Webhook::api_resource(), &changed(&webhook_spec(), &changes), true).await;
        assert_eq!(answer, Ok(()), "{changes}");
    }
}

#[tokio::test]
async fn strict_order_and_batches_exclude_one_another() {
    let ns = cluster().await.namespace("strict").await;
    let strict = json!({ "ordering": "Strict" });
    for (batch, concurrency, refused) in [
        (json!({}), &strict, true),
        (json!({ "enabled": true }), &strict, true),
        (json!({ "enabled": false }), &strict, false),
        (json!({}), &json!({ "ordering": "PerKey" }), false),
        (json!({}), &json!({}), false),
    ] {
        let changes = json!({ "batch": batch, "concurrency": concurrency });
        let answer = apply(&ns, &Webhook::api_resource(), &changed(&webhook_spec(), &changes), true).await;
        match answer {
            Ok(()) => assert!(!refused, "{changes}"),
            Err(error) => assert!(refused && error.contains("choose PerKey, or no batch"), "{error}"),
        }
    }
}

#[tokio::test]
async fn bad_webhooks_are_refused_with_the_field_and_the_reason() {
    let ns = cluster().await.namespace("bad").await;
    let headers = |headers: Value| json!({ "request": { "headers": headers } });
    for (changes, field, says) in [
        (json!({ "url": null }), "spec", "exactly one of url and urlFrom is required"),
        (json!({ "url": "/hook" }), "spec.url", "must be an absolute http or https URL"),
        (json!({ "url": "ftp://a.example" }), "spec.url", "must be an absolute http or https URL"),
        (json!({ "url": "https://a.example/#x" }), "spec.url", "must not have a #fragment"),
        (json!({ "url": "https://u:p@a.example/" }), "spec.url", "must not contain a user or password"),
        (json!({ "url": format!("https://a/{}", "x".repeat(2048)) }), "spec.url", "Too long"),
        (json!({ "events": [] }), "spec.events", "at least 1 items"),
        (json!({ "events": vec!["a"; 65] }), "spec.events", "at most 64 items"),
        (json!({ "events": ["a", "a.*.b"] }), "spec.events[1]", "must be an event type such as"),
        (json!({ "events": ["a.b.c.d.e.f.g.h.*"] }), "spec.events[0]", "must be an event type such as"),
        (
            headers(json!([{ "name": "X-PCF-Event", "value": "x" }])),
            "headers[0].name",
            "is set by Hookwright",
        ),
        (headers(json!([{ "name": "a b", "value": "x" }])), "headers[0].name", "must be a header name"),
        (headers(json!([{ "name": "A", "value": "a\r\nb" }])), "headers[0].value", "visible characters"),
        (headers(json!([{ "name": "A" }])), "headers[0]", "exactly one of value and valueFrom"),
        (
            headers(json!([{ "name": "A", "value": "" }, { "name": "a", "value": "" }])),
            "spec.request.headers",
            "names must differ in more than case",
        ),
        (json!({ "request": { "contentType": "text/xml" } }), "contentType", "supported values"),
        (
            json!({ "url": "http://a.example", "tls": { "caRef": { "name": "ca" } } }),
            "spec",
            "tls.caRef and tls.clientCertRef need an https URL",
        ),
        (
            json!({ "tls": { "insecureSkipVerify": true, "caRef": { "name": "ca" } } }),
            "spec.tls",
            "caRef checks nothing where insecureSkipVerify is true",
        ),
        (json!({ "tls": { "caRef": { "name": "A_b" } } }), "spec.tls.caRef.name", "the name of an object"),
        (
            json!({ "request": {
                "authorization": { "bearer": { "tokenRef": { "name": "s", "key": "k" } } },
                "headers": [{ "name": "AUTHORIZATION", "value": "x" }],
            } }),
            "spec.request",
            "sets the header 'authorization', which headers has too",
        ),
        (
            json!({ "request": { "authorization": {} } }),
            "request.authorization",
            "exactly one of basic, bearer and oauth2",
        ),
        (
            json!({ "request": { "authorization": { "basic": {
                "username": "a:b", "passwordRef": { "name": "s", "key": "k" },
            } } } }),
            "basic.username",
            "without colons",
        ),
        (
            json!({ "request": { "authorization": { "basic": { "username": "a" } } } }),
            "basic.passwordRef",
            "Required value",
        ),
        (json!({ "signing": { "schemes": [] } }), "spec.signing.schemes", "at least 1 items"),
        (json!({ "signing": { "schemes": ["pcf"] } }), "spec.signing.schemes[0]", "supported values"),
        (json!({ "signing": { "schemes": ["PCF", "PCF"] } }), "spec.signing.schemes", "duplicate entries"),
        (json!({ "signing": { "secretRef": { "name": "A_b" } } }), "secretRef.name", "the name of an object"),
        (json!({ "retry": { "maxAttempts": 0 } }), "spec.retry.maxAttempts", "greater than or equal to 1"),
        (json!({ "retry": { "maxAttempts": "5" } }), "spec.retry.maxAttempts", "expected numeric"),
        (
            json!({ "retry": { "intervalsSeconds": [60, 86_401] } }),
            "spec.retry.intervalsSeconds[1]",
            "less than or equal to 86400",
        ),
        (
            json!({ "timeouts": { "connectSeconds": 31 } }),
            "spec.timeouts",
            "must not be more than requestSeconds",
        ),
        (
            json!({ "circuitBreaker": { "failurePercent": 0 } }),
            "circuitBreaker.failurePercent",
            "greater than or equal to 1",
        ),
        (json!({ "rateLimit": {} }), "rateLimit.requests", "Required value"),
        (
            json!({ "deadLetter": { "webhookRef": { "name": "orders" } } }),
            "spec.deadLetter.webhookRef.name",
            "must name another webhook than this one",
        ),
        (json!({ "history": { "record": "Some" } }), "spec.history.record", "supported values"),
        (json!({ "bogus": 1 }), "spec.bogus", "field not declared in schema"),
    ] {
        let spec = changed(&webhook_spec(), &changes);
        let answer = apply(&ns, &Webhook::api_resource(), &spec, true).await.unwrap_err();
        assert!(answer.contains(field) && answer.contains(says), "{changes}: {answer}");
    }
}

#[tokio::test]
async fn bad_client_credentials_are_refused_with_the_field_and_the_reason() {
    let ns = cluster().await.namespace("bad-oauth2").await;
    let oauth2 = |changes: Value| {
        let usual = json!({
            "tokenURL": "https://auth.example/token", "clientID": "a",
            "clientSecretRef": { "name": "s", "key": "k" },
        });
        json!({ "request": { "authorization": { "oauth2": changed(&usual, &changes) } } })
    };
    for (changes, field, says) in [
        (oauth2(json!({ "tokenURL": "https://u:p@a.example" })), "oauth2.tokenURL", "use clientSecretRef"),
        (
            oauth2(json!({ "tokenURL": "auth.example/token" })),
            "oauth2.tokenURL",
            "absolute http or https URL",
        ),
        (oauth2(json!({ "clientID": "a\n" })), "oauth2.clientID", "visible ASCII characters"),
        (
            oauth2(json!({ "clientIDRef": { "name": "s", "key": "k" } })),
            "authorization.oauth2",
            "exactly one of clientID",
        ),
        (
            oauth2(json!({ "clientSecretRef": { "name": "s" } })),
            "oauth2.clientSecretRef.key",
            "Required value",
        ),
        (
            oauth2(json!({ "clientAuthentication": "basic" })),
            "oauth2.clientAuthentication",
            "supported values",
        ),
        (oauth2(json!({ "scopes": ["a\\"] })), "oauth2.scopes", "without quotes and backslashes"),
        (oauth2(json!({ "scopes": ["a", "a"] })), "oauth2.scopes", "duplicate entries"),
        (
            oauth2(json!({ "parameters": [{ "name": "grant_type", "value": "password" }] })),
            "oauth2.parameters[0].name",
            "set by Hookwright",
        ),
        (
            oauth2(json!({ "tokenURL": "http://a.example", "tls": { "caRef": { "name": "ca" } } })),
            "authorization.oauth2",
            "need an https URL",
        ),
        (oauth2(json!({ "scope": "a" })), "oauth2.scope", "field not declared in schema"),
    ] {
        let spec = changed(&webhook_spec(), &changes);
        let answer = apply(&ns, &Webhook::api_resource(), &spec, true).await.unwrap_err();
        assert!(answer.contains(field) && answer.contains(says), "{changes}: {answer}");
    }
}

#[tokio::test]
async fn bad_filters_are_refused_with_the_field_and_the_reason() {
    let ns = cluster().await.namespace("bad-filters").await;
    let expressions = |expressions: Value| json!({ "filters": { "expressions": expressions } });
    let users: Vec<_> = (0..65).map(|number| format!("user_{number}")).collect();
    for (changes, field, says) in [
        (json!({ "filters": { "resourceTypes": [] } }), "spec.filters.resourceTypes", "at least 1 items"),
        (
            json!({ "filters": { "resourceTypes": ["a", "a"] } }),
            "spec.filters.resourceTypes",
            "uplicate entries",
        ),
        (json!({ "filters": { "userIDs": "user_1" } }), "spec.filters.userIDs", "expected list"),
        (json!({ "filters": { "userIDs": ["x".repeat(257)] } }), "spec.filters.userIDs[0]", "Too long"),
        (json!({ "filters": { "userIDs": users } }), "spec.filters.userIDs", "at most 64 items"),
        (expressions(json!([{ "name": "a b", "cel": "true" }])), "expressions[0].name", "must consist of"),
        (expressions(json!([{ "name": "a", "cel": "x".repeat(1025) }])), "expressions[0].cel", "Too long"),
        (expressions(json!([{ "name": "a" }])), "expressions[0].cel", "Required value"),
        (
            expressions(json!([{ "name": "a", "cel": "true" }, { "name": "a", "cel": "true" }])),
            "expressions",
            "uplicate",
        ),
        (
            json!({ "filters": { "user_ids": ["a"] } }),
            "spec.filters.user_ids",
            "field not declared in schema",
        ),
    ] {
        let spec = changed(&webhook_spec(), &changes);
        let answer = apply(&ns, &Webhook::api_resource(), &spec, true).await.unwrap_err();
        assert!(answer.contains(field) && answer.contains(says), "{changes}: {answer}");
    }
}

#[tokio::test]
async fn a_delivery_is_one_event_or_one_replay_and_stays_what_it_is() {
    let ns = cluster().await.namespace("delivery").await;
    let resource = WebhookDelivery::api_resource();
    let ping =
        json!({ "webhookRef": { "name": "orders" }, "event": { "type": "test.ping", "data": { "n": 1 } } });
    let replay = json!({ "webhookRef": { "name": "orders" }, "replayOf": { "name": "ping" } });
    assert_eq!(apply(&ns, &resource, &replay, true).await, Ok(()));
    for (changes, says) in [
        (json!({ "event": null }), "exactly one of event and replayOf is required"),
        (json!({ "replayOf": { "name": "ping" } }), "exactly one of event and replayOf is required"),
        (json!({ "event": { "type": "test.*" } }), "must be an event type such as 'resource.created'"),
        (json!({ "event": { "type": "a", "time": "noon" } }), "must be of type date-time"),
        (json!({ "event": { "type": "a", "data": [] } }), "expected map"),
        (json!({ "event": { "type": "a", "id": "a b" } }), "must consist of A-Z a-z 0-9 _ - . :"),
    ] {
        let answer = apply(&ns, &resource, &changed(&ping, &changes), true).await.unwrap_err();
        assert!(answer.contains(says), "{changes}: {answer}");
    }

    assert_eq!(apply(&ns, &resource, &ping, false).await, Ok(()));
    let deliveries = ns.api::<WebhookDelivery>().await;
    let patch = async |spec: Value| {
        let patch = Patch::Merge(json!({ "spec": spec }));
        deliveries
            .patch("orders", &PatchParams::default(), &patch)
            .await
            .map(drop)
            .map_err(|it| it.to_string())
    };
    assert_eq!(patch(json!({ "canceled": true })).await, Ok(()));
    for (change, says) in [
        (json!({ "event": { "type": "test.pong" } }), "spec.event: Invalid value: cannot be changed"),
        (json!({ "event": { "data": { "n": 2 } } }), "spec.event: Invalid value: cannot be changed"),
        (json!({ "webhookRef": { "name": "other" } }), "spec.webhookRef: Invalid value: cannot be changed"),
        (json!({ "event": null, "replayOf": { "name": "ping" } }), "event cannot be added or removed"),
    ] {
        let answer = patch(change.clone()).await.unwrap_err();
        assert!(answer.contains(says), "{change}: {answer}");
    }
}

#[tokio::test]
async fn kubectl_shows_the_columns_and_selects_by_field() {
    let ns = cluster().await.namespace("columns").await;
    apply(&ns, &Webhook::api_resource(), &webhook_spec(), false).await.unwrap();
    let event = json!({ "webhookRef": { "name": "orders" }, "event": { "type": "test.ping" } });
    apply(&ns, &WebhookDelivery::api_resource(), &event, false).await.unwrap();
    let header = async |arguments: &[&str]| {
        let shown = ns.kubectl(arguments).await.success();
        shown.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        header(&["get", "whk", "-o", "wide"]).await,
        "NAME READY HEALTHY HOST SUSPENDED PENDING FAILED LAST AGE EVENTS CODE REASON"
    );
    assert_eq!(header(&["get", "whd"]).await, "NAME WEBHOOK EVENT OUTCOME CODE ATTEMPTS NEXT AGE");
    let count = async |arguments: &[&str]| {
        ns.kubectl(&[arguments, &["-o", "name"]].concat()).await.success().lines().count()
    };
    assert_eq!(count(&["get", "hookwright"]).await, 2);
    assert_eq!(count(&["get", "whk", "--field-selector", "spec.suspend=false"]).await, 1);
    assert_eq!(count(&["get", "whk", "--field-selector", "spec.suspend=true"]).await, 0);
    assert_eq!(count(&["get", "whd", "--field-selector", "spec.webhookRef.name=orders"]).await, 1);
    assert_eq!(count(&["get", "whd", "--field-selector", "spec.webhookRef.name=other"]).await, 0);
}
