//! What a request says of a webhook, as a change of the custom resource's spec.
//!
//! ```text
//! body ─ read ─► Change (merge patch of the spec, signing key) ─ apply ─► WebhookSpec ─ check ─► valid
//! ```
//!
//! A new webhook is a change of nothing. Everything that is wrong is told by the pointer that the
//! caller used.

use hookwright_engine::id::WebhookId;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::places;
use crate::api::body::{self, escaped};
use crate::api::error::Problem;
use crate::crd::endpoint;
use crate::crd::secret::{Secrets, Unresolved};
use crate::crd::{Webhook, WebhookSpec, has_webhook_field, list_for_object};

const HEADERS: &str = "/request/headers";
const EXPRESSIONS: &str = "/filters/expressions";
const SECRET: &str = "/config/secret";

/// A change of a webhook.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// A merge patch (RFC 7396) of the spec, with headers by name.
    patch: Value,
    /// A new signing key.
    pub(super) key: Option<SecretString>,
    /// Where the body has what it says: paths of the spec, with their pointers.
    said: Vec<(String, String)>,
    errors: Vec<(String, String)>,
}

impl Change {
    /// Reads a body.
    pub(super) fn read(body: &[u8]) -> Result<Self, Problem> {
        let body = body::parse(body)?;
        if !body.is_object() {
            return Err(Problem::field("", "must be an object"));
        }
        let mut change = Self { patch: json!({}), ..Self::default() };
        change.walk("", body);
        if change.errors.is_empty() { Ok(change) } else { Err(Problem::fields(change.errors)) }
    }

    fn walk(&mut self, pointer: &str, value: Value) {
        match value {
            Value::String(key) if pointer == SECRET => self.key = Some(key.into()),
            _ if pointer == SECRET => self.wrong(pointer, "must be text"),
            Value::Null if !pointer.is_empty() => self.remove(pointer),
            Value::Object(headers) if places::of_resource(pointer).as_deref() == Some(HEADERS) => {
                let headers = self.headers(headers);
                self.set(pointer, HEADERS, headers);
            }
            Value::Object(fields) if !fields.is_empty() => {
                for (name, value) in fields {
                    self.walk(&format!("{pointer}/{}", escaped(&name)), value);
                }
            }
            // Says nothing, where fields may be.
            Value::Object(_) if pointer.is_empty() || places::exists(pointer) => {}
            value => self.leaf(pointer, value),
        }
    }

    fn remove(&mut self, pointer: &str) {
        let places = places::inside(pointer);
        if places.is_empty() && !places::holds(pointer) {
            return self.wrong(pointer, "there is no such field");
        }
        for path in places {
            self.set(pointer, &path, Value::Null);
        }
    }

    fn leaf(&mut self, pointer: &str, value: Value) {
        let Some(path) = places::of_resource(pointer) else {
            return self.wrong(pointer, "there is no such field");
        };
        let converted = match (path.as_str(), value) {
            ("/suspend", Value::Bool(active)) => Ok(Value::Bool(!active)),
            ("/suspend", _) => Err("must be true or false"),
            (HEADERS, _) => Err("must be an object of names and values"),
            (places::BACKOFF, factor) => percent(&factor).ok_or("must be a number such as 2.0"),
            (EXPRESSIONS, Value::Array(items)) => Ok(items.into_iter().enumerate().map(expression).collect()),
            (_, value) => Ok(places::camel_fields(value)),
        };
        match converted {
            Ok(value) => self.set(pointer, &path, value),
            Err(detail) => self.wrong(pointer, detail),
        }
    }

    /// The headers by their names, which differ in more than case.
    fn headers(&mut self, headers: Map<String, Value>) -> Value {
        let mut named = Map::new();
        for (name, value) in headers {
            let item = self.header(&name, value);
            if named.insert(name.to_ascii_lowercase(), item).is_some() {
                self.wrong(&header_pointer(&name), "is there twice");
            }
        }
        Value::Object(named)
    }

