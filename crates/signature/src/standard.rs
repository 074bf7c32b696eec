//! Standard Webhooks: `v1,` and the base64 HMAC-SHA256 of `{id}.{timestamp}.{body}`; several
//! signatures, separated by spaces, while a secret is being rotated.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use crate::mac::{self, Code};
use crate::rejection::Rejection;
use crate::secret::{self, InvalidSecret};
use crate::window::Window;

/// The form of a signature.
const FORM: &str = "v1,<base64 of 32 bytes>";
const PREFIX: &str = "v1,";
/// Signatures of one header that are looked at.
const MAX_SIGNATURES: usize = 16;

/// What a receiver takes from the headers of a request.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    /// `webhook-id`
    pub id: &'a str,
    /// `webhook-timestamp`
    pub timestamp: &'a str,
    /// `webhook-signature`
    pub signature: &'a str,
}

/// The value of `webhook-signature`: one signature per secret, in their order.
pub fn sign(
    secrets: &[&SecretString],
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> Result<String, InvalidSecret> {
    let timestamp = timestamp.to_string();
    let mut text = String::new();
    for secret in secrets {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(PREFIX);
        STANDARD.encode_string(code(secret, id, &timestamp, body)?, &mut text);
    }
    Ok(text)
}

/// Whether a secret can sign this scheme.
pub fn check(secret: &SecretString) -> Result<(), InvalidSecret> {
    secret::decoded(secret).map(drop)
}

/// Checks that a request was signed with one of the secrets, at a time within the window.
///
/// Signatures of other versions (`v1a`: asymmetric) are passed over, and so are secrets that are no key
/// of this scheme, as the one before a rotation to it, as long as there is another.
pub fn verify(
    secrets: &[SecretString],
    headers: Headers<'_>,
    body: &[u8],
    window: Window,
) -> Result<(), Rejection> {
    window.admit(headers.timestamp)?;
    let given: Vec<Code> = headers.signature.split(' ').take(MAX_SIGNATURES).filter_map(parse).collect();
    if given.is_empty() {
        return Err(Rejection::MalformedSignature { expected: FORM });
    }
    let (mut expected, mut unusable) = (Vec::with_capacity(secrets.len()), None);
    for secret in secrets {
        match code(secret, headers.id, headers.timestamp, body) {
            Ok(code) => expected.push(code),
            Err(invalid) => unusable = Some(invalid),
        }
    }
    match unusable {
        Some(invalid) if expected.is_empty() => Err(invalid.into()),
        _ if mac::any_equal(&expected, &given) => Ok(()),
        _ => Err(Rejection::Mismatch),
    }
}

fn code(secret: &SecretString, id: &str, timestamp: &str, body: &[u8]) -> Result<Code, InvalidSecret> {
    let key = secret::decoded(secret)?;
    Ok(mac::code(&key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]))
}

fn parse(signature: &str) -> Option<Code> {
    let decoded = STANDARD.decode(signature.strip_prefix(PREFIX)?).ok()?;
    decoded.try_into().ok()
}
