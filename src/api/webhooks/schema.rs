//! What the REST API says of a webhook, as schemas: those of the custom resource's fields, in the places where the
//! API has them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Number, Value, json};

use super::places;
use crate::crd;
use crate::crd::endpoint::MAX_SIGNING_KEY;

const HEADERS: &str = "/request/headers";
const EXPRESSIONS: &str = "/filters/expressions";

/// What a new webhook is made from.
#[derive(Debug)]
pub(in crate::api) struct NewWebhook;

/// What is to be changed of a webhook.
#[derive(Debug)]
pub(in crate::api) struct WebhookPatch;

impl JsonSchema for NewWebhook {
    fn schema_name() -> Cow<'static, str> {
        "NewWebhook".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = taken();
        schema["anyOf"] = json!([{ "required": ["url"] }, { "required": ["url_from"] }]);
        nullable(&mut schema);
        object(schema)
    }
}

impl JsonSchema for WebhookPatch {
    fn schema_name() -> Cow<'static, str> {
        "WebhookPatch".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = taken();
        // Where there is none before, one that lacks a part is refused all the same.
        nullable(&mut schema);
        each_object(&mut schema, &|fields| drop(fields.remove("required")));
        object(schema)
    }
}

/// All that a webhook was told, for what shows it: `active` is shown beside it.
pub(super) fn shown(_: &mut SchemaGenerator) -> Schema {
    let mut schema = settings();
    if let Some(fields) = schema["properties"].as_object_mut() {
        fields.remove("active");
    }
    each_object(&mut schema, &|fields| drop(fields.remove("additionalProperties")));
    object(schema)
}

fn object(schema: Value) -> Schema {
    match schema {
        Value::Object(fields) => fields.into(),
        _ => json_schema!({ "type": "object" }),
    }
}

/// What a body may say.
fn taken() -> Value {
    let mut schema = settings();
    let mut retry = schema["properties"]["retry_policy"].clone();
    if let Some(fields) = retry["properties"].as_object_mut() {
        fields.remove("timeout");
    }
    retry["description"] = "Another way of writing `retry_policy`.".into();
    *slot(&mut schema, "/config/retry") = retry;
    *slot(&mut schema, "/config/secret") = json!({
        "type": "string", "minLength": 1, "maxLength": MAX_SIGNING_KEY, "writeOnly": true,
        "description": "The signing secret. Default: one is generated, and shown in the answer.",
    });
    schema
}

/// The fields of the custom resource, in the places where the API has them.
fn settings() -> Value {
    let spec = serde_json::to_value(&crd::definitions()[0]).unwrap_or_default();
    let spec = &spec["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut settings = json!({ "type": "object", "additionalProperties": false });
    place("", spec, &mut settings);
    settings
}

fn place(path: &str, schema: &Value, settings: &mut Value) {
    let placed = match path {
        "/suspend" => json!({
            "type": "boolean", "default": true, "description": "Whether events are sent. While false, they wait.",
        }),
        HEADERS => headers(schema),
        places::BACKOFF => factor(schema),
        EXPRESSIONS => expressions(schema),
        _ if schema["properties"].is_object() => return place_fields(path, schema, settings),
        _ => plain(schema),
    };
    *slot(settings, &places::of_api(path)) = placed;
}

fn place_fields(path: &str, schema: &Value, settings: &mut Value) {
    let pointer = places::of_api(path);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        place(&format!("{path}/{name}"), field, settings);
    }
    let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let here = names.map(|name| places::of_api(&format!("{path}/{name}")));
    let required: Vec<_> =
        here.filter_map(|it| Some(it.strip_prefix(&pointer)?.strip_prefix('/')?.to_owned())).collect();
    let slot = slot(settings, &pointer);
    if !required.is_empty() {
        slot["required"] = required.into();
    }
    if let Some(description) = schema["description"].as_str().filter(|_| !path.is_empty()) {
        slot["description"] = described(description).into();
    }
}

/// Where a schema has what is at a pointer, made where it is missing.
fn slot<'a>(schema: &'a mut Value, pointer: &str) -> &'a mut Value {
    pointer.split('/').skip(1).fold(schema, |object, name| {
        if object["properties"].is_null() {
            object["type"] = "object".into();
            object["additionalProperties"] = false.into();
        }
        &mut object["properties"][name]
    })
}

