//! The custom resources, and the one door from a manifest to a valid
//! [`Endpoint`](hookwright_engine::endpoint::Endpoint).
//!
//! The schema that the API server enforces is generated from these types ([`files`]); its bounds
//! are the constants that [`endpoint`] enforces again, as manifests also come from folders, from
//! the REST API and from clusters with an older schema. Reading is lenient about fields it does
//! not know, so that an operator one version behind goes on.

pub mod annotation;
pub mod condition;
pub mod endpoint;
mod field;
pub mod gitops;
mod rule;
mod schema;
pub mod secret;
mod sending;
pub mod webhook;
pub mod webhook_delivery;

pub use field::{Field, has_webhook_field, list_for_object, webhook_fields};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
pub use sending::{FilteredOut, NotSubscribed, Unsendable};
use serde_json::json;
use serde_yaml::Value;
pub use webhook::{Webhook, WebhookSpec, WebhookStatus};
pub use webhook_delivery::{WebhookDelivery, WebhookDeliverySpec, WebhookDeliveryStatus};

/// The definitions, ready to be applied.
#[must_use]
pub fn definitions() -> [CustomResourceDefinition; 2] {
    [Webhook::crd(), WebhookDelivery::crd()].map(|mut definition| {
        for version in &mut definition.spec.versions {
            if let Some(root) = version.schema.as_mut().and_then(|it| it.open_api_v3_schema.as_mut()) {
                finish(root);
                let status = root.properties.as_mut().and_then(|fields| fields.get_mut("status"));
                if let Some(status) = status {
                    // A new object is not "current" before it was looked at.
                    status.default = Some(JSON(json!({ "observedGeneration": -1 })));
                }
            }
        }
        definition
    })
}

/// The definitions as YAML files: name and content.
pub fn files() -> Result<Vec<(String, String)>, serde_yaml::Error> {
    let file = |definition: CustomResourceDefinition| {
        let name = format!("{}.yaml", definition.metadata.name.as_deref().unwrap_or_default());
        let mut value = serde_yaml::to_value(&definition)?;
        whole_numbers(&mut value);
        Ok((name, serde_yaml::to_string(&value)?))
    };
    definitions().into_iter().map(file).collect()
}

/// The definitions as one YAML stream.
pub fn yaml() -> Result<String, serde_yaml::Error> {
    let documents: Vec<_> = files()?.into_iter().map(|(_, content)| content).collect();
    Ok(documents.join("---\n"))
}

/// What the derive emits and Kubernetes does without: `nullable`, which would let `null` in, and
/// formats of integers that it does not know.
fn finish(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    let format = schema.format.as_deref().map(|format| match format {
        "uint" | "uint8" | "uint16" | "uint32" => "int32",
        "uint64" => "int64",
        known => known,
    });
    schema.format = format.map(str::to_owned);
    schema.properties.iter_mut().flat_map(|fields| fields.values_mut()).for_each(finish);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        finish(items);
    }
}

