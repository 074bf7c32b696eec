//! What a token server is asked with, from the values of Secrets.

use std::sync::Arc;

use hookwright_engine::endpoint::{ClientAuthentication, ClientCredentials, Parameter, ReceiverUrl, Scope};
use secrecy::{ExposeSecret, SecretString};

use super::receiver::unusable;
use super::tls::TlsPlan;
use crate::crd::secret::{SecretKey, Secrets, Unresolved};

const ID: &str = "spec.request.authorization.oauth2.clientIDRef";
const SECRET: &str = "spec.request.authorization.oauth2.clientSecretRef";

/// Checked client credentials, whose secrets are still in Secrets.
pub(super) struct OAuth2Plan {
    pub(super) token_url: ReceiverUrl,
    pub(super) client_id: ClientId,
    pub(super) client_secret: SecretKey,
    pub(super) authentication: ClientAuthentication,
    pub(super) scopes: Vec<Scope>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) tls: Option<TlsPlan>,
}

/// Where the id of a client comes from.
pub(super) enum ClientId {
    Given(String),
    Secret(SecretKey),
}

/// Whether a text can be the id of a client.
pub(super) fn is_client_id(text: &str) -> Result<(), String> {
    is_printable(text, ClientCredentials::MAX_CLIENT_ID_LEN)
}

/// Whether a text has the form that RFC 6749 gives to ids and secrets. A line break at the end, as `echo` leaves
/// it, would be part of it here and not there.
fn is_printable(text: &str, max: usize) -> Result<(), String> {
    let printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if (1..=max).contains(&text.len()) && printable {
        return Ok(());
    }
    Err(format!("must be 1 to {max} visible ASCII characters or spaces, without line breaks"))
}

impl OAuth2Plan {
    /// Fills in the values of Secrets.
    pub(super) fn resolve(self, secrets: &Secrets) -> Result<Arc<ClientCredentials>, Unresolved> {
        let Self { token_url, client_id, client_secret, authentication, scopes, parameters, tls } = self;
        let client_id = match client_id {
            ClientId::Given(id) => id,
            ClientId::Secret(key) => {
                let id = secrets.value(&key, ID)?.expose_secret();
                is_client_id(id).map_err(|detail| unusable(&key, ID, &detail))?;
                id.to_owned()
            }
        };
        let client_secret = secret(&client_secret, secrets)?;
        let tls = tls.map(|tls| tls.resolve(secrets)).transpose()?;
        Ok(Arc::new(ClientCredentials {
            token_url,
            client_id,
            client_secret,
            authentication,
            scopes,
            parameters,
            tls,
        }))
    }
}

fn secret(key: &SecretKey, secrets: &Secrets) -> Result<SecretString, Unresolved> {
    let value = secrets.value(key, SECRET)?;
    is_printable(value.expose_secret(), ClientCredentials::MAX_CLIENT_SECRET_LEN)
        .map_err(|detail| unusable(key, SECRET, &detail))?;
    Ok(value.clone())
}
