//! Who may call what: every route, judged by a real API server.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use hookwright::api::auth::{Access, Resource, Verb};
use hookwright::api::{Route, routes};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, RoleBinding};
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use crate::support::{self, AUDIENCE, Cluster, Namespace, Operator, Signer};

const RESOURCES: [&str; 3] = ["webhooks", "webhookdeliveries", "webhookevents"];
const VERBS: [&str; 7] = ["create", "list", "get", "watch", "patch", "update", "delete"];

/// What the operator says to somebody.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

/// Calls a route, about things that do not exist.
async fn call(operator: &Operator, route: &Route, query: &str, authorization: &[&str]) -> Answer {
    let id = if route.path.contains("/deliveries/{id}") {
        "del_0000000000001"
    } else {
        "webhook_00000000000000000000000000000001"
    };
    let url = format!("{}{}{query}", operator.url(), route.path.replace("{id}", id));
    let mut request = reqwest::Client::new().request(route.method.clone(), url);
    for value in authorization {
        request = request.header(AUTHORIZATION, *value);
    }
    let answer = request.header(CONTENT_TYPE, "application/json").body("{}").send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default();
    Answer { status, headers, body }
}

/// Somebody who is let in, to learn that there is no such thing.
fn assert_admitted(answer: &Answer, route: &Route) {
    let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::SERVICE_UNAVAILABLE];
    assert!(!refused.contains(&answer.status), "{route:?}: {answer:?}");
}

fn assert_unknown(answer: &Answer, route: &Route, why: &str) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{why}: {route:?}: {answer:?}");
    assert_eq!(answer.headers[WWW_AUTHENTICATE], "Bearer");
    assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json");
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("kubectl create token SERVICEACCOUNT --audience hookwright.dev"), "{detail}");
}

fn assert_forbidden(answer: &Answer, route: &Route, says: &[&str]) {
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{route:?}: {answer:?}");
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(says.iter().all(|part| detail.contains(part)), "{detail} lacks one of {says:?}");
}

fn may(verb: &str, resource: &str) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec!["hookwright.dev".to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: vec![verb.to_owned()],
        ..PolicyRule::default()
    }
}

/// Every right in a namespace, but for one.
fn all_but(verb: &str, resource: &str) -> Vec<PolicyRule> {
    let pairs = RESOURCES.iter().flat_map(|resource| VERBS.iter().map(move |verb| (*verb, *resource)));
    pairs.filter(|pair| *pair != (verb, resource)).map(|(verb, resource)| may(verb, resource)).collect()
}

/// A service account with these rights, and its `Authorization` for the operator.
async fn account(ns: &Namespace<'_>, name: &str, rules: Vec<PolicyRule>) -> String {
    ns.service_account(name, rules).await;
    format!("Bearer {}", ns.token(name, Some(AUDIENCE)).await)
}

/// Those who come with nothing that says who they are.
async fn strangers(cluster: &Cluster, ns: &Namespace<'_>) -> Vec<(&'static str, Vec<String>)> {
    let name = "stranger";
    let for_the_api_server = ns.service_account(name, all_but("", "")).await;
    let other_audience = ns.token(name, Some("other.example")).await;
    let signer = Signer::new(cluster, ns, name).await;
    let sound = format!("Bearer {}", signer.token(AUDIENCE, 600));
    let bearer = |token: &str| vec![format!("Bearer {token}")];
    let one = |value: &str| vec![value.to_owned()];
    vec![
        ("no token", vec![]),
        ("another scheme", one("Basic dXNlcjpwYXNz")),
        ("no token behind the scheme", one("Bearer ")),
        ("two words", one("Bearer a b")),
        ("two headers", vec![sound.clone(), sound]),
        ("not a token of anybody", bearer("abc.def.ghi")),
        ("expired", bearer(&signer.token(AUDIENCE, -60))),
        ("signed by somebody else", bearer(&Signer::forged(&signer).token(AUDIENCE, 600))),
        ("an audience of the API server", bearer(&for_the_api_server)),
        ("another audience", bearer(&other_audience)),
        ("too long", bearer(&"x".repeat(20_000))),
    ]
}

