//! What a receiver answers.

use std::time::{Duration, UNIX_EPOCH};

use hookwright_engine::attempt::{Attempt, Outcome};
use hookwright_engine::time::Time;
use http::header::{HeaderMap, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::clock;

/// The outcome, which the status line decides, and the head of the body. A body that breaks off, or
/// does not end by the deadline, is kept as far as it came; one that is too long is cut, and its connection closed.
pub(super) async fn read(response: Response<Incoming>, deadline: Instant) -> (Outcome, Vec<u8>) {
    let status = response.status();
    let retry_after = retry_after(status, response.headers(), clock::wall());
    let mut kept = Vec::new();
    // Not in time is no error: see above.
    let _ = timeout_at(deadline, keep_head(response.into_body(), &mut kept)).await;
    (Outcome::Responded { status: status.as_u16(), retry_after }, kept)
}

async fn keep_head(mut body: Incoming, kept: &mut Vec<u8>) {
    while let Some(Ok(frame)) = body.frame().await {
        let Some(data) = frame.data_ref() else { continue };
        let space = Attempt::MAX_RESPONSE - kept.len();
        kept.extend_from_slice(&data[..data.len().min(space)]);
        if kept.len() == Attempt::MAX_RESPONSE {
            return;
        }
    }
}

/// When the receiver wants to be tried again. Only answers that mean "later" are asked.
fn retry_after(status: StatusCode, headers: &HeaderMap, now: Time) -> Option<Time> {
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit mean "very late" too.
        return Some(now + Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|since| Time::from_millis(0) + since)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_000_000);

    fn hint(status: u16, value: &str) -> Option<Time> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
        retry_after(StatusCode::from_u16(status).unwrap(), &headers, NOW)
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        assert_eq!(hint(429, "120"), Some(NOW + Duration::from_mins(2)));
        assert_eq!(hint(503, "0"), Some(NOW));
        assert_eq!(hint(503, "Sun, 06 Nov 1994 08:49:37 GMT"), Some(Time::from_secs(784_111_777)));
        assert_eq!(hint(503, "99999999999999999999999"), Some(Time::from_millis(i64::MAX)));
    }

    #[test]
    fn retry_after_counts_only_on_429_and_503_and_only_when_it_is_well_formed() {
        for status in [200, 301, 408, 500, 502] {
            assert_eq!(hint(status, "120"), None, "{status}");
        }
        for wrong in ["", "soon", "-5", "1.5", "Sun, 99 Nov 1994 08:49:37 GMT"] {
            assert_eq!(hint(429, wrong), None, "{wrong}");
        }
        assert_eq!(retry_after(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new(), NOW), None);
    }
}
