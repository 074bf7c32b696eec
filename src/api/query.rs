//! Query parameters: checked, unknown ones refused.

use std::borrow::Cow;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::auth::Admitted;
use super::error::{Kind, Problem};

/// A call that was let in, with parameters of its own beside `namespace`.
#[derive(Debug)]
pub(super) struct Call<T = Nothing> {
    /// What it acts on, with the right to.
    pub(super) namespace: Namespace,
    /// The rest of its query.
    pub(super) parameters: T,
}

/// No further parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Call<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(admitted) = parts.extensions.get::<Admitted>() else {
            tracing::error!(path = parts.uri.path(), "a handler asks for a right that its route does not");
            return Err(Problem::new(Kind::Internal, "this is a defect of Hookwright"));
        };
        let namespace = admitted.namespace().clone();
        let invalid = |rejection: QueryRejection| Problem::new(Kind::InvalidField, rejection.body_text());
        let Query(parameters) = Query::try_from_uri(&without_namespace(&parts.uri)).map_err(invalid)?;
        Ok(Self { namespace, parameters })
    }
}

/// The parameter that every call on a namespace has.
const NAMESPACE: &str = "namespace";

fn without_namespace(uri: &Uri) -> Uri {
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let others = query.filter(|(name, _)| name != NAMESPACE);
    let others = form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish();
    // What was encoded just now is a URI.
    format!("/?{others}").parse().unwrap_or_default()
}

/// The namespace that a call acts on: that of `?namespace=`, else the caller's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Namespace(String);

impl Namespace {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The namespace that a query names.
    pub(super) fn of(uri: &Uri) -> Result<Option<Self>, Problem> {
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let mut named = query.filter(|(name, _)| name == NAMESPACE);
        let invalid =
            |detail| Problem::new(Kind::InvalidField, format!("query parameter namespace: {detail}"));
        match (named.next(), named.next()) {
            (None, _) => Ok(None),
            (Some((_, name)), None) => name.into_owned().try_into().map(Some).map_err(invalid),
            (Some(_), Some(_)) => Err(invalid("is there more than once".to_owned())),
        }
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl TryFrom<String> for Namespace {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=63).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text));
        }
        Err("a namespace is 1 to 63 characters of a-z 0-9 -".to_owned())
    }
}

/// Entries listed where the caller does not say how many.
const DEFAULT_LIMIT: u32 = 50;
/// Most entries listed at once.
const MAX_LIMIT: u32 = 500;

/// How many entries to list at most: `?limit=`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u32")]
pub(super) struct Limit(u32);

impl Limit {
    pub(super) const fn get(self) -> u32 {
        self.0
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT,
            "description": "How many entries to list at most.",
        })
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(DEFAULT_LIMIT)
    }
}

impl TryFrom<u32> for Limit {
    type Error = String;

    fn try_from(limit: u32) -> Result<Self, String> {
        if (1..=MAX_LIMIT).contains(&limit) {
            return Ok(Self(limit));
        }
        Err(format!("limit must be 1 to {MAX_LIMIT}, not {limit}"))
    }
}
