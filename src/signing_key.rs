//! New signing keys, for webhooks that bring none.

use hookwright_signature::InvalidSecret;
use secrecy::SecretString;

/// Why there is no new key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system gives no randomness.
    #[error("failed to read the system's random generator: {0}")]
    Entropy(getrandom::Error),
    /// It is not what a key is made of.
    #[error("failed to generate a signing key: {0}")]
    Generate(InvalidSecret),
}

/// A new key, as random as can be.
pub fn generate() -> Result<SecretString, Error> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy).map_err(Error::Entropy)?;
    hookwright_signature::generate(&entropy).map_err(Error::Generate)
}
