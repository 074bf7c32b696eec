//! Filters, from the manifest to what a receiver gets.

use serde_json::{Value, json};

use crate::support::{self, Namespace, Operator, Receiver, webhook};

fn event(id: &str, status: &str) -> Value {
    json!({
        "id": id, "type": "resource.updated",
        "data": { "object": { "type": "resource", "attributes": { "status": status } } },
        "metadata": { "user_id": "user_789" },
    })
}

fn delivery(name: &str, event: &Value, ignore_filters: bool) -> String {
    json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "WebhookDelivery", "metadata": { "name": name },
        "spec": { "webhookRef": { "name": "active" }, "event": event, "ignoreFilters": ignore_filters },
    })
    .to_string()
}

async fn condition(ns: &Namespace<'_>, object: &str, condition: &str) -> String {
    let path = format!(
        r#"--output=jsonpath={{range .status.conditions[?(@.type=="{condition}")]}}{{.status}} {{.reason}} {{.message}}{{end}}"#
    );
    ns.kubectl(&["get", object, &path]).await.success()
}

async fn says(ns: &Namespace<'_>, object: &str, about: &str, begin: &str) -> String {
    support::eventually(begin, async || {
        let said = condition(ns, object, about).await;
        if said.starts_with(begin) { Ok(said) } else { Err(said) }
    })
    .await
}

#[tokio::test]
async fn only_what_the_filters_let_through_is_sent_and_a_wrong_filter_says_where_it_is_wrong() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("filters").await;
    let (active, all) = (Receiver::start().await, Receiver::start().await);
    let operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    let filters = |cel: &str| {
        json!({ "filters": {
            "resourceTypes": ["resource", "user"], "userIDs": ["user_789"],
            "expressions": [{ "name": "active", "cel": cel }],
        } })
    };
    let right = filters("event.data.object.attributes.status == 'active'");
    ns.apply(&webhook("active", &active, right.clone())).await;
    ns.apply(&webhook("all", &all, json!({}))).await;
    ns.kubectl(&["wait", "whk", "--all", "--for=condition=Ready", "--timeout=60s"]).await.success();

    let (_, answer) = operator.publish(&ns, &event("evt_1", "draft")).await;
    assert_eq!(answer["deliveries"].as_array().unwrap().len(), 1, "{answer}");
    let (_, answer) = operator.publish(&ns, &event("evt_2", "active")).await;
    assert_eq!(answer["deliveries"].as_array().unwrap().len(), 2, "{answer}");
    let (_, answer) = operator.publish(&ns, &json!({ "id": "evt_3", "type": "a", "data": {} })).await;
    assert_eq!(answer["deliveries"].as_array().unwrap().len(), 1, "{answer}");
    let mut ids: Vec<_> = all.requests(3).await.iter().map(support::Request::event_id).collect();
    ids.sort();
    assert_eq!(ids, ["evt_1", "evt_2", "evt_3"]);
    assert_eq!(active.requests(1).await[0].event_id(), "evt_2");

    ns.apply(&delivery("unwanted", &event("evt_4", "draft"), false)).await;
    says(&ns, "whd/unwanted", "Succeeded", "False FilteredOut the filters of the Webhook active").await;
    ns.apply(&delivery("insisting", &event("evt_5", "draft"), true)).await;
    ns.kubectl(&["wait", "whd/insisting", "--for=condition=Succeeded", "--timeout=60s"]).await.success();

    ns.apply(&webhook("active", &active, filters("event.data.object ="))).await;
    let said = says(&ns, "whk/active", "Accepted", "False InvalidFilter").await;
    assert!(said.contains("spec.filters.expressions[0].cel: at 1:"), "{said}");
    says(&ns, "whk/active", "Stalled", "True InvalidFilter").await;
    let (_, answer) = operator.publish(&ns, &event("evt_6", "active")).await;
    assert_eq!(answer["deliveries"].as_array().unwrap().len(), 2, "{answer}");
    ns.apply(&webhook("active", &active, right)).await;
    let ids: Vec<_> = active.requests(3).await.iter().map(support::Request::event_id).collect();
    assert_eq!(ids, ["evt_2", "evt_5", "evt_6"]);
}
