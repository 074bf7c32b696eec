//! What a release may change of a custom resource definition: an object that the last one took is taken by the next,
//! unchanged, and means the same.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Keywords of a schema that validate nothing.
const PROSE: [&str; 4] = ["description", "title", "example", "externalDocs"];

/// Keywords whose number may grow, or go.
const UPPER: [&str; 4] = ["maxLength", "maxItems", "maxProperties", "maximum"];

/// Keywords whose number may shrink, or go.
const LOWER: [&str; 4] = ["minLength", "minItems", "minProperties", "minimum"];

/// What breaks in a definition, a line for each: where, and what.
pub fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for field in ["group", "scope", "conversion"] {
        same(&old["spec"][field], &new["spec"][field], field, &mut found);
    }
    for field in ["kind", "listKind", "plural", "singular"] {
        same(&old["spec"]["names"][field], &new["spec"]["names"][field], field, &mut found);
    }
    for field in ["shortNames", "categories"] {
        kept(&old["spec"]["names"][field], &new["spec"]["names"][field], field, &mut found);
    }
    for version in list(&old["spec"]["versions"]).iter().filter(|it| it["served"] == true) {
        let name = version["name"].as_str().unwrap();
        let served = |it: &&Value| it["name"] == name && it["served"] == true;
        match list(&new["spec"]["versions"]).iter().find(served) {
            Some(now) => version_breaks(version, now, name, &mut found),
            None => found.push(format!("{name}: is not served any more")),
        }
    }
    found
}

fn version_breaks(old: &Value, new: &Value, name: &str, found: &mut Vec<String>) {
    same(&old["storage"], &new["storage"], &format!("{name}: storage"), found);
    kept(&old["selectableFields"], &new["selectableFields"], &format!("{name}: selectableFields"), found);
    for (subresource, what) in old["subresources"].as_object().into_iter().flatten() {
        same(what, &new["subresources"][subresource], &format!("{name}: {subresource}"), found);
    }
    let schema = |version: &Value| version["schema"]["openAPIV3Schema"].as_object().unwrap().clone();
    schema_breaks(&schema(old), &schema(new), name, found);
}

/// Compares two schemas, keyword by keyword. One that it does not know may not change.
fn schema_breaks(old: &Map<String, Value>, new: &Map<String, Value>, path: &str, found: &mut Vec<String>) {
    let keywords: BTreeSet<_> = old.keys().chain(new.keys()).map(String::as_str).collect();
    for keyword in keywords {
        let (was, is) = (old.get(keyword), new.get(keyword));
        let at = format!("{path}: {keyword}");
        match keyword {
            _ if was == is || PROSE.contains(&keyword) => {}
            "properties" => property_breaks(was, is, path, found),
            "items" => nested_breaks(was, is, &format!("{path}[]"), found),
            "additionalProperties" => nested_breaks(was, is, &format!("{path}{{}}"), found),
            "required" => absent(is, was, |it| format!("{path}: {it} is newly required"), found),
            "enum" if was.is_some() => absent(was, is, |it| format!("{at}: {it} is gone"), found),
            "enum" => found.push(format!("{at}: is new")),
            "x-kubernetes-validations" => rule_breaks(was, is, path, found),
            _ if UPPER.contains(&keyword) => bound(was, is, |was, is| is >= was, &at, found),
            _ if LOWER.contains(&keyword) => bound(was, is, |was, is| is <= was, &at, found),
            "pattern" | "multipleOf" | "uniqueItems" if is.is_none() => {}
            "nullable" | "x-kubernetes-preserve-unknown-fields" if is == Some(&Value::Bool(true)) => {}
            "default" if was.is_none() => {}
            _ => same(was.unwrap_or(&Value::Null), is.unwrap_or(&Value::Null), &at, found),
        }
    }
}

fn property_breaks(old: Option<&Value>, new: Option<&Value>, path: &str, found: &mut Vec<String>) {
    let none = Map::new();
    let properties = |it: Option<&Value>| it.and_then(Value::as_object).unwrap_or(&none).clone();
    let new = properties(new);
    for (name, was) in properties(old) {
        let path = format!("{path}.{name}");
        match new.get(&name) {
            Some(is) => nested_breaks(Some(&was), Some(is), &path, found),
            None => found.push(format!("{path}: is gone")),
        }
    }
}

/// Compares what is both times a schema; else it may not change.
fn nested_breaks(old: Option<&Value>, new: Option<&Value>, path: &str, found: &mut Vec<String>) {
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => schema_breaks(old, new, path, found),
        (old, new) => same(old.unwrap_or(&Value::Null), new.unwrap_or(&Value::Null), path, found),
    }
}

/// A rule counts by its text: another text may refuse what was taken.
fn rule_breaks(old: Option<&Value>, new: Option<&Value>, path: &str, found: &mut Vec<String>) {
    let rules =
        |it: Option<&Value>| list(it.unwrap_or(&Value::Null)).iter().map(|it| it["rule"].clone()).collect();
    let (old, new): (Value, Value) = (rules(old), rules(new));
    absent(Some(&new), Some(&old), |rule| format!("{path}: has a new rule, {rule}"), found);
}

/// A number that only may move to one side.
fn bound(
    old: Option<&Value>,
    new: Option<&Value>,
    wider: fn(f64, f64) -> bool,
    at: &str,
    found: &mut Vec<String>,
) {
    let number = |it: Option<&Value>| it.and_then(Value::as_f64);
    match (number(old), number(new)) {
        (_, None) => {}
        (Some(was), Some(is)) if wider(was, is) => {}
        (Some(was), Some(is)) => found.push(format!("{at}: is {is}, and was {was}")),
        (None, Some(is)) => found.push(format!("{at}: is {is}, and there was none")),
    }
}

fn same(old: &Value, new: &Value, at: &str, found: &mut Vec<String>) {
    if old != new {
        found.push(format!("{at}: is {new}, and was {old}"));
    }
}

fn kept(old: &Value, new: &Value, at: &str, found: &mut Vec<String>) {
    absent(Some(old), Some(new), |it| format!("{at}: {it} is gone"), found);
}

/// What one list has and the other lacks.
fn absent(
    of: Option<&Value>,
    from: Option<&Value>,
    says: impl Fn(&Value) -> String,
    found: &mut Vec<String>,
) {
    let from = from.map_or(&[][..], list);
    found.extend(of.map_or(&[][..], list).iter().filter(|it| !from.contains(it)).map(says));
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
