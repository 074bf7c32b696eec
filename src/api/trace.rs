//! The trace that a call belongs to.

use axum::http::HeaderMap;
use hookwright_engine::trace::Trace;

/// Lower case, as the specification wants it to be sent.
const TRACEPARENT: &str = "traceparent";

/// What the caller says of it, if that is valid.
pub(super) fn of(headers: &HeaderMap) -> Option<Trace> {
    let mut said = headers.get_all(TRACEPARENT).iter();
    match (said.next(), said.next()) {
        (Some(said), None) => Trace::parse(said.to_str().ok()?),
        (_, _) => None,
    }
}
