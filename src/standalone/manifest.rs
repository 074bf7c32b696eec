//! Manifests: the objects that a file holds.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::table::{generation, webhook_id};
use crate::crd::{Webhook, WebhookDelivery};

/// An object of a manifest.
#[derive(Debug)]
pub(super) enum Object {
    Webhook(Box<Webhook>),
    Secret(Box<Secret>),
    Delivery(Box<WebhookDelivery>),
}

/// A manifest: where it is, what it is called, and the object.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) source: Source,
    pub(super) identity: Identity,
    pub(super) object: Object,
}

/// The place of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A document, counted from 1, of a file.
    File { file: Arc<str>, document: usize },
    /// The database: the REST API made it.
    Database,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, document } => write!(f, "{file}, document {document}"),
            Self::Database => f.write_str("the database"),
        }
    }
}

/// What an object is called. Each kind has its own names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Identity {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Identity {
    /// What a webhook is called.
    pub(super) fn of(webhook: &Webhook) -> Self {
        let ObjectMeta { namespace, name, .. } = &webhook.metadata;
        Self {
            namespace: namespace.as_deref().unwrap_or("default").to_owned(),
            name: name.clone().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Why a file is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source}: {detail}", source = .0, detail = .1)]
pub(super) struct Unreadable(pub(super) Source, pub(super) String);

/// Reads all manifests of a file, which is YAML unless its name ends in `.json`.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Manifest>, Unreadable> {
    if Path::new(file).extension().is_some_and(|extension| extension == "json") {
        let documents = serde_json::Deserializer::from_str(text).into_iter();
        return collect(file, documents.map(|document| document.map_err(|error| error.to_string())));
    }
    let documents = serde_yaml::Deserializer::from_str(text);
    collect(file, documents.map(|document| Value::deserialize(document).map_err(|error| error.to_string())))
}

/// Reads documents up to the first that is wrong: behind it, a parser may find errors without end.
fn collect(
    file: &str,
    documents: impl Iterator<Item = Result<Value, String>>,
) -> Result<Vec<Manifest>, Unreadable> {
    let file: Arc<str> = file.into();
    let mut manifests = Vec::new();
    for (document, content) in (1..).zip(documents) {
        let source = Source::File { file: Arc::clone(&file), document };
        match content.and_then(object) {
            Ok(Some((identity, object))) => manifests.push(Manifest { source, identity, object }),
            Ok(None) => {}
            Err(detail) => return Err(Unreadable(source, detail)),
        }
    }
    Ok(manifests)
}

/// What every manifest begins with.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: String,
    kind: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: Option<String>,
}

/// The object of a document; none between two separators, or where there are only comments.
fn object(content: Value) -> Result<Option<(Identity, Object)>, String> {
    if content.is_null() {
        return Ok(None);
    }
    let Head { api_version, kind, metadata } =
        Head::deserialize(&content).map_err(|error| format!("not a manifest: {error}"))?;
    let namespace = metadata.namespace.unwrap_or_else(|| "default".to_owned());
    let identity = Identity { namespace, name: metadata.name };
    let of = |detail| format!("{kind} {identity}: {detail}");
    check_names(&identity).map_err(of)?;
    let object = match (api_version.as_str(), kind.as_str()) {
        ("hookwright.dev/v1alpha1", "Webhook") => {
            let mut webhook: Webhook = typed(content, Quote::Values).map_err(of)?;
            webhook.metadata.namespace = Some(identity.namespace.clone());
            webhook.metadata.uid = Some(webhook_id(&identity).uid().to_string());
            webhook.metadata.generation = Some(generation(&webhook));
            Object::Webhook(Box::new(webhook))
        }
        ("hookwright.dev/v1alpha1", "WebhookDelivery") => {
            Object::Delivery(Box::new(typed(content, Quote::Values).map_err(of)?))
        }
        ("v1", "Secret") => Object::Secret(Box::new(typed(content, Quote::Nothing).map_err(of)?)),
        _ => {
            return Err(of(format!(
                "{api_version} {kind} is not used here: Webhook and WebhookDelivery of \
                 hookwright.dev/v1alpha1 are, and Secret of v1"
            )));
        }
    };
    Ok(Some((identity, object)))
}