#[tokio::test]
async fn every_route_lets_in_whom_its_right_was_given_and_nobody_else() {
    let cluster = support::cluster().await;
    let (ns, other) = (cluster.namespace("access").await, cluster.namespace("access-other").await);
    let operator = Operator::start(cluster, &ns, &[]).await;
    let strangers = strangers(cluster, &ns).await;
    let known = account(&ns, "known", vec![]).await;
    let elsewhere = account(&other, "elsewhere", all_but("", "")).await;
    let mut accounts = BTreeMap::new();
    for route in routes() {
        if route.access != Access::Anybody {
            for (why, authorization) in &strangers {
                let authorization: Vec<_> = authorization.iter().map(String::as_str).collect();
                assert_unknown(&call(&operator, &route, "", &authorization).await, &route, why);
            }
        }
        match route.access {
            Access::Anybody => assert_admitted(&call(&operator, &route, "", &[]).await, &route),
            Access::Known => assert_admitted(&call(&operator, &route, "", &[&known]).await, &route),
            Access::Path => {
                let says = ["system:serviceaccount:", ":known may not get the path ", route.path];
                assert_forbidden(&call(&operator, &route, "", &[&known]).await, &route, &says);
                let reader = path_reader(cluster, &ns, route.path).await;
                assert_admitted(&call(&operator, &route, "", &[&reader]).await, &route);
            }
            Access::Namespaced(verb, resource) => {
                let (verb, resource) = (Verb::as_str(verb), Resource::as_str(resource));
                let key = format!("{verb}-{resource}");
                if !accounts.contains_key(&key) {
                    let one = account(&ns, &format!("one-{key}"), vec![may(verb, resource)]).await;
                    let rest = account(&ns, &format!("rest-{key}"), all_but(verb, resource)).await;
                    accounts.insert(key.clone(), (one, rest));
                }
                let (one, rest) = &accounts[&key];
                let wish = format!("may not {verb} {resource}.hookwright.dev in the namespace ");
                let (here, there) = (format!("{wish}{}", ns.name()), format!("{wish}{}", other.name()));
                assert_admitted(&call(&operator, &route, "", &[one]).await, &route);
                let named = format!("?namespace={}", ns.name());
                assert_admitted(&call(&operator, &route, &named, &[one]).await, &route);
                assert_forbidden(&call(&operator, &route, "", &[rest]).await, &route, &["rest-", &here]);
                assert_forbidden(&call(&operator, &route, &named, &[&elsewhere]).await, &route, &[&here]);
                let named = format!("?namespace={}", other.name());
                assert_forbidden(&call(&operator, &route, &named, &[one]).await, &route, &["one-", &there]);
            }
        }
    }
    let log = operator.log();
    let tokens = accounts.values().flat_map(|(one, rest)| [one, rest]).chain([&known, &elsewhere]);
    for token in tokens.map(|bearer| bearer.strip_prefix("Bearer ").unwrap()) {
        assert!(!log.contains(token.rsplit('.').next().unwrap()), "a token is in the log");
    }
}

/// Somebody who may read one path of the operator.
async fn path_reader(cluster: &Cluster, ns: &Namespace<'_>, path: &str) -> String {
    let account_name = format!("reader{}", path.replace('/', "-"));
    let authorization = account(ns, &account_name, vec![]).await;
    let name = format!("{}-{account_name}", ns.name());
    let role = ClusterRole {
        metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
        rules: Some(vec![PolicyRule {
            non_resource_urls: Some(vec![path.to_owned()]),
            verbs: vec!["get".to_owned()],
            ..PolicyRule::default()
        }]),
        ..ClusterRole::default()
    };
    Api::all(cluster.client().await).create(&PostParams::default(), &role).await.unwrap();
    cluster.bind(&name, &name, ns.name(), &account_name).await;
    authorization
}

