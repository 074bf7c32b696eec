//! How TLS sessions with a receiver differ from the usual ones.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::crd::secret::SecretKey;
use crate::crd::{rule, schema};

/// The key of a Secret that holds certificates of authorities, unless the webhook names another.
const CA_KEY: &str = "ca.crt";

/// How TLS sessions with a receiver differ from the usual ones, in which the authorities of the operator's
/// system vouch for the receiver, and nobody vouches for us.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rule::authorities_are_asked())]
pub struct Tls {
    /// Whether to send to whoever answers, without looking whose certificate it is. Signatures and
    /// headers can then be read by whoever is in between: for tests only.
    #[serde(default)]
    pub insecure_skip_verify: bool,
    /// The authorities that vouch for the receiver, and no others: a Secret with certificates in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_ref: Option<CaRef>,
    /// Our certificate, for receivers that ask for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert_ref: Option<CertificateRef>,
}

impl Tls {
    /// The keys of Secrets that it needs.
    #[must_use]
    pub fn references(&self) -> Vec<SecretKey> {
        let authorities = self.ca_ref.as_ref().map(CaRef::key);
        let identity = self.client_cert_ref.as_ref().map(|certificate| <[_; 2]>::from(certificate.keys()));
        authorities.into_iter().chain(identity.into_iter().flatten()).collect()
    }
}

/// The key of a Secret that holds certificates of authorities.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CaRef {
    /// The name of the Secret, in the namespace of the webhook.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// The key in it. Default: ca.crt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::secret_key")]
    pub key: Option<String>,
}

impl CaRef {
    /// Where the certificates are.
    #[must_use]
    pub fn key(&self) -> SecretKey {
        SecretKey { name: self.name.clone(), key: self.key.as_deref().unwrap_or(CA_KEY).to_owned() }
    }
}

/// A Secret that holds a certificate and its key.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CertificateRef {
    /// The name of the Secret, in the namespace of the webhook. Its keys are `tls.crt` and `tls.key`, as in
    /// Secrets of the type `kubernetes.io/tls`.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}

impl CertificateRef {
    /// Where the certificate is, and where its key is.
    #[must_use]
    pub fn keys(&self) -> (SecretKey, SecretKey) {
        let key = |key: &str| SecretKey { name: self.name.clone(), key: key.to_owned() };
        (key("tls.crt"), key("tls.key"))
    }
}