/// The names that Kubernetes would accept.
fn check_names(identity: &Identity) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let Identity { namespace, name } = identity;
    if !(1..=63).contains(&namespace.len()) || !namespace.bytes().all(plain) {
        return Err("metadata.namespace: must be 1 to 63 characters of a-z 0-9 -".to_owned());
    }
    if !(1..=253).contains(&name.len()) || !name.bytes().all(|b| plain(b) || b == b'.') {
        return Err("metadata.name: must be 1 to 253 characters of a-z 0-9 - .".to_owned());
    }
    Ok(())
}

/// Whether an error may show values of the manifest.
#[derive(Clone, Copy)]
enum Quote {
    Values,
    Nothing,
}

/// The object, if it has its type's fields and no others.
fn typed<T: DeserializeOwned>(content: Value, quote: Quote) -> Result<T, String> {
    let mut unknown = Vec::new();
    let mut note = |path: serde_ignored::Path<'_>| unknown.push(path.to_string().replace(".?", ""));
    let object = serde_path_to_error::deserialize(serde_ignored::Deserializer::new(content, &mut note))
        .map_err(|error| match quote {
            Quote::Values => format!("{}: {}", error.path(), error.inner()),
            Quote::Nothing => format!("{}: is not of the right type", error.path()),
        })?;
    unknown.retain(|path| !matches!(path.as_str(), "apiVersion" | "kind"));
    match unknown.first() {
        Some(path) => Err(format!("{path}: there is no such field")),
        None => Ok(object),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBHOOK: &str = "apiVersion: hookwright.dev/v1alpha1\nkind: Webhook\nmetadata: {name: orders}\n";

    fn error(text: &str) -> String {
        parse("shop.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_file_holds_any_number_of_manifests() {
        let text = format!(
            "# Only a comment.\n---\n{WEBHOOK}spec: {{url: 'http://a.example', events: ['*']}}\n---\n\
             apiVersion: v1\nkind: Secret\nmetadata: {{name: key, namespace: shop}}\nstringData: {{secret: s}}\n"
        );
        let manifests = parse("shop.yaml", &text).unwrap();
        let names: Vec<_> = manifests.iter().map(|it| format!("{} {}", it.source, it.identity)).collect();
        assert_eq!(names, ["shop.yaml, document 1 default/orders", "shop.yaml, document 2 shop/key"]);
        let json = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}}
            {"apiVersion":"v1","kind":"Secret","metadata":{"name":"b"}}"#;
        assert_eq!(parse("keys.json", json).unwrap().len(), 2);
        assert!(parse("empty.yaml", "").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_file_object_and_field() {
        for (tail, says) in [
            ("spec: {events: ['*'], url: 7}", "Webhook default/orders: spec.url: invalid type"),
            ("spec: {events: ['*'], urll: x}", "Webhook default/orders: spec.urll: there is no such field"),
            ("spec: {url: x}", "Webhook default/orders: spec: missing field `events`"),
            ("spec: {retry: {maxAtempts: 1}, events: []}", "spec.retry.maxAtempts: there is no such field"),
            ("", "Webhook default/orders: .: missing field `spec`"),
        ] {
            let error = error(&format!("---\n---\n{WEBHOOK}{tail}"));
            assert!(error.starts_with("shop.yaml, document 2: ") && error.contains(says), "{error}");
        }
        assert!(error("kind: Webhook").contains("not a manifest: missing field `apiVersion`"));
        assert!(error("{half: [written").starts_with("shop.yaml, document 1: "));
        assert!(error(&WEBHOOK.replace("orders", "Orders")).contains("Orders: metadata.name: must be"));
        assert!(error(&WEBHOOK.replace("v1alpha1", "v9")).contains("hookwright.dev/v9 Webhook is not used"));
    }

    #[test]
    fn an_error_in_a_secret_shows_no_values() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\n";
        for tail in ["stringData: {secret: 314159}", "data: {secret: '314159!'}", "stringData: 314159"] {
            let error = error(&format!("{secret}{tail}"));
            assert!(error.contains("Secret default/key: ") && !error.contains("314159"), "{error}");
        }
    }
}