#[tokio::test]
async fn a_token_signed_for_the_test_is_as_good_as_one_of_the_api_server_until_it_expires() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("signed").await;
    let operator = Operator::start(cluster, &ns, &[]).await;
    account(&ns, "signed", vec![]).await;
    let token = Signer::new(cluster, &ns, "signed").await.token(AUDIENCE, 600);
    let known = routes().into_iter().find(|route| route.access == Access::Known).unwrap();
    assert_eq!(call(&operator, &known, "", &[&format!("Bearer {token}")]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_change_is_logged_with_who_made_it() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("audit").await;
    let operator = Operator::start(cluster, &ns, &["--log-level", "info,audit=debug"]).await;
    let caller =
        account(&ns, "orders", vec![may("create", "webhooks"), may("create", "webhookevents")]).await;
    let client = support::client(caller.strip_prefix("Bearer ").unwrap());
    let post = async |path: &str, body: Value| {
        let answer = client.post(format!("{}{path}", operator.url())).json(&body).send().await.unwrap();
        answer.json::<Value>().await.unwrap()
    };
    let made = post("/v1/webhooks", json!({ "url": "https://a.example/", "events": ["*"] })).await;
    post("/v1/events", json!({ "id": "evt_1", "type": "a.b", "data": {} })).await;
    let rotated = format!("/v1/webhooks/{}/secret/rotate", made["id"].as_str().unwrap());
    post(&rotated, json!({})).await;

    let lines = support::eventually("the lines of the audit", async || {
        let log = operator.log();
        let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let lines: Vec<_> = lines.into_iter().filter(|line| line["target"] == "audit").collect();
        if lines.len() == 3 { Ok(lines) } else { Err(lines) }
    });
    let user = format!("system:serviceaccount:{}:orders", ns.name());
    let seen = |line: &Value| {
        assert_eq!((&line["user"], &line["namespace"]), (&json!(user), &json!(ns.name())), "{line}");
        json!([line["level"], line["method"], line["route"], line["object"], line["status"]])
    };
    let expected = [
        json!(["INFO", "POST", "/v1/webhooks", made["id"], 201]),
        json!(["DEBUG", "POST", "/v1/events", "evt_1", 202]),
        json!(["INFO", "POST", "/v1/webhooks/{id}/secret/rotate", made["id"], 403]),
    ];
    assert_eq!(lines.await.iter().map(seen).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn every_call_that_may_change_something_is_logged_with_its_caller_and_no_other() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("audited").await;
    let operator = Operator::start(cluster, &ns, &["--log-level", "info,audit=debug"]).await;
    let caller = format!("Bearer {}", cluster.token().await);
    let query = format!("?namespace={}", ns.name());
    let mut expected = Vec::new();
    for route in routes() {
        let answer = call(&operator, &route, &query, &[&caller]).await;
        let Access::Namespaced(verb, _) = route.access else { continue };
        if matches!(verb.as_str(), "create" | "patch" | "delete") {
            expected.push(json!([route.method.as_str(), route.path, answer.status.as_u16()]));
        }
    }
    assert_eq!(expected.len(), 9, "{expected:?}");
    let lines = support::eventually("the lines of the audit", async || {
        let log = operator.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines: Vec<_> = lines.filter(|line| line["target"] == "audit").collect();
        if lines.len() >= expected.len() { Ok(lines) } else { Err(lines) }
    });
    for (line, expected) in lines.await.iter().zip(&expected) {
        assert_eq!(json!([line["method"], line["route"], line["status"]]), *expected, "{line}");
        assert_eq!(line["user"], "system:serviceaccount:default:tests", "{line}");
        assert_eq!(line["namespace"], ns.name(), "{line}");
        let names = expected[1].as_str().unwrap().contains('{');
        assert!(!names || line["object"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn an_operator_that_may_not_ask_lets_nobody_in_and_says_what_it_needs() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("closed").await;
    let rule = |group: &str, resources: &[&str]| PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(resources.iter().map(|&it| it.to_owned()).collect()),
        verbs: vec!["*".to_owned()],
        ..PolicyRule::default()
    };
    let rules = vec![rule("hookwright.dev", &["*"]), rule("", &["secrets", "events"])];
    let token = ns.service_account("operator", rules).await;
    let operator = Operator::start_as(cluster, &ns, &token, &[]).await;
    for route in routes() {
        let answer = call(&operator, &route, "", &[&format!("Bearer {}", cluster.token().await)]).await;
        if route.access == Access::Anybody {
            assert_admitted(&answer, &route);
        } else {
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{route:?}: {answer:?}");
            assert_eq!(answer.headers[RETRY_AFTER], "5");
        }
    }
    assert!(operator.log().contains("bind its service account to the ClusterRole system:auth-delegator"));

    cluster.bind(&format!("{}-delegator", ns.name()), "system:auth-delegator", ns.name(), "operator").await;
    support::eventually("that somebody is let in", async || {
        let known = routes().into_iter().find(|route| route.access == Access::Known).unwrap();
        let answer = call(&operator, &known, "", &[&format!("Bearer {}", cluster.token().await)]).await;
        if answer.status == StatusCode::OK { Ok(()) } else { Err(answer) }
    })
    .await;
}

#[tokio::test]
async fn a_right_that_was_taken_away_ends() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("revoked").await;
    let operator = Operator::start(cluster, &ns, &[]).await;
    let caller = account(&ns, "orders", vec![may("list", "webhooks")]).await;
    let list = routes().into_iter().find(|route| route.path == "/v1/webhooks").unwrap();
    assert_admitted(&call(&operator, &list, "", &[&caller]).await, &list);
    ns.api::<RoleBinding>().await.delete("orders", &DeleteParams::default()).await.unwrap();
    support::eventually("that they are not let in", async || {
        let answer = call(&operator, &list, "", &[&caller]).await;
        if answer.status == StatusCode::FORBIDDEN { Ok(()) } else { Err(answer.status) }
    })
    .await;
}
