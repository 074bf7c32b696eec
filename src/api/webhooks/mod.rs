//! `/v1/webhooks`: the webhooks, wherever they are kept.
//!
//! A webhook here is the `Webhook` object there: a request becomes a change of the object's spec
//! ([`change`]), passes the one door of `crd::endpoint`, and is written by the [`catalog`]. An
//! answer to a change is given when deliveries follow it.

pub mod catalog;
mod change;
mod places;
pub(super) mod redrive;
pub(super) mod schema;
pub(super) mod trial;
mod view;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use hookwright_engine::endpoint::{Endpoint, Target};
use hookwright_engine::id::WebhookId;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use self::catalog::Error;
use self::change::Change;
pub(super) use self::view::View;
use super::auth::Object;
use super::error::{Kind, Problem};
use super::query::{Call, Limit, Namespace};
use super::{Api, body};
use crate::crd::Webhook;
use crate::signing_key;
use crate::store::Summary;

/// Where the REST API has what a webhook's spec has at a pointer such as `/retry/maxAttempts`: `retry_policy.max_attempts`.
#[must_use]
pub fn place_of(pointer: &str) -> String {
    places::of_api(pointer).trim_start_matches('/').replace('/', ".")
}

/// Largest body, in bytes: twice of all that its fields may hold.
const MAX_BYTES: usize = 128 * 1024;
/// How long an answer waits until deliveries follow the change that it tells of.
const EFFECT: Duration = Duration::from_secs(5);
/// How often a change is made anew because somebody else was faster.
const ATTEMPTS: u64 = 20;
/// By how much longer each further attempt may wait, so that those who are at it do not stay in step.
const STEP_MILLIS: u64 = 10;
/// What names are chosen from: neither vowels nor what looks like them, as in other generated names.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Characters of a generated name behind `webhook-`.
const NAME_LEN: usize = 10;

/// `POST /v1/webhooks`
pub(super) async fn create(
    State(api): State<Api>,
    Call { namespace, .. }: Call,
    request: Request,
) -> Result<(StatusCode, Extension<Object>, Json<View>), Problem> {
    let change = Change::read(&body::read(request, MAX_BYTES).await?)?;
    let mut webhook = Webhook::new(&generated_name(), change.apply(None)?);
    webhook.metadata.namespace = Some(namespace.as_str().to_owned());
    change.check(&webhook)?;
    let key = match &change.key {
        Some(key) => Some(key.clone()),
        None if webhook.generates_signing_key() => Some(generated_key()?),
        None => None,
    };
    let place = |field: &str| change.place(&webhook, field);
    let created = api.catalog.create(webhook.clone(), key.clone()).await;
    let created = created.map_err(|error| error.problem(place))?;
    let id = identity(&created)?;
    api.follows(id, |known| known.is_some()).await;
    let secret = key.map(|key| key.expose_secret().to_owned());
    let view = View::new(id, &created, &Summary::default(), None)?.with_secret(secret);
    Ok((StatusCode::CREATED, Extension(Object(id.to_string())), Json(view)))
}

/// Which webhooks to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Selection {
    #[serde(default)]
    limit: Limit,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of webhooks, by name.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Webhooks")]
pub(super) struct Listed {
    data: Vec<View>,
    /// Where to go on, while there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// `GET /v1/webhooks`
pub(super) async fn list(
    State(api): State<Api>,
    Call { namespace, parameters: Selection { limit, cursor } }: Call<Selection>,
) -> Result<Json<Listed>, Problem> {
    let found = api.catalog.list(namespace.as_str(), limit.get(), cursor.as_deref()).await;
    let found = found.map_err(|error| error.problem(str::to_owned))?;
    let mut data = Vec::with_capacity(found.webhooks.len());
    for webhook in found.webhooks {
        data.push(api.view(&webhook).await?);
    }
    Ok(Json(Listed { data, next_cursor: found.next }))
}

/// `GET /v1/webhooks/{id}`
pub(super) async fn show(
    State(api): State<Api>,
    Path(id): Path<String>,
    Call { namespace, .. }: Call,
) -> Result<Json<View>, Problem> {
    let endpoint = api.webhook(&namespace, &id)?;
    Ok(Json(api.view(&api.object(&endpoint).await?).await?))
}

/// `PATCH /v1/webhooks/{id}`
pub(super) async fn patch(
    State(api): State<Api>,
    Path(id): Path<String>,
    Call { namespace, .. }: Call,
    request: Request,
) -> Result<Json<View>, Problem> {
    let endpoint = api.webhook(&namespace, &id)?;
    let change = Change::read(&body::read(request, MAX_BYTES).await?)?;
    let changed = api.change(&endpoint, &change).await?;
    if let Some(key) = &change.key {
        api.set_key(&endpoint, &changed, key).await?;
    }
    let generation = changed.metadata.generation.unwrap_or_default();
    api.follows(endpoint.id, |known| known.is_none_or(|known| known.generation >= generation)).await;
    Ok(Json(api.view(&changed).await?))
}

/// `DELETE /v1/webhooks/{id}`
pub(super) async fn delete(
    State(api): State<Api>,
    Path(id): Path<String>,
    Call { namespace, .. }: Call,
) -> Result<StatusCode, Problem> {
    let endpoint = api.webhook(&namespace, &id)?;
    let object = api.object(&endpoint).await?;
    api.catalog.delete(&object).await.map_err(|error| error.problem(str::to_owned))?;
    api.follows(endpoint.id, |known| known.is_none()).await;
    Ok(StatusCode::NO_CONTENT)
}

/// A new signing key: shown here, and never again.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NewSecret")]
pub(super) struct Rotated {
    id: String,
    secret: String,
    /// How long the secret before it signs, too.
    overlap_seconds: u64,
}

/// `POST /v1/webhooks/{id}/secret/rotate`
pub(super) async fn rotate(
    State(api): State<Api>,
    Path(id): Path<String>,
    Call { namespace, .. }: Call,
) -> Result<Json<Rotated>, Problem> {
    let endpoint = api.webhook(&namespace, &id)?;
    let object = api.object(&endpoint).await?;
    if !object.generates_signing_key() {
        let detail =
            format!("it is the {}, which signing.secret_ref names: change it there", object.signing_key());
        return Err(Problem::new(Kind::Conflict, detail));
    }
    let key = generated_key()?;
    api.set_key(&endpoint, &object, &key).await?;
    Ok(Json(Rotated {
        id: endpoint.id.to_string(),
        secret: key.expose_secret().to_owned(),
        overlap_seconds: object.signing_overlap().as_secs(),
    }))
}

impl Api {
    /// The webhook of this id, if the namespace has it.
    pub(super) fn webhook(&self, namespace: &Namespace, id: &str) -> Result<Arc<Endpoint>, Problem> {
        let id: WebhookId = id.parse().map_err(|error| Problem::new(Kind::NotFound, format!("{error}")))?;
        let found = self.delivery.webhook(id);
        found.filter(|found| *found.namespace == *namespace.as_str()).ok_or_else(|| unknown(id))
    }

