//! One request to a token server, and what its answer means.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hookwright_engine::attempt::Outcome;
use hookwright_engine::endpoint::{ClientAuthentication, ClientCredentials, KeepAlive, Scope, Timeouts};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::Token;
use crate::transport::http::clients::{Client, Profile};
use crate::transport::http::{failure, request};

/// How long a token server may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// Longest token, in bytes.
const MAX_TOKEN: usize = 16 * 1024;
/// How long a token is valid whose server does not say.
const DEFAULT_VALIDITY: Duration = Duration::from_mins(5);
/// The longest that a token serves, whatever its server says.
const MAX_VALIDITY: Duration = Duration::from_hours(24);
/// How long before its end a token serves no more, if it is valid for twice as long at least: requests
/// take their time.
const MARGIN: Duration = Duration::from_secs(30);
/// Longest error code that is told.
const MAX_ERROR: usize = 64;

/// A token, and how long it serves.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) token: Token,
    pub(super) serves: Duration,
}

/// Why an answer is no token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::transport::http) enum Refusal {
    /// An error in the words of RFC 6749, section 5.2.
    #[error("HTTP {0}, {1}")]
    Error(u16, String),
    /// Any other answer that is no success.
    #[error("HTTP {0}")]
    Status(u16),
    /// A redirect, which would take the secret elsewhere.
    #[error("HTTP {0}, and redirects are not followed")]
    Redirect(u16),
    /// Not what section 5.1 says.
    #[error("without an access_token in JSON")]
    NoToken,
    /// Not a token that fits into a header.
    #[error("with an access_token that is not 1 to {MAX_TOKEN} visible characters")]
    BadToken,
    /// A token that is used in another way.
    #[error("with a token whose token_type is not Bearer")]
    TokenType,
    /// More than a token needs.
    #[error("with more than {MAX_ANSWER} bytes")]
    TooLarge,
}

/// The fields of an answer that say something to us.
#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<Value>,
}

/// The fields of an error that say something to us.
#[derive(Deserialize)]
struct AnswerOfError {
    error: String,
}

/// The connections that a token server is asked over.
pub(super) fn profile(credentials: &ClientCredentials) -> Profile {
    Profile {
        tls: credentials.tls.clone(),
        connect: Timeouts::default().connect,
        keep_alive: KeepAlive::default(),
    }
}

/// Asks for a token.
pub(super) async fn fetch(client: &Client, credentials: &ClientCredentials) -> Result<Granted, Outcome> {
    let host = credentials.token_url.host();
    let message = build(credentials).map_err(|error| failure::unbuildable(&error.into()))?;
    let exchange = async {
        let answer = client.request(message).await.map_err(|error| failure::outcome(&error, &host))?;
        let (status, body) = read(answer).await.map_err(|error| failure::outcome(&*error, &host))?;
        let granted = body.ok_or(Refusal::TooLarge).and_then(|body| judge(status, &body));
        granted.map_err(|refusal| failure::no_grant(&refusal, &host))
    };
    let late = |_| Err(failure::no_answer(&host, TIMEOUT));
    timeout(TIMEOUT, exchange).await.unwrap_or_else(late).map_err(failure::no_token)
}

fn build(credentials: &ClientCredentials) -> Result<http::Request<Full<Bytes>>, http::Error> {
    let ClientCredentials { token_url, client_id, client_secret, authentication, scopes, parameters, tls: _ } =
        credentials;
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if !scopes.is_empty() {
        form.append_pair("scope", &scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" "));
    }
    form.extend_pairs(parameters.iter().map(|parameter| (parameter.name(), parameter.value())));
    let mut builder = http::Request::post(token_url.as_url().as_str())
        .header(CONTENT_TYPE, request::FORM)
        .header(ACCEPT, request::JSON)
        .header(USER_AGENT, request::AGENT);
    match authentication {
        ClientAuthentication::Basic => {
            builder = builder.header(AUTHORIZATION, basic(client_id, client_secret.expose_secret())?);
        }
        ClientAuthentication::Post => {
            form.append_pair("client_id", client_id);
            form.append_pair("client_secret", client_secret.expose_secret());
        }
    }
    builder.body(Full::new(form.finish().into()))
}

/// Both are encoded as forms are, so that a colon within ends nothing (RFC 6749, section 2.3.1).
fn basic(id: &str, secret: &str) -> Result<HeaderValue, http::Error> {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    request::sensitive(&format!("Basic {}", BASE64.encode(format!("{}:{}", encoded(id), encoded(secret)))))
}

/// The status and the body, unless that is too long.
async fn read(
    response: Response<Incoming>,
) -> Result<(StatusCode, Option<Bytes>), Box<dyn std::error::Error + Send + Sync>> {
    let status = response.status();
    match Limited::new(response.into_body(), MAX_ANSWER).collect().await {
        Ok(body) => Ok((status, Some(body.to_bytes()))),
        Err(error) if error.is::<LengthLimitError>() => Ok((status, None)),
        Err(error) => Err(error),
    }
}

/// What an answer means.
fn judge(status: StatusCode, body: &[u8]) -> Result<Granted, Refusal> {
    if status.is_redirection() {
        return Err(Refusal::Redirect(status.as_u16()));
    }
    if !status.is_success() {
        let error = serde_json::from_slice::<AnswerOfError>(body).ok().filter(|it| is_error_code(&it.error));
        let status = status.as_u16();
        return Err(error.map_or(Refusal::Status(status), |it| Refusal::Error(status, it.error)));
    }
    let answer = serde_json::from_slice::<Answer>(body).map_err(|_| Refusal::NoToken)?;
    let Answer { access_token: Some(token), token_type, expires_in } = answer else {
        return Err(Refusal::NoToken);
    };
    if token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(Refusal::TokenType);
    }
    if !(1..=MAX_TOKEN).contains(&token.len()) || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Refusal::BadToken);
    }
    let header = request::sensitive(&format!("Bearer {token}")).map_err(|_| Refusal::BadToken)?;
    Ok(Granted { token: Token(header), serves: serves(expires_in.as_ref()) })
}

/// Whether a text looks like the codes of RFC 6749, and not like something that should not be shown.
fn is_error_code(text: &str) -> bool {
    (1..=MAX_ERROR).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// How long a token serves that is valid for so long.
fn serves(expires_in: Option<&Value>) -> Duration {
    // Some servers have it as text.
    let seconds = expires_in.and_then(|it| it.as_f64().or_else(|| it.as_str()?.parse().ok()));
    let valid = seconds.map_or(DEFAULT_VALIDITY, |seconds| {
        Duration::try_from_secs_f64(seconds.clamp(0.0, MAX_VALIDITY.as_secs_f64())).unwrap_or_default()
    });
    valid.saturating_sub(MARGIN.min(valid / 2))
}

#[cfg(test)]
mod tests;
