//! Bearer tokens of requests.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hookwright_engine::time::Time;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Longest token, in bytes: several times what identity providers issue.
const MAX_BYTES: usize = 16 * 1024;

/// SHA-256 of a token: what is kept and compared in its place.
pub(super) type Fingerprint = [u8; 32];

/// A bearer token that a request was sent with. Never shown.
#[derive(Debug)]
pub(super) struct Token(SecretString);

/// Why a request has no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoToken {
    /// It does not say who sends it.
    #[error("the request has no Authorization header")]
    Missing,
    /// It says so in another way, or twice.
    #[error("the Authorization header is not one 'Bearer TOKEN'")]
    Malformed,
    /// It is too long to be one.
    #[error("the token is longer than {MAX_BYTES} bytes")]
    TooLong,
}

impl Token {
    /// The token in the headers of a request.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, NoToken> {
        let mut sent = headers.get_all(header::AUTHORIZATION).into_iter();
        let (Some(value), None) = (sent.next(), sent.next()) else {
            let missing = !headers.contains_key(header::AUTHORIZATION);
            return Err(if missing { NoToken::Missing } else { NoToken::Malformed });
        };
        let (scheme, token) =
            value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or(NoToken::Malformed)?;
        let token = token.trim_matches(' ');
        match () {
            () if !scheme.eq_ignore_ascii_case("bearer") || !is_token(token) => Err(NoToken::Malformed),
            () if token.len() > MAX_BYTES => Err(NoToken::TooLong),
            () => Ok(Self(token.into())),
        }
    }

    /// The token itself, for whoever can say whose it is.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What it is remembered by.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        fingerprint(self.expose())
    }

    /// How long it is good for, where it says so: not a thing to trust, but to be bounded by.
    pub(super) fn rest_of_life(&self, now: Time) -> Option<Duration> {
        let payload = self.expose().split('.').nth(1)?;
        let Claims { exp } = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let exp = Duration::try_from_secs_f64(exp).ok()?;
        Some(Time::from_millis(i64::try_from(exp.as_millis()).ok()?).since(now))
    }
}

/// What a JSON web token says of itself, as far as we care.
#[derive(Deserialize)]
struct Claims {
    exp: f64,
}

/// What a token is remembered by.
pub(super) fn fingerprint(token: &str) -> Fingerprint {
    Sha256::digest(token).into()
}

/// Whether this can be a token: RFC 6750's `b64token`.
pub(super) fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(values: &[&str]) -> Result<String, NoToken> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Token::of(&headers).map(|token| token.expose().to_owned())
    }

    #[test]
    fn one_bearer_token_is_taken_and_nothing_else() {
        for good in ["Bearer abc.d-e_f~g+h/i==", "bearer abc.d-e_f~g+h/i==", "BEARER  abc.d-e_f~g+h/i== "] {
            assert_eq!(of(&[good]).as_deref(), Ok("abc.d-e_f~g+h/i=="), "{good}");
        }
        assert_eq!(of(&[]), Err(NoToken::Missing));
        for bad in
            ["", "Bearer", "Bearer ", "Bearer =", "Bearer a b", "Bearer a=b", "Bearer ä", "Basic YTpi", "abc"]
        {
            assert_eq!(of(&[bad]), Err(NoToken::Malformed), "{bad}");
        }
        assert_eq!(of(&["Bearer a", "Bearer a"]), Err(NoToken::Malformed));
        assert_eq!(of(&[&format!("Bearer {}", "x".repeat(MAX_BYTES + 1))]), Err(NoToken::TooLong));
    }

    #[test]
    fn a_token_is_never_shown() {
        assert!(!format!("{:?}", Token("s3cr3t".into())).contains("s3cr3t"));
    }

    #[test]
    fn a_web_token_says_how_long_it_is_good_for() {
        let now = Time::from_millis(1_000_000);
        let rest = |payload: &str| {
            let payload = URL_SAFE_NO_PAD.encode(payload);
            Token(format!("e30.{payload}.c2ln").into()).rest_of_life(now)
        };
        assert_eq!(rest(r#"{"exp":1060}"#), Some(Duration::from_mins(1)));
        assert_eq!(rest(r#"{"exp":1000.5}"#), Some(Duration::from_millis(500)));
        assert_eq!(rest(r#"{"exp":1}"#), Some(Duration::ZERO));
        for silent in ["{}", r#"{"exp":"1060"}"#, r#"{"exp":-1}"#, r#"{"exp":1e300}"#, "{half"] {
            assert_eq!(rest(silent), None, "{silent}");
        }
        assert_eq!(Token("opaque".into()).rest_of_life(now), None);
    }
}
