//! The header `Authorization`, from the values of Secrets.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookwright_engine::endpoint::{ClientCredentials, Header, HeaderName};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::oauth2::OAuth2Plan;
use super::receiver::unusable;
use crate::crd::secret::{SecretKey, Secrets, Unresolved};

const PASSWORD: &str = "spec.request.authorization.basic.passwordRef";
const USERNAME: &str = "spec.request.authorization.basic.usernameRef";
const TOKEN: &str = "spec.request.authorization.bearer.tokenRef";

/// A checked way to say who sends a request, whose secrets are still in Secrets.
pub(super) enum AuthorizationPlan {
    Basic { username: Username, password: SecretKey },
    Bearer { token: SecretKey },
    OAuth2(Box<OAuth2Plan>),
}

/// How requests say who sends them.
pub(super) enum Authorization {
    /// In the same header each time.
    Header(Header),
    /// By a token that is got when it is needed.
    OAuth2(Arc<ClientCredentials>),
}

/// Where a user name comes from.
pub(super) enum Username {
    Given(String),
    Secret(SecretKey),
}

/// Whether Basic can carry a user name: a colon would end it.
pub(super) fn is_username(text: &str) -> bool {
    !text.contains(|c: char| c == ':' || c.is_ascii_control())
}

impl AuthorizationPlan {
    /// Fills in the values of Secrets.
    pub(super) fn resolve(self, secrets: &Secrets) -> Result<Authorization, Unresolved> {
        let (key, field, value) = match self {
            Self::Basic { username, password } => {
                let value = basic(&username, &password, secrets)?;
                (password, PASSWORD, value)
            }
            Self::Bearer { token } => {
                let value = bearer(&token, secrets)?;
                (token, TOKEN, value)
            }
            Self::OAuth2(plan) => return plan.resolve(secrets).map(Authorization::OAuth2),
        };
        HeaderName::parse("authorization")
            .and_then(|name| Header::new(name, value))
            .map(Authorization::Header)
            .map_err(|error| unusable(&key, field, &error))
    }
}

fn basic(username: &Username, password: &SecretKey, secrets: &Secrets) -> Result<SecretString, Unresolved> {
    let name = match username {
        Username::Given(name) => name,
        Username::Secret(key) => secrets.value(key, USERNAME)?.expose_secret(),
    };
    if let Username::Secret(key) = username
        && !is_username(name)
    {
        return Err(unusable(
            key,
            USERNAME,
            &"must consist of visible characters and spaces, without colons",
        ));
    }
    let secret = secrets.value(password, PASSWORD)?.expose_secret();
    // A line break at the end, as `echo` leaves it, would be part of the password here and not there.
    if secret.contains(|c: char| c.is_ascii_control()) {
        return Err(unusable(password, PASSWORD, &"must not have line breaks or other control characters"));
    }
    let pair = Zeroizing::new(format!("{name}:{secret}"));
    Ok(format!("Basic {}", STANDARD.encode(pair.as_bytes())).into())
}

fn bearer(token: &SecretKey, secrets: &Secrets) -> Result<SecretString, Unresolved> {
    let text = secrets.value(token, TOKEN)?.expose_secret();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = "must be a token without spaces, line breaks and the word 'Bearer'";
        return Err(unusable(token, TOKEN, &detail));
    }
    Ok(format!("Bearer {text}").into())
}
