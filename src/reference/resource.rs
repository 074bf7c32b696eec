//! A custom resource: its fields, section by section.

use std::fmt::Write;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use serde_json::Value;

use super::{GENERATED, cell};
use crate::api::webhooks::place_of;

/// How the REST API differs by more than names.
const API: &str = "
In the REST API, `active` is the opposite of `suspend`, `backoff_rate` is a factor rather than a percentage, and fields of lists have \
                   their names in snake_case.
";

/// A section: where its fields are, and what they are part of.
struct Section<'a> {
    /// Such as `spec.request.headers[]`.
    path: String,
    schema: &'a JSONSchemaProps,
}

/// The page of a resource.
pub(super) fn page(definition: &CustomResourceDefinition) -> Option<(String, String)> {
    let spec = &definition.spec;
    let version = spec.versions.first()?;
    let root = version.schema.as_ref()?.open_api_v3_schema.as_ref()?;
    let kind = &spec.names.kind;
    let short = spec.names.short_names.iter().flatten().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    let mut page = format!("# {kind}\n\n{GENERATED}\n\n");
    // Writing to a string cannot fail.
    let _ = writeln!(
        page,
        "`apiVersion: {}/{}`, `kind: {kind}`, for short {}; in a namespace.",
        spec.group,
        version.name,
        short.join(", ")
    );
    if let Some(description) = &root.description {
        let _ = writeln!(page, "\n{}", cell(description));
    }
    if kind == "Webhook" {
        page.push_str(API);
    }
    for name in ["spec", "status"] {
        if let Some(schema) = root.properties.as_ref().and_then(|fields| fields.get(name)) {
            sections(&mut page, kind, &Section { path: name.to_owned(), schema });
        }
    }
    columns(&mut page, definition);
    Some((format!("{}.md", kind.to_lowercase()), page))
}

/// A section, and those of the objects in it.
fn sections(page: &mut String, kind: &str, section: &Section<'_>) {
    let Section { path, schema } = section;
    let _ = write!(page, "\n## {path}\n\n");
    if let Some(description) = &schema.description {
        let _ = write!(page, "{}\n\n", cell(description));
    }
    let in_api = kind == "Webhook" && path.starts_with("spec") && !path.contains("[]");
    let (api, rule) = if in_api { (" In the REST API |", "---|") } else { ("", "") };
    let _ = writeln!(page, "| Field | Type | Default |{api} Meaning |\n|---|---|---|{rule}---|");
    let required = schema.required.as_deref().unwrap_or_default();
    let mut inner = Vec::new();
    for (name, field) in schema.properties.iter().flatten() {
        let (meaning, default) = meaning(field);
        let default = if required.contains(name) { "**required**".to_owned() } else { default };
        let api = if in_api { format!(" `{}` |", place_of(&pointer(path, name))) } else { String::new() };
        let below = below(path, name, field);
        let kind_of_value = below.as_ref().map_or_else(|| kind_of(field), |below| link(field, &below.path));
        let _ = writeln!(page, "| `{name}` | {kind_of_value} | {default} |{api} {meaning} |");
        inner.extend(below);
    }
    for section in inner {
        sections(page, kind, &section);
    }
}

/// The columns of `kubectl get`.
fn columns(page: &mut String, definition: &CustomResourceDefinition) {
    let columns = definition
        .spec
        .versions
        .iter()
        .flat_map(|version| version.additional_printer_columns.iter().flatten());
    page.push_str("\n## kubectl get\n\n| Column | Shown | What it shows |\n|---|---|---|\n");
    for column in columns {
        let wide = if column.priority.unwrap_or_default() > 0 { "with `--output wide`" } else { "always" };
        let _ = writeln!(page, "| `{}` | {wide} | `{}` |", column.name, cell(&column.json_path));
    }
}

/// The section that a field has of its own: of an object, or of the objects of a list.
fn below<'a>(path: &str, name: &str, field: &'a JSONSchemaProps) -> Option<Section<'a>> {
    if field.properties.is_some() {
        return Some(Section { path: format!("{path}.{name}"), schema: field });
    }
    let Some(JSONSchemaPropsOrArray::Schema(items)) = &field.items else { return None };
    items.properties.is_some().then(|| Section { path: format!("{path}.{name}[]"), schema: items })
}

fn link(field: &JSONSchemaProps, section: &str) -> String {
    let kind = if field.items.is_some() { format!("list{}", bounds(field)) } else { "object".to_owned() };
    let anchor: String = section.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    format!("[{kind}](#{anchor})")
}

/// What a value is, and its bounds.
fn kind_of(field: &JSONSchemaProps) -> String {
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &field.items {
        return format!("list of {}{}", kind_of(items), bounds(field));
    }
    if let Some(values) = &field.enum_ {
        let values = values.iter().map(|value| match &value.0 {
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        });
        return values.collect::<Vec<_>>().join(", ");
    }
    let kind = match (field.type_.as_deref(), field.format.as_deref()) {
        (Some("string"), Some("date-time")) => "time (RFC 3339)",
        (Some("object"), _) => "any object",
        (Some(kind), _) => kind,
        (None, _) => "any value",
    };
    format!("{kind}{}", bounds(field))
}

fn bounds(field: &JSONSchemaProps) -> String {
    let (least, most) = match (field.minimum, field.maximum) {
        (None, None) => (
            field.min_length.or(field.min_items).map(|bound| bound.to_string()),
            field.max_length.or(field.max_items).map(|bound| bound.to_string()),
        ),
        (least, most) => (least.map(|bound| bound.to_string()), most.map(|bound| bound.to_string())),
    };
    let unit = match field.type_.as_deref() {
        Some("string") => " characters",
        Some("array") => " entries",
        _ => "",
    };
    match (least, most) {
        (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
        (None, Some(most)) => format!(", at most {most}{unit}"),
        (Some(least), None) => format!(", at least {least}{unit}"),
        (None, None) => String::new(),
    }
}

/// What a field means, and what holds where it is left out.
fn meaning(field: &JSONSchemaProps) -> (String, String) {
    let text = cell(field.description.as_deref().unwrap_or_default());
    let schema = field.default.as_ref().map(|value| format!("`{}`", value.0));
    match text.split_once("Default: ") {
        Some((before, rest)) => {
            let (default, after) = rest.split_once(". ").unwrap_or((rest.trim_end_matches('.'), ""));
            (format!("{before}{after}").trim().to_owned(), default.to_owned())
        }
        None => (text, schema.unwrap_or_default()),
    }
}

/// The place of a field in the spec: `/retry/maxAttempts`.
fn pointer(section: &str, name: &str) -> String {
    format!("{}/{name}", section.trim_start_matches("spec").replace('.', "/"))
}
