//! The request that a receiver gets.

use std::borrow::Cow;

use bytes::Bytes;
use hookwright_engine::endpoint::{ContentType, Signing};
use hookwright_engine::time::Time;
use hookwright_signature::{InvalidSecret, SecretString, pcf, standard};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::request::Builder;
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use secrecy::ExposeSecret;

use super::tokens::Token;
use crate::transport::{Contents, Request};

const SIGNATURE: HeaderName = HeaderName::from_static("x-pcf-signature");
const SIGNATURE_PREVIOUS: HeaderName = HeaderName::from_static("x-pcf-signature-previous");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-pcf-timestamp");
const EVENT: HeaderName = HeaderName::from_static("x-pcf-event");
const DELIVERY: HeaderName = HeaderName::from_static("x-pcf-delivery");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const STANDARD_ID: HeaderName = HeaderName::from_static("webhook-id");
const STANDARD_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const STANDARD_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
pub(super) const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("Hookwright/", env!("CARGO_PKG_VERSION")));

/// What the value of a form's field is encoded of: all but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a request has no valid form. Neither happens to a receiver that passed the checks of its manifest.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A URL or header that HTTP does not know the form of.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// A secret that cannot sign by a scheme of the webhook.
    #[error(transparent)]
    Secret(#[from] InvalidSecret),
}

/// Signs a request as of `now` and writes its headers, with a token where there is one. A JSON body is
/// shared, not copied.
pub(super) fn build(
    request: &Request,
    token: Option<&Token>,
    now: Time,
) -> Result<http::Request<Full<Bytes>>, Error> {
    let receiver = &request.receiver;
    let (content_type, body) = match receiver.content_type {
        ContentType::Json => (JSON, request.body.clone()),
        ContentType::Form => (FORM, form(&request.body)),
    };
    let mut builder = http::Request::post(receiver.url.as_url().as_str())
        .header(CONTENT_TYPE, content_type)
        .header(USER_AGENT, AGENT);
    // What it is, for `X-PCF-Event`, `X-PCF-Delivery` and `webhook-id`.
    let (event, delivery, id) = match &request.contents {
        Contents::Event { delivery, id, event_type } => {
            (event_type.to_string(), delivery.to_string(), id.to_string())
        }
        Contents::Batch(id) => ("batch".to_owned(), id.to_string(), id.to_string()),
    };
    let schemes = receiver.signing.schemes;
    if schemes.pcf() {
        builder = sign_pcf(builder, &receiver.signing, now, &body);
    }
    if schemes.standard() {
        builder = sign_standard(builder, &receiver.signing, &id, now, &body)?;
    }
    builder = builder.header(EVENT, event).header(DELIVERY, delivery);
    if let Some(trace) = request.trace {
        builder = builder.header(TRACEPARENT, trace.to_string());
    }
    for header in &receiver.headers {
        builder = builder.header(header.name.as_str(), sensitive(header.value.expose_secret())?);
    }
    if let Some(token) = token {
        builder = builder.header(AUTHORIZATION, token.header());
    }
    Ok(builder.body(Full::new(body))?)
}

/// A value that Debug does not show and tables of HTTP/2 do not keep.
pub(super) fn sensitive(value: &str) -> Result<HeaderValue, http::Error> {
    let mut value = HeaderValue::from_bytes(value.as_bytes())?;
    value.set_sensitive(true);
    Ok(value)
}

/// The JSON as the only field of a form. What is signed is the form.
fn form(json: &[u8]) -> Bytes {
    format!("payload={}", Cow::from(percent_encode(json, RESERVED))).into()
}

fn sign_pcf(builder: Builder, signing: &Signing, now: Time, body: &[u8]) -> Builder {
    let timestamp = now.as_secs();
    let builder =
        builder.header(SIGNATURE, pcf::sign(&signing.current, timestamp, body)).header(TIMESTAMP, timestamp);
    match previous(signing, now) {
        Some(secret) => builder.header(SIGNATURE_PREVIOUS, pcf::sign(secret, timestamp, body)),
        None => builder,
    }
}

/// A previous secret that cannot sign by this scheme never did.
fn sign_standard(
    builder: Builder,
    signing: &Signing,
    id: &str,
    now: Time,
    body: &[u8],
) -> Result<Builder, InvalidSecret> {
    let timestamp = now.as_secs();
    let previous = previous(signing, now).filter(|secret| standard::check(secret).is_ok());
    let secrets: Vec<_> = std::iter::once(&signing.current).chain(previous).collect();
    Ok(builder
        .header(STANDARD_ID, id)
        .header(STANDARD_TIMESTAMP, timestamp)
        .header(STANDARD_SIGNATURE, standard::sign(&secrets, id, timestamp, body)?))
}

/// The secret before, while it signs.
fn previous(signing: &Signing, now: Time) -> Option<&SecretString> {
    signing.previous.as_ref().filter(|previous| now < previous.until).map(|previous| &previous.secret)
}