    fn header(&mut self, name: &str, value: Value) -> Value {
        match value {
            Value::Null => Value::Null,
            Value::String(value) => json!({ "name": name, "value": value, "valueFrom": null }),
            Value::Object(mut fields) if fields.len() == 1 && fields.contains_key("value_from") => {
                let source = places::camel_fields(fields.remove("value_from").unwrap_or_default());
                json!({ "name": name, "value": null, "valueFrom": source })
            }
            _ => {
                let detail = "must be text, or {\"value_from\": {\"secret_key_ref\": {\"name\", \"key\"}}}";
                self.wrong(&header_pointer(name), detail);
                Value::Null
            }
        }
    }

    /// Sets a field of the patch, unless the body says something else of it elsewhere.
    fn set(&mut self, pointer: &str, path: &str, value: Value) {
        if !has_webhook_field(path) {
            return self.wrong(pointer, "there is no such field");
        }
        let before = self.said.iter().find(|(said, at)| said == path && at != pointer);
        let slot = slot(&mut self.patch, path);
        if let Some((_, at)) = before
            && !slot.is_null()
            && *slot != value
        {
            let detail = format!("says something else than {at}");
            return self.wrong(pointer, detail);
        }
        *slot = value;
        self.said.push((path.to_owned(), pointer.to_owned()));
    }

    fn wrong(&mut self, pointer: &str, detail: impl Into<String>) {
        self.errors.push((pointer.to_owned(), detail.into()));
    }

    /// The spec after this change, in so far as its types say.
    pub(super) fn apply(&self, spec: Option<&WebhookSpec>) -> Result<WebhookSpec, Problem> {
        let mut changed = spec.map_or(Ok(json!({})), serde_json::to_value)?;
        headers_by_name(&mut changed);
        merge(&mut changed, &self.patch);
        headers_in_a_list(&mut changed);
        if changed.get("events").is_none() {
            return Err(Problem::field("/events", "is required"));
        }
        let headers = header_names(&changed);
        if let Some(path) = list_for_object(&changed) {
            return Err(Problem::field(&self.pointer(&path, &headers), "must be an object"));
        }
        let mut unknown = Vec::new();
        let mut note = |path: serde_ignored::Path<'_>| unknown.push(path.to_string().replace(".?", ""));
        let spec = serde_path_to_error::deserialize(serde_ignored::Deserializer::new(changed, &mut note));
        let spec = spec.map_err(|error| {
            let pointer = self.pointer(&error.path().to_string(), &headers);
            Problem::field(&pointer, error.inner().to_string())
        })?;
        match unknown.first() {
            Some(path) => Err(Problem::field(&self.pointer(path, &headers), "there is no such field")),
            None => Ok(spec),
        }
    }

    /// Refuses a webhook that the one door would not let in.
    pub(super) fn check(&self, webhook: &Webhook) -> Result<(), Problem> {
        let id = WebhookId::from_uid(Uuid::nil());
        let mut secrets = Secrets::new();
        if let Some(key) = &self.key {
            if !webhook.generates_signing_key() {
                let detail = "is in the Secret that signing.secret_ref names: give one of the two";
                return Err(Problem::field(SECRET, detail));
            }
            secrets.insert(webhook.signing_key(), key.clone());
        }
        match webhook.endpoint(id, &secrets, None).receiver {
            Err(endpoint::Problem::Unresolved(Unresolved::Unusable { key, detail, .. }))
                if key == webhook.signing_key() =>
            {
                Err(Problem::field(SECRET, detail))
            }
            Err(endpoint::Problem::Invalid(endpoint::Invalid(errors))) => {
                let pointer = |field: &str| self.place(webhook, field);
                Err(Problem::fields(errors.into_iter().map(|error| (pointer(&error.field), error.detail))))
            }
            // Whether its Secrets are there is seen, and said, where they are read.
            Err(endpoint::Problem::Unresolved(_)) | Ok(_) => Ok(()),
        }
    }

