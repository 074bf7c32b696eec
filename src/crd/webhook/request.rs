//! What the request looks like.

use hookwright_engine::endpoint::Header as EngineHeader;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OAuth2, SecretKeyRef, ValueSource};
use crate::crd::rule;
use crate::crd::secret::SecretKey;

/// Longest user name, in characters.
pub const MAX_USERNAME: usize = 256;

/// What the request looks like.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rule::authorization_is_there_once())]
pub struct Request {
    /// How the body is written: the event as JSON, or as a form whose field `payload` is that JSON.
    /// Default: application/json.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<ContentType>,
    /// Headers of the webhook's own: at most 64, and 8 KiB in all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = EngineHeader::MAX))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = rule::headers_unique(), validation = rule::headers_total()
    )]
    pub headers: Vec<Header>,
    /// How requests say who sends them, in the header `Authorization`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
}

/// How a body is written.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContentType {
    /// The event as a JSON object.
    #[default]
    #[serde(rename = "application/json")]
    Json,
    /// `payload=` and the percent-encoded JSON object.
    #[serde(rename = "application/x-www-form-urlencoded")]
    Form,
}

/// A header sent with every request.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rule::exactly_one("value", "valueFrom"))]
pub struct Header {
    /// The name. Headers that Hookwright or HTTP itself sets are refused.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(validation = rule::header_name(), validation = rule::header_not_reserved())]
    pub name: String,
    /// The value, readable by everybody who may read this object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    #[x_kube(validation = rule::header_value())]
    pub value: Option<String>,
    /// Takes the value from a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ValueSource>,
}

/// How requests say who sends them.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rule::exactly_one_of(["basic", "bearer", "oauth2"]))]
pub struct Authorization {
    /// By a user name and a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
    /// By a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer: Option<Bearer>,
    /// By a token that a token server gives: OAuth 2.0 client credentials (RFC 6749, section 4.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<OAuth2>,
}

/// A user name and a password.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rule::exactly_one("username", "usernameRef"))]
pub struct Basic {
    /// The user name, readable by everybody who may read this object. Exactly one of `username` and
    /// `usernameRef` is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_USERNAME))]
    #[x_kube(validation = rule::username())]
    pub username: Option<String>,
    /// Takes the user name from a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username_ref: Option<SecretKeyRef>,
    /// Takes the password from a Secret.
    pub password_ref: SecretKeyRef,
}

/// A token.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Bearer {
    /// Takes the token from a Secret: the token alone, without `Bearer`.
    pub token_ref: SecretKeyRef,
}

impl Authorization {
    /// The keys of Secrets that it needs.
    #[must_use]
    pub fn references(&self) -> Vec<SecretKey> {
        let Self { basic, bearer, oauth2 } = self;
        let user = basic.iter().flat_map(|basic| basic.username_ref.iter().chain([&basic.password_ref]));
        let values = user.chain(bearer.iter().map(|bearer| &bearer.token_ref)).map(SecretKey::from);
        values.chain(oauth2.iter().flat_map(OAuth2::references)).collect()
    }
}
