//! `hookwright listen`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use clap::Args;
use hookwright_receiver::{Refusal, Verifier};
use http::HeaderName;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use super::client::{innermost, secret};
use super::error::Error;
use super::output::{BAD, FAINT, GOOD, WAITING, line, styled};
use crate::clock;

/// Longest body, in bytes.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// How long the application behind may take, as with webhooks.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Headers that are about one connection and not about the request.
const OF_THE_CONNECTION: [HeaderName; 4] =
    [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

/// Receives webhooks.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwright listen
  hookwright listen 127.0.0.1:4000 --secret-file secret --forward http://127.0.0.1:8000/hooks")]
pub struct Listen {
    /// Address to listen on; every path of it takes webhooks
    #[arg(value_name = "ADDR", default_value = "127.0.0.1:3000")]
    address: SocketAddr,
    /// File with the signing secret; repeat for several [default: nothing is verified]
    #[arg(long, value_name = "FILE")]
    secret_file: Vec<PathBuf>,
    /// Pass on what arrives to this URL, and its answer back
    #[arg(long, value_name = "URL")]
    forward: Option<Url>,
    /// One line per request only
    #[arg(long, short)]
    quiet: bool,
}

/// What a request is judged by, and where it goes.
struct Listener {
    verifier: Option<Verifier>,
    forward: Option<(reqwest::Client, Url)>,
    quiet: bool,
}

impl Listen {
    pub(super) async fn run(self) -> Result<(), Error> {
        let secrets: Vec<_> = self.secret_file.iter().map(|path| secret(path)).collect::<Result<_, _>>()?;
        let verifier = if secrets.is_empty() { None } else { Some(Verifier::new(secrets)) };
        let forward = match self.forward {
            None => None,
            Some(url) => {
                let client = reqwest::Client::builder().timeout(TIMEOUT);
                let client = client.redirect(reqwest::redirect::Policy::none()).build();
                Some((client.map_err(|error| Error::Client(innermost(&error)))?, url))
            }
        };
        let failed = |error| Error::Listen { address: self.address, source: error };
        let socket = TcpListener::bind(self.address).await.map_err(failed)?;
        let bound = socket.local_addr().map_err(failed)?;
        let judged = if verifier.is_some() { "" } else { "; nothing is verified without --secret-file" };
        line(&format!("listening on http://{bound}{judged}"))?;
        let listener = Arc::new(Listener { verifier, forward, quiet: self.quiet });
        let app = Router::new()
            .fallback(post(receive))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(listener);
        axum::serve(socket, app).await.map_err(failed)
    }
}

async fn receive(
    State(listener): State<Arc<Listener>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Error> {
    let judged = listener.judge(&headers, &body);
    let (mark, said) = match &judged {
        Ok(true) => (styled(GOOD, "✓ genuine"), String::new()),
        Ok(false) => (styled(WAITING, "? not verified"), String::new()),
        Err(refusal) => (styled(BAD, "✗ refused"), format!(": {refusal}")),
    };
    let event: Option<Value> = serde_json::from_slice(&body).ok();
    line(&format!("{mark}  {}{said}", event.as_ref().map_or_else(|| "no JSON".to_owned(), summary)))?;
    if !listener.quiet
        && let Some(event) = &event
    {
        line(&styled(FAINT, &format!("{event:#}")))?;
    }
    match (judged, &listener.forward) {
        (Err(refusal), _) => Ok(refusal.into_response()),
        (Ok(_), None) => Ok(axum::Json(json!({ "received": true })).into_response()),
        (Ok(_), Some((client, url))) => forward(client, url, headers, body).await,
    }
}

impl Listener {
    /// Whether a request is genuine; false: nobody can tell.
    fn judge(&self, headers: &HeaderMap, body: &[u8]) -> Result<bool, Refusal> {
        let Some(verifier) = &self.verifier else { return Ok(false) };
        let now = Duration::from_secs(clock::wall().as_secs().try_into().unwrap_or_default());
        verifier.verify(headers, body, std::time::UNIX_EPOCH + now).map(|()| true)
    }
}

/// `resource.created  evt_1  attempt 2`, of each event.
fn summary(body: &Value) -> String {
    let one = |event: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or("-").replace(char::is_control, " ");
        let (event_type, id) = (text(&event["type"]), text(&event["id"]));
        match event["webhook"]["attempt"].as_u64() {
            Some(attempt) => format!("{event_type}  {id}  attempt {attempt}"),
            None => format!("{event_type}  {id}"),
        }
    };
    match body["events"].as_array() {
        Some(events) => {
            format!("batch of {}: {}", events.len(), events.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        None => one(body),
    }
}

/// Passes a request on, and the answer back.
async fn forward(
    client: &reqwest::Client,
    url: &Url,
    mut headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Error> {
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
    let answer = match client.post(url.clone()).headers(headers).body(body).send().await {
        Ok(answer) => answer,
        Err(error) => {
            let why = format!("{url} does not answer: {}", innermost(&error));
            line(&format!("  {}", styled(BAD, &why)))?;
            return Ok((StatusCode::BAD_GATEWAY, axum::Json(json!({ "error": why }))).into_response());
        }
    };
    let status = answer.status();
    let style = if status.is_success() { GOOD } else { BAD };
    line(&format!("  {url} answers {}", styled(style, status.as_str())))?;
    let content_type = answer.headers().get(header::CONTENT_TYPE).cloned();
    let mut response = (status, answer.bytes().await.unwrap_or_default()).into_response();
    if let Some(content_type) = content_type {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    Ok(response)
}

/// Nobody sees what is received any more.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}
