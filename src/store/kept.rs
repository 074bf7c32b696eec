//! Webhooks that are kept here, as there is no cluster to keep them in.

use hookwright_engine::endpoint::PreviousKey;
use hookwright_engine::time::Time;
use secrecy::SecretString;

/// A webhook that was made through the REST API without a cluster, with its signing keys: there is
/// no Secret that could hold them.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its namespace.
    pub namespace: String,
    /// Its name in there.
    pub name: String,
    /// Its spec, as JSON.
    pub spec: String,
    /// Counts the specs it has had.
    pub generation: i64,
    /// When it was made.
    pub created: Time,
    /// Its signing key, unless its spec has named a Secret for that all along.
    pub key: Option<SecretString>,
    /// The signing key before, while it signs beside this one.
    pub previous: Option<PreviousKey>,
}
