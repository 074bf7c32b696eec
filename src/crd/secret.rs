//! Values that manifests take from Secrets.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::Secret;
use secrecy::SecretString;

/// A key of a Secret, in the namespace of whoever refers to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretKey {
    /// The name of the Secret.
    pub name: String,
    /// The key in it.
    pub key: String,
}

impl fmt::Display for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key '{}' of Secret '{}'", self.key, self.name)
    }
}

/// Why a manifest cannot be used although nothing is wrong with it. Heals when the Secret does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// No such Secret.
    #[error("Secret '{0}' does not exist")]
    NoSecret(String),
    /// No such key.
    #[error("Secret '{}' has no key '{}'", .0.name, .0.key)]
    NoKey(SecretKey),
    /// The value cannot be what it has to be. Never quotes it.
    #[error("{key}, which {field} needs: {detail}")]
    Unusable {
        /// Where the value is.
        key: SecretKey,
        /// The field that takes it.
        field: String,
        /// What is wrong.
        detail: String,
    },
}

/// The values that a manifest takes from Secrets, as far as they exist.
#[derive(Clone, Debug, Default)]
pub struct Secrets(BTreeMap<SecretKey, Result<SecretString, Flaw>>);

/// Why there is no value for a key of a Secret that does exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    NoKey,
    NotText,
}

impl Secrets {
    /// No values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the value of `key` from its Secret; from `stringData` before `data`, as the API
    /// server does, since manifests outside a cluster may have it.
    pub fn add(&mut self, key: SecretKey, secret: &Secret) {
        let plain = secret.string_data.as_ref().and_then(|data| data.get(&key.key)).cloned();
        let value = match (plain, secret.data.as_ref().and_then(|data| data.get(&key.key))) {
            (Some(text), _) => Ok(text.into()),
            (None, Some(bytes)) => {
                std::str::from_utf8(&bytes.0).map(SecretString::from).map_err(|_| Flaw::NotText)
            }
            (None, None) => Err(Flaw::NoKey),
        };
        self.0.insert(key, value);
    }

    /// Takes a value that is at hand.
    pub fn insert(&mut self, key: SecretKey, value: SecretString) {
        self.0.insert(key, Ok(value));
    }

    /// The value of `key`, where there is one.
    #[must_use]
    pub fn get(&self, key: &SecretKey) -> Option<&SecretString> {
        self.0.get(key).and_then(|value| value.as_ref().ok())
    }

    /// The value of `key`, which `field` needs.
    pub(super) fn value(&self, key: &SecretKey, field: &str) -> Result<&SecretString, Unresolved> {
        match self.0.get(key) {
            Some(Ok(value)) => Ok(value),
            Some(Err(Flaw::NoKey)) => Err(Unresolved::NoKey(key.clone())),
            Some(Err(Flaw::NotText)) => Err(Unresolved::Unusable {
                key: key.clone(),
                field: field.to_owned(),
                detail: "is not UTF-8 text".to_owned(),
            }),
            None => Err(Unresolved::NoSecret(key.name.clone())),
        }
    }
}
