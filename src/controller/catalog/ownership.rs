//! Who owns which fields of an object, and what to apply so that this stays so. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Map, Value, json};

use super::FIELD_MANAGER;

/// What of the spec `wanted` is to be applied: what differs from the spec `before`, and what the
/// REST API owns already. The rest stays with those who own it.
pub(super) fn to_apply(wanted: &Value, before: &Value, managed: &[ManagedFieldsEntry]) -> Value {
    let ours = managed.iter().find(|entry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().is_none_or(str::is_empty)
    });
    pick(wanted, Some(before), ours.and_then(spec_fields)).unwrap_or_else(|| json!({}))
}

fn spec_fields(entry: &ManagedFieldsEntry) -> Option<&Value> {
    entry.fields_v1.as_ref()?.0.get("f:spec")
}

/// The part of `wanted` that differs from `before` or is `owned`; `None` when there is none.
fn pick(wanted: &Value, before: Option<&Value>, owned: Option<&Value>) -> Option<Value> {
    match wanted {
        Value::Object(fields) if !fields.is_empty() => {
            let picked = fields.iter().filter_map(|(name, value)| {
                let before = before.and_then(|before| before.get(name));
                let owned = owned.and_then(|owned| owned.get(format!("f:{name}")));
                Some((name.clone(), pick(value, before, owned)?))
            });
            let picked: Map<_, _> = picked.collect();
            (!picked.is_empty()).then_some(Value::Object(picked))
        }
        // A list of named items is as many fields.
        Value::Array(items) if !items.is_empty() && items.iter().all(|item| item["name"].is_string()) => {
            let picked = items.iter().filter(|item| {
                let before = before.and_then(|before| named(before, &item["name"]));
                let key = format!("k:{}", json!({ "name": item["name"] }));
                before != Some(item) || owned.is_some_and(|owned| owned.get(key).is_some())
            });
            let picked: Vec<_> = picked.cloned().collect();
            (!picked.is_empty()).then_some(Value::Array(picked))
        }
        value => (before != Some(value) || owned.is_some()).then(|| value.clone()),
    }
}

fn named<'a>(list: &'a Value, name: &Value) -> Option<&'a Value> {
    list.as_array()?.iter().find(|item| item["name"] == *name)
}

/// The path of the first field that is not as `wanted`, whatever the order of named items.
pub(super) fn difference(is: &Value, wanted: &Value) -> Option<Vec<String>> {
    match (is, wanted) {
        (Value::Object(is), Value::Object(wanted)) => {
            let mut names = is.keys().chain(wanted.keys());
            names.find_map(|name| {
                let field = |of: &Map<String, Value>| of.get(name).cloned().unwrap_or(Value::Null);
                let inner = difference(&field(is), &field(wanted));
                inner.map(|path| std::iter::once(name.clone()).chain(path).collect())
            })
        }
        (Value::Array(is), Value::Array(wanted)) => {
            let same = is.len() == wanted.len() && is.iter().all(|item| wanted.contains(item));
            let ordered = is.iter().any(|item| !item["name"].is_string());
            (!same || (ordered && is != wanted)).then(Vec::new)
        }
        // An object without fields says nothing.
        (Value::Object(fields), Value::Null) | (Value::Null, Value::Object(fields)) if fields.is_empty() => {
            None
        }
        (is, wanted) => (is != wanted).then(Vec::new),
    }
}

/// Who else owns the field at `path` of the spec, or what is inside of it.
pub(super) fn owner<'a>(managed: &'a [ManagedFieldsEntry], path: &[String]) -> Option<&'a str> {
    let owns = |entry: &&ManagedFieldsEntry| {
        let mut fields = spec_fields(entry);
        for name in path {
            fields = fields.and_then(|fields| fields.get(format!("f:{name}")));
        }
        fields.is_some()
    };
    let others = managed.iter().filter(|entry| {
        entry.manager.as_deref() != Some(FIELD_MANAGER) || entry.operation.as_deref() != Some("Apply")
    });
    others.filter(owns).find_map(|entry| entry.manager.as_deref())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::FieldsV1;

    use super::*;

    fn entry(manager: &str, fields: &Value) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: Some(manager.to_owned()),
            operation: Some("Apply".to_owned()),
            fields_v1: Some(FieldsV1(json!({ "f:spec": fields }))),
            ..ManagedFieldsEntry::default()
        }
    }

    #[test]
    fn what_others_own_is_applied_only_where_it_is_to_change() {
        let before = json!({
            "url": "u", "suspend": false, "retry": { "maxAttempts": 3, "enabled": true },
            "request": { "headers": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }] },
        });
        let managed = [
            entry("gitops", &json!({ "f:url": {}, "f:retry": { "f:maxAttempts": {}, "f:enabled": {} } })),
            entry(
                FIELD_MANAGER,
                &json!({
                    "f:suspend": {}, "f:request": { "f:headers": { "k:{\"name\":\"A\"}": { "f:value": {} } } },
                }),
            ),
        ];
        assert_eq!(
            to_apply(&before, &before, &managed),
            json!({ "suspend": false, "request": { "headers": [{ "name": "A", "value": "1" }] } })
        );
        let mut wanted = before.clone();
        wanted["retry"]["maxAttempts"] = json!(4);
        assert_eq!(to_apply(&wanted, &before, &managed)["retry"], json!({ "maxAttempts": 4 }));
        assert_eq!(to_apply(&wanted, &before, &[]), json!({ "retry": { "maxAttempts": 4 } }));
        assert_eq!(to_apply(&before, &before, &[]), json!({}));
    }

    #[test]
    fn what_could_not_be_removed_is_found_together_with_its_owner() {
        let is = json!({ "url": "u", "retry": { "enabled": true }, "timeouts": {} });
        let path = difference(&is, &json!({ "url": "u" })).unwrap();
        assert_eq!(path, ["retry"]);
        let managed =
            [entry(FIELD_MANAGER, &json!({ "f:retry": {} })), entry("gitops", &json!({ "f:retry": {} }))];
        assert_eq!(owner(&managed, &path), Some("gitops"));
        assert_eq!(owner(&managed, &["url".to_owned()]), None);
        let list = |names: &[&str]| names.iter().map(|name| json!({ "name": name })).collect::<Value>();
        assert_eq!(difference(&list(&["a", "b"]), &list(&["b", "a"])), None);
        assert_eq!(difference(&json!(["a", "b"]), &json!(["b", "a"])), Some(vec![]));
    }
}