/// A schema without what only Kubernetes understands, with its fields in the case of the API.
fn plain(schema: &Value) -> Value {
    let Value::Object(keywords) = schema else { return schema.clone() };
    let mut plain = Map::new();
    for (keyword, value) in keywords {
        let value = match (keyword.as_str(), value) {
            ("x-kubernetes-list-type", Value::String(kind)) if kind == "set" => {
                plain.insert("uniqueItems".to_owned(), true.into());
                continue;
            }
            (extension, _) if extension.starts_with("x-kubernetes-") => continue,
            ("items", items) => self::plain(items),
            ("properties", Value::Object(fields)) => {
                plain.insert("additionalProperties".to_owned(), false.into());
                fields.iter().map(|(name, field)| (places::snake(name), self::plain(field))).collect()
            }
            ("required", Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).map(places::snake).collect()
            }
            ("description", Value::String(text)) => described(text).into(),
            ("minimum" | "maximum", Value::Number(bound)) => whole(bound),
            (_, value) => value.clone(),
        };
        plain.insert(keyword.clone(), value);
    }
    plain.into()
}

/// Bounds are floats in Kubernetes' types.
fn whole(bound: &Number) -> Value {
    // Bounds are far below 2^53, where every whole float is an integer.
    #[allow(clippy::cast_possible_truncation)]
    bound
        .as_f64()
        .filter(|bound| bound.fract() == 0.0)
        .map_or_else(|| bound.clone().into(), |it| json!(it as i64))
}

/// What is said of a field, with the names of fields in the case of the API.
fn described(text: &str) -> String {
    let name =
        |it: &str| it.starts_with(|c: char| c.is_ascii_lowercase()) && it.chars().all(char::is_alphanumeric);
    let part = |(index, part): (usize, &str)| {
        if index % 2 == 1 && name(part) { places::snake(part) } else { part.to_owned() }
    };
    text.split('`').enumerate().map(part).collect::<Vec<_>>().join("`")
}

/// Headers by their names.
fn headers(schema: &Value) -> Value {
    let header = &schema["items"]["properties"];
    let value_from = plain(&json!({
        "type": "object", "required": ["valueFrom"], "properties": { "valueFrom": header["valueFrom"] },
    }));
    json!({
        "type": "object", "description": schema["description"], "maxProperties": schema["maxItems"],
        "additionalProperties": { "anyOf": [plain(&header["value"]), value_from] },
    })
}

/// A percentage there, a factor here.
fn factor(schema: &Value) -> Value {
    let bound = |name: &str| schema[name].as_f64().map(|percent| percent / 100.0);
    json!({
        "type": "number", "minimum": bound("minimum"), "maximum": bound("maximum"),
        "description": "How many times the one before each delay past the last interval is. Default: 2.0.",
    })
}

/// Texts, where nobody gave them names.
fn expressions(schema: &Value) -> Value {
    let mut plain = plain(schema);
    let text = plain["items"]["properties"]["cel"].clone();
    plain["items"] = json!({ "anyOf": [text, plain["items"]] });
    plain
}

/// Null removes what is not required, or is all that there is in what is not.
fn nullable(schema: &mut Value) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let alone = properties(schema).is_some_and(|fields| fields.len() == 1);
    for (name, field) in properties(schema).into_iter().flatten() {
        nullable(field);
        let stays = name == "secret" || (required.contains(&json!(name)) && !alone);
        if let Some(Value::Array(values)) = field.pointer_mut("/additionalProperties/anyOf") {
            values.push(json!({ "type": "null" }));
        }
        if !stays {
            or_null(field);
        }
    }
}

fn properties(schema: &mut Value) -> Option<&mut Map<String, Value>> {
    schema.get_mut("properties")?.as_object_mut()
}

fn or_null(schema: &mut Value) {
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        values.push(Value::Null);
    }
    if let Some(kind) = schema["type"].as_str().map(str::to_owned) {
        schema["type"] = json!([kind, "null"]);
    }
}

/// Does something with an object's schema and with those of all objects in it, but for those in lists.
fn each_object(schema: &mut Value, what: &impl Fn(&mut Map<String, Value>)) {
    let Some(keywords) = schema.as_object_mut().filter(|it| it.contains_key("properties")) else { return };
    what(keywords);
    for field in properties(schema).into_iter().flat_map(Map::values_mut) {
        each_object(field, what);
    }
}
