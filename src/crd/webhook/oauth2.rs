//! `spec.request.authorization.oauth2`: where tokens for the receiver come from.

use hookwright_engine::endpoint::{
    ClientCredentials, Parameter as EngineParameter, ReceiverUrl, Scope as EngineScope,
};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SecretKeyRef, Tls};
use crate::crd::rule;
use crate::crd::secret::SecretKey;

/// A token server, and what it is asked for a token with. A token is got when it is needed, serves all requests
/// until shortly before its end, and is replaced once when the receiver answers 401.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rule::exactly_one("clientID", "clientIDRef"),
    validation = rule::tls_needs_https("tokenURL", "tls")
)]
pub struct OAuth2 {
    /// The URL that tokens are asked for at: http or https, without credentials and fragment. The egress policy
    /// of the operator holds for it, too.
    #[serde(rename = "tokenURL")]
    #[schemars(length(min = 1, max = ReceiverUrl::MAX_LEN))]
    #[x_kube(
        validation = rule::url_syntax(), validation = rule::url_credentials("clientSecretRef"),
        validation = rule::url_fragment()
    )]
    pub token_url: String,
    /// Who we are there, readable by everybody who may read this object. Exactly one of `clientID` and
    /// `clientIDRef` is required.
    #[serde(rename = "clientID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = ClientCredentials::MAX_CLIENT_ID_LEN))]
    #[x_kube(validation = rule::printable())]
    pub client_id: Option<String>,
    /// Takes the client's id from a Secret.
    #[serde(rename = "clientIDRef", skip_serializing_if = "Option::is_none")]
    pub client_id_ref: Option<SecretKeyRef>,
    /// Takes the client's secret from a Secret.
    pub client_secret_ref: SecretKeyRef,
    /// How the client says who it is: in the header `Authorization`, with id and secret encoded as RFC 6749,
    /// section 2.3.1, says, or in the body. Default: Basic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_authentication: Option<ClientAuthentication>,
    /// What the token is to allow. Default: what the token server sees fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = EngineScope::MAX), inner(length(min = 1, max = EngineScope::MAX_LEN)))]
    #[x_kube(merge_strategy = ListMerge::Set, validation = rule::scopes())]
    pub scopes: Option<Vec<String>>,
    /// What else the token server wants to know, such as an `audience` or a `resource`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = EngineParameter::MAX))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub parameters: Option<Vec<Parameter>>,
    /// How TLS sessions with the token server differ from the usual ones. Those with the receiver are another
    /// matter: `spec.tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// How a client says who it is.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// In the header `Authorization`.
    #[default]
    Basic,
    /// In the body.
    Post,
}

/// A field of the request for a token.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Parameter {
    /// The name. Those that every request for a token has are refused.
    #[schemars(length(min = 1, max = EngineParameter::MAX_NAME_LEN))]
    #[x_kube(validation = rule::plain_name(), validation = rule::parameter_not_reserved())]
    pub name: String,
    /// The value, readable by everybody who may read this object.
    #[schemars(length(max = EngineParameter::MAX_VALUE_LEN))]
    #[x_kube(validation = rule::without_control_characters())]
    pub value: String,
}

impl OAuth2 {
    /// The keys of Secrets that it needs.
    #[must_use]
    pub fn references(&self) -> Vec<SecretKey> {
        let client = self.client_id_ref.iter().chain([&self.client_secret_ref]).map(SecretKey::from);
        client.chain(self.tls.iter().flat_map(Tls::references)).collect()
    }
}
