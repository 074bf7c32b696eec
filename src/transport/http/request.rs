//! The request that a receiver gets.

use bytes::Bytes;
use hookwright_engine::time::Time;
use hookwright_signature::pcf;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http_body_util::Full;
use secrecy::ExposeSecret;

use crate::transport::Request;

const SIGNATURE: HeaderName = HeaderName::from_static("x-pcf-signature");
const SIGNATURE_PREVIOUS: HeaderName = HeaderName::from_static("x-pcf-signature-previous");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-pcf-timestamp");
const EVENT: HeaderName = HeaderName::from_static("x-pcf-event");
const DELIVERY: HeaderName = HeaderName::from_static("x-pcf-delivery");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("Hookwright/", env!("CARGO_PKG_VERSION")));

/// Signs a request as of `now` and writes its headers. The body is shared, not copied.
pub(super) fn build(request: &Request, now: Time) -> Result<http::Request<Full<Bytes>>, http::Error> {
    let receiver = &request.receiver;
    let (signing, timestamp) = (&receiver.signing, now.as_secs());
    let mut builder = http::Request::post(receiver.url.as_url().as_str())
        .header(CONTENT_TYPE, JSON)
        .header(USER_AGENT, AGENT)
        .header(SIGNATURE, pcf::sign(&signing.current, timestamp, &request.body))
        .header(TIMESTAMP, timestamp)
        .header(EVENT, request.event_type.to_string())
        .header(DELIVERY, request.delivery.to_string());
    if let Some(previous) = signing.previous.as_ref().filter(|previous| now < previous.until) {
        builder = builder.header(SIGNATURE_PREVIOUS, pcf::sign(&previous.secret, timestamp, &request.body));
    }
    for header in &receiver.headers {
        let mut value = HeaderValue::from_bytes(header.value.expose_secret().as_bytes())?;
        value.set_sensitive(true); // not shown by Debug, not kept in tables of HTTP/2
        builder = builder.header(header.name.as_str(), value);
    }
    builder.body(Full::new(request.body.clone()))
}
