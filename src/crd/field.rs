//! The fields of a webhook's spec, as its schema has them.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
use serde_json::Value;

use super::Webhook;

/// A field, with the fields in it: none where it is a value or a list.
#[derive(Clone, Debug)]
pub struct Field {
    /// Where the spec has it, such as `/retry/maxAttempts`.
    pub path: String,
    /// The fields in it.
    pub fields: Vec<Field>,
}

impl Field {
    /// Whether all values in it, or it itself, are so.
    pub fn all(&self, holds: &impl Fn(&str) -> bool) -> bool {
        if self.fields.is_empty() { holds(&self.path) } else { self.fields.iter().all(|it| it.all(holds)) }
    }

    fn of(path: &str, schema: &JSONSchemaProps) -> Self {
        let inner = schema.properties.iter().flatten();
        let fields = inner.map(|(name, schema)| Self::of(&format!("{path}/{name}"), schema)).collect();
        Self { path: path.to_owned(), fields }
    }
}

fn schema() -> Option<&'static JSONSchemaProps> {
    static SPEC: LazyLock<Option<JSONSchemaProps>> = LazyLock::new(|| {
        let schema = Webhook::crd().spec.versions.pop()?.schema?.open_api_v3_schema?;
        schema.properties?.remove("spec")
    });
    SPEC.as_ref()
}

/// The fields of a webhook's spec.
#[must_use]
pub fn webhook_fields() -> &'static [Field] {
    static SPEC: LazyLock<Option<Field>> = LazyLock::new(|| schema().map(|schema| Field::of("", schema)));
    SPEC.as_ref().map_or(&[], |spec| &spec.fields)
}

/// Where a spec has a list in place of an object. Types would be read from it, by the order of their fields.
#[must_use]
pub fn list_for_object(spec: &Value) -> Option<String> {
    list_in_place_of(schema()?, spec, "")
}

fn list_in_place_of(schema: &JSONSchemaProps, value: &Value, path: &str) -> Option<String> {
    match (&schema.properties, &schema.items, value) {
        (Some(_), _, Value::Array(_)) => Some(path.to_owned()),
        (Some(fields), _, Value::Object(values)) => values
            .iter()
            .find_map(|(name, value)| list_in_place_of(fields.get(name)?, value, &format!("{path}/{name}"))),
        (_, Some(JSONSchemaPropsOrArray::Schema(item)), Value::Array(values)) => {
            let mut values = values.iter().enumerate();
            values.find_map(|(index, value)| list_in_place_of(item, value, &format!("{path}/{index}")))
        }
        _ => None,
    }
}

/// Whether a webhook's spec has a field at this path.
#[must_use]
pub fn has_webhook_field(path: &str) -> bool {
    fn is_in(fields: &[Field], path: &str) -> bool {
        fields.iter().any(|field| field.path == path || is_in(&field.fields, path))
    }
    is_in(webhook_fields(), path)
}
