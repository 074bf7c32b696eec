//! Every field of the custom resource through the REST API, as its schema lists them.

use hookwright_engine::id::WebhookId;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::change::Change;
use super::places;
use super::view::View;
use crate::crd::{self, Webhook, WebhookSpec};
use crate::store::Summary;

/// The schema of a webhook's spec.
fn schema() -> Value {
    let definition = serde_json::to_value(&crd::definitions()[0]).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// Values of this schema: between them, every field of it is there, with what it requires beside it.
fn samples(schema: &Value) -> Vec<Value> {
    if let Some(values) = schema["enum"].as_array() {
        return values.clone();
    }
    match schema["type"].as_str().unwrap() {
        "boolean" => vec![true.into(), false.into()],
        "integer" => ["minimum", "maximum"].map(|bound| whole(&schema[bound])).to_vec(),
        "string" => vec!["a".into()],
        "array" => samples(&schema["items"]).into_iter().map(|item| json!([item])).collect(),
        "object" => {
            let fields = schema["properties"].as_object().unwrap();
            let names = schema["required"].as_array().into_iter().flatten();
            let required = names.map(|name| name.as_str().unwrap());
            let required: Map<_, _> =
                required.map(|name| (name.to_owned(), samples(&fields[name]).remove(0))).collect();
            let with = |name: &String, value| {
                let mut object = required.clone();
                object.insert(name.clone(), value);
                Value::Object(object)
            };
            let fields = fields.iter();
            fields
                .flat_map(|(name, it)| samples(it).into_iter().map(move |value| with(name, value)))
                .collect()
        }
        other => panic!("{other} is no type of a field"),
    }
}

/// Bounds are floats in the types of the schema.
#[allow(clippy::cast_possible_truncation)]
fn whole(bound: &Value) -> Value {
    json!(bound.as_f64().unwrap() as i64)
}

/// A body that says what a spec says; `None` for a header without a value, which is none.
fn body(spec: &Value) -> Option<Value> {
    fn walk(path: &str, value: &Value, body: &mut Value) -> Option<()> {
        let said = match (path, value) {
            ("/suspend", suspend) => json!(!suspend.as_bool().unwrap()),
            ("/retry/backoffRatePercent", percent) => json!(percent.as_f64().unwrap() / 100.0),
            ("/request/headers", headers) => {
                let header = &headers[0];
                let value = match &header["valueFrom"]["secretKeyRef"] {
                    Value::Null => header.get("value")?.clone(),
                    reference => json!({ "value_from": { "secret_key_ref": reference } }),
                };
                json!({ header["name"].as_str().unwrap(): value })
            }
            (_, Value::Object(fields)) => {
                return fields.iter().try_for_each(|(name, it)| walk(&format!("{path}/{name}"), it, body));
            }
            (_, value) => value.clone(),
        };
        let pointer = places::of_api(path);
        *pointer.split('/').skip(1).fold(body, |object, name| &mut object[name]) = said;
        Some(())
    }
    let mut body = json!({});
    walk("", spec, &mut body).map(|()| body)
}

fn applied(body: &Value, before: Option<&WebhookSpec>) -> WebhookSpec {
    let change = Change::read(body.to_string().as_bytes());
    change.and_then(|change| change.apply(before)).unwrap_or_else(|problem| panic!("{body}: {problem:?}"))
}

fn shown(spec: WebhookSpec) -> Value {
    let id = WebhookId::from_uid(Uuid::nil());
    serde_json::to_value(View::new(id, &Webhook::new("orders", spec), &Summary::default(), None).unwrap())
        .unwrap()
}

/// Whether `whole` has all that `part` has, at the same places.
fn has(whole: &Value, part: &Value) -> bool {
    match part {
        Value::Object(fields) => fields.iter().all(|(name, part)| has(&whole[name], part)),
        part => whole == part,
    }
}

/// Without what says nothing.
fn pruned(value: Value) -> Value {
    let empty = |it: &Value| matches!(it, Value::Null | Value::Bool(false)) || *it == json!({});
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, it)| (name, pruned(it)));
            fields.filter(|(_, it)| !empty(it)).collect()
        }
        value => value,
    }
}

#[test]
fn every_field_of_the_custom_resource_can_be_set_read_and_removed_here() {
    let base: WebhookSpec = serde_json::from_value(json!({ "events": ["a"] })).unwrap();
    let samples = samples(&schema());
    assert!(samples.len() > 60, "{} are not all", samples.len());
    for sample in samples {
        let Some(body) = body(&sample) else { continue };
        let spec: WebhookSpec = serde_json::from_value(sample.clone()).unwrap();
        let made = applied(&body, None);
        assert_eq!(made, spec, "{sample} as {body}");
        let shown_now = shown(made.clone());
        assert!(has(&shown_now, &body), "{body} is shown as {shown_now}");
        assert_eq!(applied(&body, Some(&base)), made, "a patch does not say the same: {body}");
        let removing = body.as_object().unwrap().keys().filter(|name| *name != "events");
        let removing: Map<_, _> = removing.map(|name| (name.clone(), Value::Null)).collect();
        let removed = applied(&Value::Object(removing), Some(&made));
        assert_eq!(pruned(shown(removed)), pruned(shown(base.clone())), "{body} is not removed");
    }
}

#[test]
fn expressions_are_their_texts_where_nobody_gave_them_names() {
    let with = |expressions: Value| json!({ "events": ["a"], "filters": { "expressions": expressions } });
    let texts = with(json!(["event.type == 'a'", "true"]));
    let spec = applied(&texts, None);
    let names: Vec<_> = spec
        .filters
        .iter()
        .flat_map(|it| it.expressions.iter().flatten())
        .map(|it| it.name.clone())
        .collect();
    assert_eq!(names, ["expression-1", "expression-2"]);
    assert!(has(&shown(spec), &texts));
    let mixed = with(json!([{ "name": "mine", "cel": "true" }, "false"]));
    assert!(has(&shown(applied(&mixed, None)), &mixed));
}