/// Bounds are floats in Kubernetes' types: shown as `1`, not as `1.0`.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            // Bounds are far below 2^53, where every whole float is an integer.
            #[allow(clippy::cast_possible_truncation)]
            if let Some(float) = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0) {
                *value = Value::from(float as i64);
            }
        }
        Value::Sequence(values) => values.iter_mut().for_each(whole_numbers),
        Value::Mapping(fields) => fields.values_mut().for_each(whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Tagged(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use kube::core::cel::{validate_cel, validate_cel_update};
    use serde_json::{Value as Json, json};

    use super::*;

    #[test]
    fn the_committed_files_are_those_that_the_types_generate() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        for (name, content) in files().unwrap() {
            let committed = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
            assert!(committed == content, "crds/{name} is stale: write what `hookwright crds` prints");
        }
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 2, "crds/ has a file that nothing generates");
    }

    #[test]
    fn every_text_list_and_number_is_bounded() {
        let mut unbounded = Vec::new();
        for definition in definitions() {
            let value = serde_json::to_value(&definition).unwrap();
            let schema = &value["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            collect_unbounded(&schema["properties"]["spec"], "spec", &mut unbounded);
            collect_unbounded(&schema["properties"]["status"], "status", &mut unbounded);
        }
        assert_eq!(unbounded, Vec::<String>::new());
    }

    fn collect_unbounded(schema: &Json, path: &str, found: &mut Vec<String>) {
        assert!(schema.get("nullable").is_none(), "{path} lets null in");
        assert!(schema["type"].is_string(), "{path} has no type");
        let free = schema.get("x-kubernetes-preserve-unknown-fields").is_some();
        let bounded = match schema["type"].as_str().unwrap() {
            "string" => ["maxLength", "enum", "format"].iter().any(|bound| schema.get(bound).is_some()),
            "array" => schema["maxItems"].is_u64() && schema["x-kubernetes-list-type"].is_string(),
            "integer" => ["int32", "int64"].contains(&schema["format"].as_str().unwrap()),
            "object" => !free || schema["maxProperties"].is_u64(),
            "boolean" => true,
            other => panic!("{path} is a {other}"),
        };
        if !bounded {
            found.push(path.to_owned());
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            collect_unbounded(field, &format!("{path}.{name}"), found);
        }
        if let Some(items) = schema.get("items") {
            assert!(!items.to_string().contains(r#""default":"#), "{path} has defaults in its items");
            collect_unbounded(items, &format!("{path}[]"), found);
        }
    }

    fn webhook(fields: &Json) -> Webhook {
        let mut spec = json!({ "url": "https://a.example/hook", "events": ["resource.*"] });
        for (field, value) in fields.as_object().unwrap() {
            spec[field] = value.clone();
        }
        Webhook::new("orders", serde_json::from_value(spec).unwrap())
    }

    fn delivery(spec: Json) -> WebhookDelivery {
        WebhookDelivery::new("ping", serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn cel_lets_good_webhooks_in() {
        for fields in [
            json!({}),
            json!({ "url": "http://127.0.0.1:8080" }),
            json!({ "url": "https://[2001:db8::1]:8443/a%20b?c=d&e=@" }),
            json!({ "url": null, "urlFrom": { "secretKeyRef": { "name": "a-1.b", "key": "URL_1" } } }),
            json!({ "events": ["*", "a", "a.*", "a.b.c.d.e.f.g.h", "a.b.c.d.e.f.g.*", "custom.x-1_y"] }),
            json!({ "request": { "headers": [
                { "name": "X-Env", "value": "\tproduction é" }, { "name": "x'y", "value": "" },
            ] } }),
            json!({ "request": { "contentType": "application/x-www-form-urlencoded" } }),
            json!({ "signing": { "schemes": ["StandardWebhooks", "PCF"] } }),
            json!({ "tls": { "insecureSkipVerify": false, "caRef": { "name": "ca" }, "clientCertRef": { "name": "a" } } }),
            json!({ "url": "http://a.example", "tls": { "insecureSkipVerify": true } }),
            json!({ "request": { "authorization": { "bearer": { "tokenRef": { "name": "s", "key": "k" } } } } }),
            json!({ "timeouts": { "connectSeconds": 10 } }),
        ] {
            assert!(
                validate_cel(&webhook(&fields)).is_ok(),
                "{fields}: {:?}",
                validate_cel(&webhook(&fields))
            );
        }
    }

    #[test]
    fn cel_refuses_bad_webhooks_with_the_field_and_the_reason() {
        for (fields, field, says) in [
            (json!({ "url": null }), "spec", "exactly one of url and urlFrom is required"),
            (json!({ "url": "/hook" }), "spec.url", "absolute http or https URL"),
            (json!({ "url": "ftp://a.example" }), "spec.url", "absolute http or https URL"),
            (json!({ "url": "https://a.example/#x" }), "spec.url", "#fragment"),
            (json!({ "url": "https://u:p@a.example/" }), "spec.url", "user or password"),
            (json!({ "events": ["a", "a.*.b"] }), "spec.events[1]", "must be an event type"),
            (json!({ "events": ["**"] }), "spec.events[0]", "must be an event type"),
            (json!({ "events": ["a.b.c.d.e.f.g.h.*"] }), "spec.events[0]", "must be an event type"),
            (json!({ "events": ["a b"] }), "spec.events[0]", "must be an event type"),
            (
                json!({ "request": { "headers": [{ "name": "X-PCF-Event", "value": "x" }] } }),
                "spec.request.headers[0].name",
                "set by Hookwright",
            ),
            (
                json!({ "request": { "headers": [{ "name": "a b", "value": "x" }] } }),
                "spec.request.headers[0].name",
                "must be a header name",
            ),
            (
                json!({ "request": { "headers": [{ "name": "X-A", "value": "a\r\nb: c" }] } }),
                "spec.request.headers[0].value",
                "visible characters",
            ),
            (
                json!({ "request": { "headers": [{ "name": "X-A" }] } }),
                "spec.request.headers[0]",
                "exactly one",
            ),
            (
                json!({ "request": { "headers": [
                    { "name": "X-A", "value": "1" }, { "name": "x-a", "value": "2" },
                ] } }),
                "spec.request.headers",
                "differ in more than case",
            ),
            (
                json!({ "url": "HTTP://a.example", "tls": { "clientCertRef": { "name": "a" } } }),
                "spec",
                "need an https URL",
            ),
            (
                json!({ "tls": { "insecureSkipVerify": true, "caRef": { "name": "ca" } } }),
                "spec.tls",
                "caRef checks nothing",
            ),
            (
                json!({ "timeouts": { "connectSeconds": 31 } }),
                "spec.timeouts",
                "not be more than requestSeconds",
            ),
        ] {
            let errors = validate_cel(&webhook(&fields)).expect_err(says).to_string();
            assert!(errors.contains(says) && errors.contains(field), "{fields}: {errors}");
        }
    }

    #[test]
    fn a_delivery_is_one_event_or_a_replay_and_never_changes_its_mind() {
        let event = json!({ "webhookRef": { "name": "orders" }, "event": { "type": "test.ping" } });
        let replay = json!({ "webhookRef": { "name": "orders" }, "replayOf": { "name": "ping" } });
        let both = json!({
            "webhookRef": { "name": "orders" }, "event": { "type": "a" }, "replayOf": { "name": "ping" },
        });
        assert!(validate_cel(&delivery(event.clone())).is_ok());
        assert!(validate_cel(&delivery(replay.clone())).is_ok());
        assert!(validate_cel(&delivery(both)).is_err());
        assert!(validate_cel(&delivery(json!({ "webhookRef": { "name": "orders" } }))).is_err());

        let before = delivery(event.clone());
        let with = |field: &str, value: Json| {
            let mut changed = event.clone();
            changed[field] = value;
            delivery(changed)
        };
        assert!(validate_cel_update(&with("canceled", true.into()), &before).is_ok());
        assert!(validate_cel_update(&delivery(replay), &before).is_err());
        assert!(validate_cel_update(&with("event", json!({ "type": "test.pong" })), &before).is_err());
        assert!(validate_cel_update(&with("webhookRef", json!({ "name": "other" })), &before).is_err());
    }
}