    /// The object of a webhook, and not that of another one that has its name by now.
    async fn object(&self, endpoint: &Endpoint) -> Result<Webhook, Problem> {
        let found = self.catalog.get(&endpoint.namespace, &endpoint.name).await;
        let found = found.map_err(|error| error.problem(str::to_owned))?;
        if identity(&found)? == endpoint.id { Ok(found) } else { Err(unknown(endpoint.id)) }
    }

    /// Changes the object of a webhook, anew as long as somebody else is faster.
    async fn change(&self, endpoint: &Endpoint, change: &Change) -> Result<Webhook, Problem> {
        let mut tries = 0;
        loop {
            let current = self.object(endpoint).await?;
            let mut wanted = current.clone();
            wanted.spec = change.apply(Some(&current.spec))?;
            change.check(&wanted)?;
            tries += 1;
            match self.catalog.update(&current, &wanted.spec).await {
                Ok(changed) => return Ok(changed),
                Err(Error::Changed) if tries < ATTEMPTS => {
                    sleep(Duration::from_millis(fastrand::u64(..tries * STEP_MILLIS))).await;
                }
                Err(error) => return Err(error.problem(|field| change.place(&wanted, field))),
            }
        }
    }

    async fn set_key(
        &self,
        endpoint: &Endpoint,
        object: &Webhook,
        key: &SecretString,
    ) -> Result<(), Problem> {
        let set = self.catalog.set_key(object, key).await;
        set.map_err(|error| error.problem(|_| "/config/secret".to_owned()))?;
        let signs = |known: &Endpoint| match &known.target {
            Target::Receiver(receiver) => receiver.signing.current.expose_secret() == key.expose_secret(),
            Target::Held(_) => true,
        };
        self.follows(endpoint.id, |known| known.is_none_or(signs)).await;
        Ok(())
    }

    /// Waits until deliveries follow a change, as they do within milliseconds; the change is made
    /// all the same when they take longer.
    async fn follows(&self, id: WebhookId, wanted: impl Fn(Option<&Endpoint>) -> bool) {
        if timeout(EFFECT, self.delivery.until(id, wanted)).await.is_err() {
            tracing::warn!(webhook = %id, "deliveries do not follow a change yet");
        }
    }

    async fn view(&self, webhook: &Webhook) -> Result<View, Problem> {
        let id = identity(webhook)?;
        let summary = self.store.summary(id).await?;
        let generation = self.delivery.webhook(id).map(|known| known.generation);
        Ok(View::new(id, webhook, &summary, generation)?)
    }
}

fn identity(webhook: &Webhook) -> Result<WebhookId, Problem> {
    let uid = webhook.metadata.uid.as_deref().and_then(|uid| uid.parse().ok());
    uid.map(WebhookId::from_uid).ok_or_else(|| Problem::new(Kind::Internal, "a webhook has no UID"))
}

fn unknown(id: WebhookId) -> Problem {
    Problem::new(Kind::NotFound, format!("there is no webhook {id} in this namespace"))
}

fn generated_name() -> String {
    let letter = || fastrand::choice(ALPHABET).copied().map_or('x', char::from);
    "webhook-".chars().chain(std::iter::repeat_with(letter).take(NAME_LEN)).collect()
}

fn generated_key() -> Result<SecretString, Problem> {
    signing_key::generate().map_err(|error| {
        tracing::error!(%error, "failed to generate a signing key");
        Problem::new(Kind::Internal, "no signing key could be generated; the log has the details")
    })
}

#[cfg(test)]
mod tests;
