//! What is asked of the operator by annotation: it writes back what it has handled, and what came of it.

use std::fmt::Debug;
use std::time::Duration;

use kube::api::{ListParams, Patch};
use kube::runtime::wait::{self, await_condition};
use kube::runtime::watcher;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::deliveries::delivery;
use super::{Cluster, patching, unmet};
use crate::cli::error::Error;
use crate::cli::way::Retried;
use crate::clock;
use crate::crd::annotation::{REDRIVE_REQUESTED_AT, RETRY_REQUESTED_AT, TEST_REQUESTED_AT};
use crate::crd::condition::Type;
use crate::crd::webhook::{Counts, Record};
use crate::crd::webhook_delivery::Outcome;
use crate::crd::{Webhook, WebhookDelivery};

/// How often the outcome of a test is looked for.
const INTERVAL: Duration = Duration::from_millis(500);
/// The event that a test sends.
const PING: &str = "test.ping";

impl Cluster {
    /// Makes a delivery due, and waits for the attempt.
    pub(in crate::cli) async fn retry(&self, named: &str) -> Result<Retried, Error> {
        let object = self.object(named).await?;
        let (api, name, before) = (self.objects(), object.name_any(), attempts(&object));
        let echo = |object: &WebhookDelivery| object.status.as_ref()?.retry_requested_at.clone();
        let taken = self.ask(&api, &name, RETRY_REQUESTED_AT, echo).await?;
        if ended(&taken) && attempts(&taken) == before {
            return Err(Error::Unfit(format!(
                "{named} is not tried again: it was canceled, or its webhook does not exist any more"
            )));
        }
        let tried = |object: Option<&WebhookDelivery>| object.is_none_or(|it| attempts(it) > before);
        let tried = timeout(self.patience, await_condition(api, &name, tried)).await;
        match tried {
            Ok(Ok(Some(object))) => Ok(Retried { answer: answer(&delivery(&object))?, attempted: true }),
            Ok(Ok(None)) => Err(gone(&name)),
            Ok(Err(error)) => Err(self.unwatched(error)),
            // It is due, and waits for its turn.
            Err(_) => Ok(Retried { answer: answer(&delivery(&taken))?, attempted: false }),
        }
    }

    /// Has a test sent, and waits for what its receiver answers.
    pub(in crate::cli) async fn test(&self, named: &str) -> Result<Value, Error> {
        let webhook = self.webhook(named).await?;
        let name = webhook.name_any();
        sendable(&webhook)?;
        let before = self.tests(&name).await?;
        let known: Vec<_> = before.iter().filter_map(ResourceExt::uid).collect();
        let last = last_delivery(&webhook);
        let value = self.annotate(&self.webhooks(), &name, TEST_REQUESTED_AT).await?;
        let looked_for = timeout(self.patience, async {
            let mut taken = false;
            loop {
                let webhook = self.webhook(&name).await?;
                let echo = webhook.status.as_ref().and_then(|status| status.test_requested_at.as_deref());
                taken |= echo == Some(&value);
                if taken {
                    let tests = self.tests(&name).await?;
                    let new = |it: &&WebhookDelivery| it.uid().is_some_and(|uid| !known.contains(&uid));
                    if let Some(test) = tests.iter().filter(new).find_map(result) {
                        return Ok(test);
                    }
                    if !shows_tests(&webhook) && last_delivery(&webhook) != last {
                        return Ok(last_result(&webhook));
                    }
                }
                sleep(INTERVAL).await;
            }
        });
        looked_for.await.unwrap_or_else(|_| Err(self.no_operator()))
    }

    /// Has all that failed sent again, and answers how many that were.
    pub(in crate::cli) async fn redrive(&self, named: &str) -> Result<Value, Error> {
        let webhook = self.webhook(named).await?;
        let echo = |webhook: &Webhook| webhook.status.as_ref()?.redrive_requested_at.clone();
        let (api, name) = (self.webhooks(), webhook.name_any());
        self.ask(&api, &name, REDRIVE_REQUESTED_AT, echo).await?;
        let before = counts(&webhook);
        if before.failed > 0 {
            // The counts follow the echo; whoever follows them wants those after it.
            let moved = |it: Option<&Webhook>| it.is_none_or(|webhook| counts(webhook) != before);
            drop(timeout(self.patience, await_condition(api, &name, moved)).await);
        }
        Ok(json!({ "count": before.failed }))
    }

    /// How many have failed.
    pub(in crate::cli) async fn count_failed(&self, named: &str) -> Result<Value, Error> {
        self.webhook(named).await.map(|webhook| json!({ "count": counts(&webhook).failed }))
    }

    /// How many have not ended.
    pub(in crate::cli) async fn unfinished(&self, named: &str) -> Result<u64, Error> {
        let counts = counts(&self.webhook(named).await?);
        Ok(counts.pending + counts.retrying)
    }

