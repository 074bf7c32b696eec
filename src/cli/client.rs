//! Calls the REST API.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Method, StatusCode};
use reqwest::Certificate;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::error::Error;

/// Longer than the API takes for anything, a test with the longest timeout of a webhook included.
const TIMEOUT: Duration = Duration::from_mins(3);
/// How long it may take to be connected.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Webhooks asked for at once when one is looked for by its name.
const PAGE: &str = "500";

/// Calls the API of one server, for one namespace.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    server: Url,
    token: Option<SecretString>,
    namespace: Option<String>,
}

/// A webhook, as far as the command line is concerned.
#[derive(Debug, Deserialize)]
pub(super) struct Webhook {
    pub(super) id: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Webhooks {
    data: Vec<Webhook>,
    next_cursor: Option<String>,
}

impl Client {
    /// A client, which has not connected yet.
    pub(super) fn new(
        server: Url,
        token: Option<SecretString>,
        namespace: Option<String>,
        ca_file: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("hookwright/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(path) = ca_file {
            let trusted =
                Certificate::from_pem_bundle(&read(&path)?).map_err(|error| Error::file(&path, &error))?;
            if trusted.is_empty() {
                return Err(Error::file(&path, &"it has no certificate (PEM)"));
            }
            http = http.tls_certs_merge(trusted);
        }
        let http = http.build().map_err(|error| Error::Client(innermost(&error)))?;
        Ok(Self { http, server, token, namespace })
    }

    pub(super) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, Error> {
        self.call(Method::GET, path, query, None).await
    }

    pub(super) async fn post(&self, path: &[&str], body: Vec<u8>) -> Result<Value, Error> {
        self.call(Method::POST, path, &[], Some(body)).await
    }

    /// The webhook of this id or name.
    pub(super) async fn webhook(&self, named: &str) -> Result<Webhook, Error> {
        if named.starts_with("webhook_") {
            return read_as(&self.server, self.get(&["v1", "webhooks", named], &[]).await?);
        }
        let mut query = vec![("limit", PAGE.to_owned())];
        loop {
            let page = self.get(&["v1", "webhooks"], &query).await?;
            let Webhooks { data, next_cursor } = read_as(&self.server, page)?;
            if let Some(webhook) = data.into_iter().find(|webhook| webhook.name == named) {
                return Ok(webhook);
            }
            let Some(cursor) = next_cursor else { return Err(Error::NoWebhook(named.to_owned())) };
            query.truncate(1);
            query.push(("cursor", cursor));
        }
    }

    /// What an answer says, in a type of ours.
    pub(super) fn understand<T: for<'de> Deserialize<'de>>(&self, answer: Value) -> Result<T, Error> {
        read_as(&self.server, answer)
    }

    async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<Vec<u8>>,
    ) -> Result<Value, Error> {
        let mut url = self.server.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(path),
            Err(()) => return Err(Error::Input(format!("'{}' is no address of an API", self.server))),
        };
        {
            let mut pairs = url.query_pairs_mut();
            pairs.extend_pairs(self.namespace.iter().map(|namespace| ("namespace", namespace)));
            pairs.extend_pairs(query);
        }
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(body) = body {
            request = request.header(http::header::CONTENT_TYPE, "application/json").body(body);
        }
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| foreign(&self.server, &error));
        }
        Err(self.refused(status, &body))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Error {
        Error::Unreachable { server: self.server.to_string(), detail: innermost(error) }
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> Error {
        #[derive(Deserialize)]
        struct Problem {
            detail: String,
        }
        match serde_json::from_slice(body) {
            Ok(Problem { detail }) => Error::Refused { status, detail },
            Err(_) => foreign(&self.server, &format!("HTTP {status}")),
        }
    }
}

/// What a file holds.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::file(path, &error))
}

/// The secret that is alone in a file, without the end of its line.
pub(super) fn secret(path: &Path) -> Result<SecretString, Error> {
    let text = String::from_utf8(read(path)?).map_err(|_| Error::file(path, &"it is not UTF-8"))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(Error::file(path, &"it is empty")),
        secret => Ok(secret.into()),
    }
}

fn read_as<T: for<'de> Deserialize<'de>>(server: &Url, answer: Value) -> Result<T, Error> {
    serde_json::from_value(answer).map_err(|error| foreign(server, &error))
}

fn foreign(server: &Url, detail: &dyn std::fmt::Display) -> Error {
    Error::Foreign { server: server.to_string(), detail: detail.to_string() }
}

/// What is at the bottom of it: what lies above only says that a request failed.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
