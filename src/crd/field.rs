//! The fields of a webhook's spec, as its schema has them.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use kube::CustomResourceExt;

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

/// The fields of a webhook's spec.
#[must_use]
pub fn webhook_fields() -> &'static [Field] {
    static SPEC: LazyLock<Option<Field>> = LazyLock::new(|| {
        let schema = Webhook::crd().spec.versions.pop()?.schema?.open_api_v3_schema?;
        Some(Field::of("", &schema.properties?.remove("spec")?))
    });
    SPEC.as_ref().map_or(&[], |spec| &spec.fields)
}

/// Whether a webhook's spec has a field at this path.
#[must_use]
pub fn has_webhook_field(path: &str) -> bool {
    fn is_in(fields: &[Field], path: &str) -> bool {
        fields.iter().any(|field| field.path == path || is_in(&field.fields, path))
    }
    is_in(webhook_fields(), path)
}