    /// Where the body has a field of the object, or would have it.
    pub(super) fn place(&self, webhook: &Webhook, field: &str) -> String {
        let headers = webhook.spec.request.iter().flat_map(|request| &request.headers);
        let names: Vec<_> = headers.map(|header| header.name.clone()).collect();
        self.pointer(field, &names)
    }

    /// Whether the body has a name for the expression at this index.
    fn names_expression(&self, index: &str) -> bool {
        let name = self.patch.pointer(&format!("{EXPRESSIONS}{index}/name"));
        let given = index.trim_start_matches('/').parse().map(places::expression_name);
        name.is_some_and(|name| given.is_ok_and(|given| *name != given))
    }

    fn pointer(&self, field: &str, headers: &[String]) -> String {
        let field = field.trim_start_matches('.');
        let field = field
            .strip_prefix("spec")
            .filter(|rest| !rest.starts_with(char::is_alphanumeric))
            .unwrap_or(field);
        let parts = field.split(['.', '[', ']', '/']).filter(|part| !part.is_empty());
        let path: String = parts.flat_map(|part| ["/", part]).collect();
        if path.is_empty() {
            return "/url".to_owned(); // The one rule of the whole spec: where to send.
        }
        let index = path.strip_prefix(HEADERS).and_then(|rest| rest.split('/').nth(1));
        if let Some(name) = index.and_then(|index| headers.get(index.parse::<usize>().ok()?)) {
            return header_pointer(name);
        }
        if let Some(index) = path.strip_prefix(EXPRESSIONS).and_then(|rest| rest.strip_suffix("/cel"))
            && !self.names_expression(index)
        {
            return format!("{EXPRESSIONS}{index}");
        }
        let said = self.said.iter().filter(|(said, _)| places::is_in(&path, said));
        match said.max_by_key(|(said, _)| said.len()) {
            Some((said, pointer)) => format!("{pointer}{}", places::of_api(&path[said.len()..])),
            None => places::of_api(&path),
        }
    }
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    if let Value::Object(target) = target {
        for (name, value) in fields {
            if value.is_null() {
                target.remove(name);
            } else {
                merge(target.entry(name).or_insert(Value::Null), value);
            }
        }
    }
}

/// The place in a document of objects, made where it is missing.
fn slot<'a>(document: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('/').skip(1).fold(document, |object, name| {
        if !object.is_object() {
            *object = json!({});
        }
        &mut object[name]
    })
}

fn headers_by_name(spec: &mut Value) {
    if let Some(headers) = spec.pointer_mut(HEADERS)
        && let Value::Array(list) = headers.take()
    {
        let named = |item: Value| (item["name"].as_str().unwrap_or_default().to_ascii_lowercase(), item);
        *headers = Value::Object(list.into_iter().map(named).collect::<Map<_, _>>());
    }
}

fn headers_in_a_list(spec: &mut Value) {
    if let Some(headers) = spec.pointer_mut(HEADERS)
        && let Value::Object(named) = headers.take()
    {
        *headers = named.into_iter().map(|(_, item)| item).collect();
    }
}

fn header_names(spec: &Value) -> Vec<String> {
    let list = spec.pointer(HEADERS).and_then(Value::as_array).into_iter().flatten();
    list.map(|item| item["name"].as_str().unwrap_or_default().to_owned()).collect()
}

fn header_pointer(name: &str) -> String {
    format!("/config/headers/{}", escaped(name))
}

/// One with a name, or just its text.
fn expression((index, item): (usize, Value)) -> Value {
    match item {
        Value::Object(_) => places::camel_fields(item),
        text => json!({ "name": places::expression_name(index), "cel": text }),
    }
}

/// A factor as a percentage, where it is a whole one.
fn percent(factor: &Value) -> Option<Value> {
    let percent = factor.as_f64()? * 100.0;
    let whole = percent.round();
    let exact = (percent - whole).abs() < 1e-6 && (0.0..1e9).contains(&whole);
    // Checked just now.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    exact.then(|| Value::from(whole as u64))
}

#[cfg(test)]
mod tests;
