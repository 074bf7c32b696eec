//! Bodies of requests: JSON, bounded.

use std::error::Error;

use axum::body::{self, Bytes};
use axum::extract::Request;
use axum::http::header;
use http_body_util::LengthLimitError;

use super::error::{Kind, Problem};

/// Reads the body of a request that says it is JSON, of at most `limit` bytes.
pub(super) async fn read(request: Request, limit: usize) -> Result<Bytes, Problem> {
    if !is_json(&request) {
        let detail = "the body must be sent with Content-Type: application/json";
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    body::to_bytes(request.into_body(), limit).await.map_err(|error| {
        if error.source().is_some_and(<dyn Error>::is::<LengthLimitError>) {
            return Problem::new(Kind::TooLarge, format!("the body may have at most {limit} bytes"));
        }
        Problem::new(Kind::BadRequest, "the body did not arrive whole")
    })
}

fn is_json(request: &Request) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = content_type.and_then(|it| it.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
