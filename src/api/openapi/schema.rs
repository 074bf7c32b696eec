//! The schemas of the document, from Rust's types.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::api::error::Problem;

/// The schemas by their names. What is taken and what is answered differ: an answer has no field that is null, and
/// lacks none that has a default.
pub(super) struct Schemas {
    inputs: SchemaGenerator,
    outputs: SchemaGenerator,
}

fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    })
}

impl Schemas {
    pub(super) fn new() -> Self {
        let mut schemas = Self {
            inputs: settings().for_deserialize().into_generator(),
            outputs: settings().for_serialize().into_generator(),
        };
        schemas.outputs.subschema_for::<Problem>();
        schemas
    }

    pub(super) fn of_input(&mut self, make: fn(&mut SchemaGenerator) -> Schema) -> Value {
        finished(make(&mut self.inputs).to_value())
    }

    pub(super) fn of_output(&mut self, make: fn(&mut SchemaGenerator) -> Schema) -> Value {
        let mut schema = finished(make(&mut self.outputs).to_value());
        never_null(&mut schema);
        schema
    }

    /// All that the others refer to.
    pub(super) fn finish(mut self) -> Map<String, Value> {
        let mut outputs = self.outputs.take_definitions(true);
        outputs.values_mut().for_each(never_null);
        outputs.extend(self.inputs.take_definitions(true));
        outputs.into_iter().map(|(name, schema)| (name, finished(schema))).collect()
    }
}

/// The fields of a type as query parameters.
pub(super) fn parameters(make: fn(&mut SchemaGenerator) -> Schema) -> Vec<Value> {
    let mut generator = settings().for_deserialize().with(|it| it.inline_subschemas = true).into_generator();
    let mut schema = finished(make(&mut generator).to_value());
    never_null(&mut schema);
    let parameter = |(name, mut schema): (String, Value)| {
        let description = schema.as_object_mut().and_then(|it| it.remove("description"));
        let mut parameter = json!({ "name": name, "in": "query", "schema": schema });
        if let Some(description) = description {
            parameter["description"] = description;
        }
        parameter
    };
    match schema["properties"].take() {
        Value::Object(fields) => fields.into_iter().map(parameter).collect(),
        _ => Vec::new(),
    }
}

/// Without the formats of integers that OpenAPI does not know.
fn finished(mut schema: Value) -> Value {
    each(&mut schema, &mut |schema| {
        let format = match schema.get("format").and_then(Value::as_str) {
            Some("uint" | "uint8" | "uint16" | "uint32") => "int32",
            Some("uint64") => "int64",
            _ => return,
        };
        schema.insert("format".to_owned(), format.into());
    });
    schema
}

/// What is not there is left out.
fn never_null(schema: &mut Value) {
    each(schema, &mut |schema| {
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|it| it != "null");
            if let [only] = &mut types[..] {
                let only = only.take();
                schema.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
            choices.retain(|it| *it != json!({ "type": "null" }));
            if let [Value::Object(only)] = &mut choices[..] {
                let only = std::mem::take(only);
                schema.remove("anyOf");
                schema.extend(only);
            }
        }
    });
}

/// Does something with a schema and with all in it.
pub(super) fn each(schema: &mut Value, what: &mut impl FnMut(&mut Map<String, Value>)) {
    match schema {
        Value::Object(fields) => {
            what(fields);
            fields.values_mut().for_each(|it| each(it, what));
        }
        Value::Array(items) => items.iter_mut().for_each(|it| each(it, what)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A time that a body may leave out.
pub(in crate::api) fn optional_time(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": ["string", "null"], "format": "date-time" })
}

/// A time, as every answer has it.
pub(in crate::api) fn time(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "string", "format": "date-time" })
}