    /// Asks by an annotation, and waits until the status has its value.
    async fn ask<K>(
        &self,
        api: &Api<K>,
        name: &str,
        annotation: &str,
        echo: impl Fn(&K) -> Option<String>,
    ) -> Result<K, Error>
    where
        K: Resource + Clone + Debug + DeserializeOwned + std::marker::Send + 'static,
    {
        let value = self.annotate(api, name, annotation).await?;
        let echoed = |object: Option<&K>| object.is_none_or(|it| echo(it).as_deref() == Some(&*value));
        match timeout(self.patience, await_condition(api.clone(), name, echoed)).await {
            Ok(Ok(Some(object))) => Ok(object),
            Ok(Ok(None)) => Err(gone(name)),
            Ok(Err(error)) => Err(self.unwatched(error)),
            Err(_) => Err(self.no_operator()),
        }
    }

    /// Sets an annotation to a value it never had, and returns that.
    async fn annotate<K>(&self, api: &Api<K>, name: &str, annotation: &str) -> Result<String, Error>
    where
        K: Clone + Debug + DeserializeOwned,
    {
        let value = format!("{}-{:04x}", clock::wall(), fastrand::u16(..));
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { annotation: value } } }));
        api.patch(name, &patching(), &patch).await.map_err(|error| self.failed(error))?;
        Ok(value)
    }

    /// The objects that show tests of a webhook.
    async fn tests(&self, webhook: &str) -> Result<Vec<WebhookDelivery>, Error> {
        let fields = format!("spec.webhookRef.name={webhook},spec.event.type={PING}");
        self.list(&self.objects(), &ListParams::default().fields(&fields)).await
    }

    fn no_operator(&self) -> Error {
        Error::NoOperator { namespace: self.namespace.clone(), seconds: self.patience.as_secs() }
    }

    fn unwatched(&self, error: wait::Error) -> Error {
        match error {
            wait::Error::ProbeFailed(error) => self.watch_failed(error),
        }
    }

    /// Why a watch has ended.
    pub(super) fn watch_failed(&self, error: watcher::Error) -> Error {
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => self.failed(error),
            watcher::Error::WatchError(status) => self.failed(kube::Error::Api(status)),
            error @ watcher::Error::NoResourceVersion => Error::Unfit(error.to_string()),
        }
    }
}

fn answer(delivery: &crate::cli::delivery::Delivery) -> Result<Value, Error> {
    serde_json::to_value(delivery).map_err(|error| Error::Unfit(error.to_string()))
}

fn gone(name: &str) -> Error {
    Error::Missing(format!("{name} was deleted meanwhile"))
}

fn attempts(object: &WebhookDelivery) -> u32 {
    object.status.as_ref().and_then(|status| status.attempts).unwrap_or_default()
}

fn ended(object: &WebhookDelivery) -> bool {
    match object.status.as_ref().and_then(|status| status.outcome) {
        Some(Outcome::Delivered | Outcome::Failed | Outcome::DeadLettered | Outcome::Canceled) => true,
        Some(Outcome::Pending | Outcome::Sending | Outcome::Retrying) | None => false,
    }
}

/// Nothing is sent to a webhook that is held.
fn sendable(webhook: &Webhook) -> Result<(), Error> {
    let unready = unmet(webhook).find(|condition| condition.type_ == Type::Ready.as_str());
    let why = match unready {
        _ if webhook.spec.suspend => "it is suspended",
        Some(unready) => &unready.message,
        None => return Ok(()),
    };
    Err(Error::Unfit(format!("nothing is sent to this webhook now: {why}")))
}

fn counts(webhook: &Webhook) -> Counts {
    webhook.status.as_ref().and_then(|status| status.counts).unwrap_or_default()
}

fn last_delivery(webhook: &Webhook) -> Option<&str> {
    Some(&webhook.status.as_ref()?.last_delivery.as_ref()?.delivery_id)
}

/// Whether tests that succeed have objects.
fn shows_tests(webhook: &Webhook) -> bool {
    let Some(history) = &webhook.spec.history else { return true };
    let all = matches!(history.record, None | Some(Record::All));
    all && history.successful_limit != Some(0) && history.failed_limit != Some(0)
}

/// What came of a test, as far as the webhook says.
fn last_result(webhook: &Webhook) -> Value {
    let status = webhook.status.as_ref();
    let last = status.and_then(|status| status.last_delivery.as_ref());
    let failure = status.and_then(|status| status.last_failure.as_ref());
    json!({
        "delivered": last.is_some_and(|last| last.delivered),
        "response_code": last.and_then(|last| last.response_code),
        "response_time_ms": last.and_then(|last| last.response_milliseconds),
        "response_body": "",
        "error": failure.filter(|_| last.is_some_and(|last| !last.delivered)).map(|failure| &failure.message),
        "delivery_id": last.map(|last| &last.delivery_id),
    })
}

/// What came of a test, once it was attempted.
fn result(object: &WebhookDelivery) -> Option<Value> {
    let status = object.status.as_ref()?;
    let last = status.last_attempt.as_ref()?;
    Some(json!({
        "delivered": status.outcome == Some(Outcome::Delivered),
        "response_code": last.response_code,
        "response_time_ms": last.response_milliseconds,
        "response_body": last.response_excerpt.clone().unwrap_or_default(),
        "error": last.error,
        "delivery_id": status.id,
    }))
}
