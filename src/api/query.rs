//! Query parameters: checked, unknown ones refused.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{Kind, Problem};

/// The query of a request.
#[derive(Debug)]
pub(super) struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(parameters) = Query::from_request_parts(parts, state)
            .await
            .map_err(|rejection: QueryRejection| Problem::new(Kind::InvalidField, rejection.body_text()))?;
        Ok(Self(parameters))
    }
}

/// The namespace that a call acts on: `?namespace=`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Namespace(String);

impl Namespace {
    pub(super) fn as_str(&self) -> &str {
        &self.0
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

/// The query of calls that take nothing but a namespace.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scope {
    #[serde(default)]
    pub(super) namespace: Namespace,
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
