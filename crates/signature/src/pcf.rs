//! The PCF scheme: `sha256=` and the hexadecimal HMAC-SHA256 of `{timestamp}.{body}`.
//!
//! While a secret is being rotated, the new one signs `X-PCF-Signature` and the old one
//! `X-PCF-Signature-Previous`, so that a verifier which compares one value of fixed length works.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use secrecy::SecretString;

use crate::mac::{self, Code};
use crate::rejection::Rejection;
use crate::secret;
use crate::window::Window;

/// The form of a signature.
const FORM: &str = "sha256=<64 hexadecimal digits, in lower case>";
const PREFIX: &str = "sha256=";

/// What a receiver takes from the headers of a request.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    /// `X-PCF-Timestamp`
    pub timestamp: &'a str,
    /// `X-PCF-Signature`
    pub signature: &'a str,
    /// `X-PCF-Signature-Previous`, where there is one.
    pub previous: Option<&'a str>,
}

/// The value of `X-PCF-Signature` for a body sent at a time in seconds since the Unix epoch.
#[must_use]
pub fn sign(secret: &SecretString, timestamp: i64, body: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(PREFIX.len() + 64);
    text.push_str(PREFIX);
    for byte in code(secret, &timestamp.to_string(), body) {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Checks that a request was signed with one of the secrets, at a time within the window.
///
/// Give several secrets while one is being rotated. A receiver that still has the old secret
/// only is served by [`Headers::previous`].
pub fn verify(
    secrets: &[SecretString],
    headers: Headers<'_>,
    body: &[u8],
    window: Window,
) -> Result<(), Rejection> {
    window.admit(headers.timestamp)?;
    let mut given = vec![parse(headers.signature)?];
    if let Some(previous) = headers.previous {
        given.push(parse(previous)?);
    }
    let expected: Vec<Code> = secrets.iter().map(|secret| code(secret, headers.timestamp, body)).collect();
    if mac::any_equal(&expected, &given) { Ok(()) } else { Err(Rejection::Mismatch) }
}

fn code(secret: &SecretString, timestamp: &str, body: &[u8]) -> Code {
    mac::code(secret::whole(secret), &[timestamp.as_bytes(), b".", body])
}

fn parse(signature: &str) -> Result<Code, Rejection> {
    signature.strip_prefix(PREFIX).and_then(code_of).ok_or(Rejection::MalformedSignature { expected: FORM })
}

/// The code that so many digits stand for, in the one form that [`sign`] gives it.
fn code_of(digits: &str) -> Option<Code> {
    let mut code = Code::default();
    if digits.len() != 2 * code.len() {
        return None;
    }
    for (byte, pair) in code.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(code)
}

const fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}
