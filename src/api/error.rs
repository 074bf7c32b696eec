//! Errors as RFC 9457 problems.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookwright_engine::event::{self, InvalidEvent};
use schemars::JsonSchema;
use serde::Serialize;

use super::events::Judged;
use crate::metrics::Refusal;
use crate::store::{self, PublishError};

/// After how long a client may try again what could not be done now.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The kinds of problem. A closed set: clients tell them apart by `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The request makes no sense.
    BadRequest,
    /// The body is not JSON.
    NotJson,
    /// It does not say who sends it, or nobody knows them.
    Unauthorized,
    /// Who sends it may not do that; or a browser sent it for a page of another origin.
    Forbidden,
    /// There is no such thing, or the caller may not see it.
    NotFound,
    /// Not with this method.
    MethodNotAllowed,
    /// The request did not arrive in time.
    Timeout,
    /// Another event has this id, or somebody else owns or changed it.
    Conflict,
    /// Too large.
    TooLarge,
    /// Not a content type that is understood.
    UnsupportedMediaType,
    /// A field is missing, unknown or wrong.
    InvalidField,
    /// Our own fault.
    Internal,
    /// Not durable, so not accepted: try again later.
    Unavailable,
}

impl Kind {
    /// The kind of a plain answer with this status.
    #[must_use]
    pub fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Self::Timeout,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            status if status.is_client_error() => Self::BadRequest,
            _ => Self::Internal,
        }
    }

    /// The status of its answers.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest | Self::NotJson => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::InvalidField => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.names().1
    }

    /// `type` and `title`.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::BadRequest => ("https://hookwright.dev/problems/bad-request", "Bad request"),
            Self::NotJson => ("https://hookwright.dev/problems/not-json", "Not JSON"),
            Self::Unauthorized => ("https://hookwright.dev/problems/unauthorized", "Unauthorized"),
            Self::Forbidden => ("https://hookwright.dev/problems/forbidden", "Forbidden"),
            Self::NotFound => ("https://hookwright.dev/problems/not-found", "Not found"),
            Self::MethodNotAllowed => {
                ("https://hookwright.dev/problems/method-not-allowed", "Method not allowed")
            }
            Self::Timeout => ("https://hookwright.dev/problems/timeout", "Request timeout"),
            Self::Conflict => ("https://hookwright.dev/problems/conflict", "Conflict"),
            Self::TooLarge => ("https://hookwright.dev/problems/too-large", "Too large"),
            Self::UnsupportedMediaType => {
                ("https://hookwright.dev/problems/unsupported-media-type", "Unsupported media type")
            }
            Self::InvalidField => ("https://hookwright.dev/problems/invalid-field", "Invalid field"),
            Self::Internal => ("https://hookwright.dev/problems/internal", "Internal error"),
            Self::Unavailable => ("https://hookwright.dev/problems/unavailable", "Unavailable"),
        }
    }
}

/// An answer that is not 2xx.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Problem {
    #[serde(skip)]
    kind: Kind,
    r#type: &'static str,
    title: &'static str,
    status: u16,
    /// What is wrong in this case, and what to do.
    detail: String,
    /// What is wrong with which field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Of a batch that was not judged whole, what became of each event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Judged>")]
    results: Vec<serde_json::Value>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct FieldError {
    pointer: String,
    detail: String,
}

impl Problem {
    /// The media type of every problem.
    pub const CONTENT_TYPE: &str = "application/problem+json";

    /// A problem of this kind.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (r#type, title) = kind.names();
        let status = kind.status().as_u16();
        Self { kind, r#type, title, status, detail: detail.into(), errors: Vec::new(), results: Vec::new() }
    }

    /// Nothing is wrong with the request, but it cannot be served now.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, detail)
    }

    /// One field of the body is wrong.
    #[must_use]
    pub fn field(pointer: &str, detail: impl Into<String>) -> Self {
        Self::fields([(pointer.to_owned(), detail.into())])
    }

    /// Somebody else owns one field of what the body would change.
    pub(super) fn owned(pointer: &str, detail: &str) -> Self {
        let error = FieldError { pointer: pointer.to_owned(), detail: detail.to_owned() };
        Self { errors: vec![error], ..Self::new(Kind::Conflict, format!("{pointer}: {detail}")) }
    }

    /// These fields of the body, by their pointers, are wrong.
    pub(super) fn fields(problems: impl IntoIterator<Item = (String, String)>) -> Self {
        let error = |(pointer, detail)| FieldError { pointer, detail };
        let errors: Vec<_> = problems.into_iter().map(error).collect();
        let detail: Vec<_> =
            errors.iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect();
        Self { errors, ..Self::new(Kind::InvalidField, detail.join("; ")) }
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Adds what became of each event of a batch.
    #[must_use]
    pub fn with_results(self, results: Vec<serde_json::Value>) -> Self {
        Self { results, ..self }
    }

    /// How the metrics count an event that is answered like this.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        match self.kind {
            Kind::Unavailable | Kind::Internal | Kind::Timeout => Refusal::Unavailable,
            Kind::Conflict => Refusal::Conflict,
            Kind::TooLarge => Refusal::TooLarge,
            Kind::BadRequest
            | Kind::NotJson
            | Kind::Unauthorized
            | Kind::Forbidden
            | Kind::NotFound
            | Kind::MethodNotAllowed
            | Kind::UnsupportedMediaType
            | Kind::InvalidField => Refusal::Invalid,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.kind.status(), Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Self::CONTENT_TYPE));
        match self.kind {
            Kind::Unavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER.as_secs()));
            }
            Kind::Unauthorized => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Kind::BadRequest
            | Kind::NotJson
            | Kind::Forbidden
            | Kind::NotFound
            | Kind::MethodNotAllowed
            | Kind::Timeout
            | Kind::Conflict
            | Kind::TooLarge
            | Kind::UnsupportedMediaType
            | Kind::InvalidField
            | Kind::Internal => {}
        }
        response
    }
}

impl From<InvalidEvent> for Problem {
    fn from(invalid: InvalidEvent) -> Self {
        match invalid {
            InvalidEvent::Json(error) => error.into(),
            InvalidEvent::Fields(problems) => {
                Self::fields(problems.into_iter().map(|event::Problem { pointer, detail }| (pointer, detail)))
            }
        }
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        if error.is_data() {
            return Self::field("", error.to_string());
        }
        Self::new(Kind::NotJson, format!("the body is not JSON: {error}"))
    }
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Conflict(_) => Self::new(Kind::Conflict, error.to_string()),
            PublishError::Unavailable(error) => error.into(),
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        tracing::warn!(%error, "the store could not serve a request");
        Self::unavailable(match error {
            store::Error::Full(_) => "the disk or the quota of the database is full",
            store::Error::Closed => "the process is shutting down",
            store::Error::InUse(_)
            | store::Error::Newer { .. }
            | store::Error::Exists(_)
            | store::Error::Damaged { .. }
            | store::Error::Io { .. } => "the database does not answer; the log has the details",
        })
    }
}
