//! The secret that sender and receiver share.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// What secrets begin with that can sign both schemes.
const PREFIX: &str = "whsec_";

/// Why a secret cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// Standard Webhooks takes its key from the base64 after the prefix.
    #[error("Standard Webhooks needs a secret of the form whsec_<base64>")]
    NotBase64,
    /// Too little or too much randomness for a new secret.
    #[error("a new secret needs 24 to 32 random bytes, not {0}")]
    Entropy(usize),
}

/// A new secret, made of 24 to 32 random bytes from the operating system's generator. It signs
/// both schemes.
pub fn generate(entropy: &[u8]) -> Result<SecretString, InvalidSecret> {
    if !(24..=32).contains(&entropy.len()) {
        return Err(InvalidSecret::Entropy(entropy.len()));
    }
    let mut text = String::with_capacity(PREFIX.len() + entropy.len().div_ceil(3) * 4);
    text.push_str(PREFIX);
    STANDARD.encode_string(entropy, &mut text);
    Ok(text.into())
}

/// The key of the PCF scheme: the whole secret.
pub(crate) fn whole(secret: &SecretString) -> &[u8] {
    secret.expose_secret().as_bytes()
}

/// The key of Standard Webhooks: what the base64 after the prefix stands for.
pub(crate) fn decoded(secret: &SecretString) -> Result<Zeroizing<Vec<u8>>, InvalidSecret> {
    let encoded = secret.expose_secret().strip_prefix(PREFIX).ok_or(InvalidSecret::NotBase64)?;
    let key = STANDARD.decode(encoded).map(Zeroizing::new).map_err(|_| InvalidSecret::NotBase64)?;
    if key.is_empty() { Err(InvalidSecret::NotBase64) } else { Ok(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_secret_carries_all_of_its_entropy() {
        for length in 24_u8..=32 {
            let entropy: Vec<u8> = (0..length).collect();
            let secret = generate(&entropy).unwrap();
            assert_eq!(*decoded(&secret).unwrap(), entropy);
        }
        assert_eq!(generate(&[0; 23]).unwrap_err(), InvalidSecret::Entropy(23));
        assert_eq!(generate(&[0; 33]).unwrap_err(), InvalidSecret::Entropy(33));
    }

    #[test]
    fn a_secret_of_another_form_is_no_key_of_standard_webhooks() {
        for wrong in
            ["your_webhook_secret", "whsec_not base64!", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
        {
            assert_eq!(decoded(&wrong.into()).unwrap_err(), InvalidSecret::NotBase64, "{wrong}");
        }
    }
}
