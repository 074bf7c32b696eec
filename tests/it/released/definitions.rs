//! The definitions of the tree, against those of the last release.

use std::fs;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Release, compatibility::breaks};

/// Breaks that were decided on, each with the reason; a new CEL rule, for one, that only concerns a new field.
const DECIDED: &[(&str, &str)] = &[];

fn documents(text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text).map(|it| Value::deserialize(it).unwrap());
    documents.filter(|it| !it.is_null()).collect()
}

fn tree() -> Vec<Value> {
    documents(&hookwright::crd::yaml().unwrap())
}

#[test]
fn nothing_that_the_last_release_took_is_refused_or_forgotten() {
    let release = Release::last();
    let (old, new) = (documents(&fs::read_to_string(release.definitions()).unwrap()), tree());
    assert_eq!(old.len(), 2);
    let mut found = Vec::new();
    for old in old {
        let name = &old["metadata"]["name"];
        let new = new.iter().find(|it| it["metadata"]["name"] == *name);
        let new = new.unwrap_or_else(|| panic!("{name} is gone"));
        found.extend(breaks(&old, new).into_iter().map(|what| format!("{name}: {what}")));
    }
    let decided: Vec<_> = DECIDED.iter().map(|(what, _why)| (*what).to_owned()).collect();
    assert_eq!(found, decided, "since {}", release.version);
}

/// A definition of one version, with one schema.
fn definition(schema: &Value) -> Value {
    json!({ "spec": {
        "group": "example.dev", "scope": "Namespaced",
        "names": { "kind": "Thing", "plural": "things", "singular": "thing", "shortNames": ["th"] },
        "versions": [{
            "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema },
            "subresources": { "status": {} }, "selectableFields": [{ "jsonPath": ".spec.a" }],
        }],
    }})
}

/// The breaks between two schemas.
fn between(old: Value, new: Value) -> Vec<String> {
    let object = |a: Value| definition(&json!({ "type": "object", "properties": { "a": a } }));
    breaks(&object(old), &object(new))
}

#[test]
fn the_same_breaks_nothing() {
    for definition in tree() {
        assert_eq!(breaks(&definition, &definition), [""; 0]);
    }
}

#[test]
fn what_takes_more_than_before_breaks_nothing() {
    for (old, new) in [
        (json!({ "maxLength": 3 }), json!({ "maxLength": 4 })),
        (json!({ "maxLength": 3 }), json!({})),
        (json!({ "minimum": 3 }), json!({ "minimum": -1 })),
        (json!({ "pattern": "^a$" }), json!({})),
        (json!({ "enum": ["a"] }), json!({ "enum": ["b", "a"] })),
        (json!({ "required": ["x"] }), json!({ "required": [] })),
        (json!({ "required": ["x", "y"] }), json!({ "required": ["y", "x"] })),
        (json!({ "properties": {} }), json!({ "properties": { "x": { "type": "string", "maxLength": 1 } } })),
        (json!({}), json!({ "properties": { "x": { "type": "object", "required": ["y"] } } })),
        (json!({}), json!({ "default": 1 })),
        (json!({}), json!({ "nullable": true })),
        (json!({}), json!({ "x-kubernetes-preserve-unknown-fields": true })),
        (json!({ "description": "a" }), json!({ "description": "b", "title": "c" })),
        (json!({ "x-kubernetes-validations": [{ "rule": "x" }] }), json!({})),
        (
            json!({ "x-kubernetes-validations": [{ "rule": "x", "message": "a" }] }),
            json!({ "x-kubernetes-validations": [{ "rule": "x", "message": "b" }] }),
        ),
    ] {
        assert_eq!(between(old.clone(), new.clone()), [""; 0], "{old} to {new}");
    }
}

#[test]
fn what_refuses_or_changes_what_was_taken_breaks() {
    for (old, new, says) in [
        (json!({ "properties": { "x": {} } }), json!({ "properties": {} }), "v1.a.x: is gone"),
        (json!({ "properties": { "x": {} } }), json!({}), "v1.a.x: is gone"),
        (json!({ "enum": ["b", "c"] }), json!({ "enum": ["b"] }), r#"v1.a: enum: "c" is gone"#),
        (json!({}), json!({ "enum": ["b"] }), "v1.a: enum: is new"),
        (json!({}), json!({ "required": ["x"] }), r#"v1.a: "x" is newly required"#),
        (
            json!({ "type": "string" }),
            json!({ "type": "integer" }),
            r#"v1.a: type: is "integer", and was "string""#,
        ),
        (json!({ "type": "string" }), json!({}), r#"v1.a: type: is null, and was "string""#),
        (json!({ "format": "int32" }), json!({ "format": "int64" }), "v1.a: format: "),
        (json!({ "maxLength": 4 }), json!({ "maxLength": 3 }), "v1.a: maxLength: is 3, and was 4"),
        (json!({}), json!({ "maxItems": 3 }), "v1.a: maxItems: is 3, and there was none"),
        (json!({ "maximum": 4 }), json!({ "maximum": 3 }), "v1.a: maximum: "),
        (json!({ "minimum": 4 }), json!({ "minimum": 5 }), "v1.a: minimum: is 5, and was 4"),
        (json!({}), json!({ "minLength": 1 }), "v1.a: minLength: "),
        (json!({}), json!({ "exclusiveMaximum": true }), "v1.a: exclusiveMaximum: "),
        (json!({}), json!({ "pattern": "^a$" }), "v1.a: pattern: "),
        (json!({ "pattern": "^a$" }), json!({ "pattern": "^b$" }), "v1.a: pattern: "),
        (json!({ "default": 1 }), json!({ "default": 2 }), "v1.a: default: is 2, and was 1"),
        (json!({ "default": 1 }), json!({}), "v1.a: default: "),
        (json!({ "nullable": true }), json!({}), "v1.a: nullable: "),
        (
            json!({ "x-kubernetes-preserve-unknown-fields": true }),
            json!({}),
            "v1.a: x-kubernetes-preserve-unknown-fields: ",
        ),
        (
            json!({ "x-kubernetes-list-type": "atomic" }),
            json!({ "x-kubernetes-list-type": "set" }),
            "v1.a: x-kubernetes-list-type: ",
        ),
        (
            json!({ "x-kubernetes-list-map-keys": ["x"] }),
            json!({ "x-kubernetes-list-map-keys": ["y"] }),
            "v1.a: x-kubernetes-list-map-keys: ",
        ),
        (
            json!({ "x-kubernetes-validations": [{ "rule": "x" }] }),
            json!({ "x-kubernetes-validations": [{ "rule": "x" }, { "rule": "y" }] }),
            r#"v1.a: has a new rule, "y""#,
        ),
        (
            json!({ "items": { "maxLength": 2 } }),
            json!({ "items": { "maxLength": 1 } }),
            "v1.a[]: maxLength: ",
        ),
        (json!({ "items": {} }), json!({}), "v1.a[]: is null"),
        (
            json!({ "additionalProperties": { "type": "string" } }),
            json!({ "additionalProperties": { "type": "integer" } }),
            "v1.a{}: type: ",
        ),
        (json!({}), json!({ "anyOf": [] }), "v1.a: anyOf: "),
    ] {
        let found = between(old.clone(), new.clone());
        assert!(matches!(&found[..], [one] if one.starts_with(says)), "{old} to {new}: {found:?}");
    }
}

#[test]
fn what_a_definition_is_called_and_serves_stays() {
    let old = definition(&json!({ "type": "object" }));
    for (pointer, value, says) in [
        ("/spec/group", json!("other.dev"), "group: "),
        ("/spec/scope", json!("Cluster"), "scope: "),
        ("/spec/names/kind", json!("Other"), "kind: "),
        ("/spec/names/shortNames", json!([]), r#"shortNames: "th" is gone"#),
        ("/spec/versions", json!([]), "v1: is not served any more"),
        ("/spec/versions/0/served", json!(false), "v1: is not served any more"),
        ("/spec/versions/0/storage", json!(false), "v1: storage: "),
        ("/spec/versions/0/subresources", json!({}), "v1: status: "),
        ("/spec/versions/0/selectableFields", json!([]), "v1: selectableFields: "),
    ] {
        let mut new = old.clone();
        *new.pointer_mut(pointer).unwrap() = value;
        let found = breaks(&old, &new);
        assert!(matches!(&found[..], [one] if one.starts_with(says)), "{pointer}: {found:?}");
    }
    let mut new = old.clone();
    new["spec"]["names"]["shortNames"] = json!(["th", "thg"]);
    assert_eq!(breaks(&old, &new), [""; 0]);
}
