//! The deliveries that `WebhookDelivery` objects show: a bounded view of all that there are.

use std::pin::pin;

use futures::StreamExt;
use kube::ResourceExt;
use kube::api::ListParams;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};

use super::{Cluster, unmet};
use crate::cli::delivery::Delivery;
use crate::cli::error::Error;
use crate::cli::output::note;
use crate::cli::way::{Known, Shown};
use crate::crd::condition::{Holds, Type};
use crate::crd::webhook_delivery::Outcome;
use crate::crd::{Webhook, WebhookDelivery};
use crate::projector::view::DELIVERY_LABEL;

impl Cluster {
    /// The deliveries of a webhook, newest first; says where these cannot be all.
    pub(in crate::cli) async fn deliveries(&self, named: &str, shown: &Shown) -> Result<Value, Error> {
        let webhook = self.webhook(named).await?;
        let of_webhook = ListParams::default().fields(&selector(&webhook.name_any()));
        let mut objects = self.list(&self.objects(), &of_webhook).await?;
        if let Some(note_of_it) = incomplete(&webhook, objects.len()) {
            note(&note_of_it);
        }
        objects.sort_by_key(|object| std::cmp::Reverse(begin(object)));
        let deliveries = objects.iter().map(delivery).filter(|delivery| shown.has(delivery));
        let deliveries: Vec<_> =
            deliveries.take(usize::try_from(shown.limit).unwrap_or(usize::MAX)).collect();
        Ok(json!({ "deliveries": deliveries }))
    }

    /// Shows every delivery of a webhook that is there, comes or changes, for ever.
    pub(in crate::cli) async fn follow(
        &self,
        named: &str,
        shown: &Shown,
        known: &mut Known,
    ) -> Result<(), Error> {
        let webhook = self.webhook(named).await?.name_any();
        let of_webhook = watcher::Config::default().fields(&selector(&webhook));
        let mut watched = pin!(watcher(self.objects(), of_webhook).default_backoff());
        while let Some(seen) = watched.next().await {
            match seen {
                Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                    let delivery = delivery(&object);
                    if shown.has(&delivery) {
                        known.show(&delivery)?;
                    }
                }
                Ok(watcher::Event::Delete(object)) => known.forget(&delivery(&object)),
                Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
                Err(error) => match self.watch_failed(error) {
                    denied @ (Error::Denied(_) | Error::Missing(_)) => return Err(denied),
                    // A server that is away for a while comes back.
                    away => note(&format!("{away}")),
                },
            }
        }
        Ok(())
    }

    /// The object that shows a delivery, by the delivery's id or by its own name.
    pub(super) async fn object(&self, named: &str) -> Result<WebhookDelivery, Error> {
        let missing =
            || Error::Missing(format!("no WebhookDelivery object shows '{named}' in this namespace"));
        if !named.starts_with("del_") {
            let by_name = ListParams::default().fields(&format!("metadata.name={named}"));
            return self.list(&self.objects(), &by_name).await?.pop().ok_or_else(missing);
        }
        let labelled = ListParams::default().labels(&format!("{DELIVERY_LABEL}={named}"));
        if let Some(view) = self.list(&self.objects(), &labelled).await?.pop() {
            return Ok(view);
        }
        let shows = |object: &WebhookDelivery| {
            object.status.as_ref().and_then(|status| status.id.as_deref()) == Some(named)
        };
        let all = self.list(&self.objects(), &ListParams::default()).await?;
        all.into_iter().find(shows).ok_or_else(missing)
    }
}

fn selector(webhook: &str) -> String {
    format!("spec.webhookRef.name={webhook}")
}

/// When it came to be, in milliseconds.
fn begin(object: &WebhookDelivery) -> i64 {
    let start = object.status.as_ref().and_then(|status| status.start_time.as_ref());
    let time = start.or(object.metadata.creation_timestamp.as_ref());
    time.map_or(0, |time| time.0.as_millisecond())
}

/// That there are more deliveries than objects.
fn incomplete(webhook: &Webhook, objects: usize) -> Option<String> {
    let counts = webhook.status.as_ref()?.counts.unwrap_or_default();
    let cut = unmet(webhook).find(|condition| condition.type_ == Type::RecordsComplete.as_str());
    let all = counts.pending + counts.retrying + counts.delivered + counts.failed;
    let why = match cut {
        Some(cut) => cut.message.as_str(),
        None if u64::try_from(objects).is_ok_and(|objects| objects < all) => {
            "the others are not kept as objects"
        }
        None => return None,
    };
    Some(format!(
        "{objects} of {all} deliveries have objects ({why}; see spec.history); the API has all, by --server"
    ))
}

/// What an object says of its delivery.
pub(super) fn delivery(object: &WebhookDelivery) -> Delivery {
    let status = object.status.clone().unwrap_or_default();
    let event = object.spec.event.as_ref();
    let last = status.last_attempt.as_ref();
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let succeeded = conditions.iter().find(|condition| condition.type_ == Type::Succeeded.as_str());
    // One that could not be sent at all has no outcome, and says why.
    let unsent = succeeded.filter(|_| status.id.is_none());
    let outcome = match status.outcome {
        None if unsent.is_some_and(|it| it.status == Holds::False.as_str()) => Outcome::Failed,
        outcome => outcome.unwrap_or(Outcome::Pending),
    };
    let delivered = outcome == Outcome::Delivered;
    let failed = last.filter(|_| !delivered);
    let why = failed.and_then(|last| last.error.clone());
    Delivery {
        id: status.id.clone().unwrap_or_else(|| object.name_any()),
        event_id: status.event_id.or_else(|| event?.id.clone()).unwrap_or_default(),
        event_type: event.map_or_else(|| "(replay)".to_owned(), |event| event.event_type.clone()),
        outcome: format!("{outcome:?}"),
        delivered,
        attempts: status.attempts.unwrap_or_default(),
        response_code: last.and_then(|last| last.response_code),
        response_time_ms: last.map(|last| last.response_milliseconds),
        delivered_at: status.delivered_time.map(|time| time.0.to_string()),
        last_error: why.or_else(|| unsent.map(|condition| condition.message.clone())),
        next_retry_at: status.next_attempt_time.map(|time| time.0.to_string()),
        dead_letter_of: status.dead_letter_of,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(status: &Value) -> WebhookDelivery {
        let spec = json!({ "webhookRef": { "name": "orders" }, "event": { "type": "a.b", "id": "evt_1" } });
        let object = json!({ "metadata": { "name": "ping" }, "spec": spec, "status": status });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn an_object_says_what_the_api_says_of_its_delivery() {
        let time = "2024-01-15T10:30:00Z";
        let shown = delivery(&object(&json!({
            "id": "del_1", "eventID": "evt_1", "outcome": "Retrying", "attempts": 2, "nextAttemptTime": time,
            "lastAttempt": { "time": time, "responseCode": 502, "responseMilliseconds": 7, "reason": "HTTPStatus",
                             "error": "HTTP 502" },
        })));
        let said = json!({
            "id": "del_1", "event_id": "evt_1", "event_type": "a.b", "outcome": "Retrying", "delivered": false,
            "attempts": 2, "response_code": 502, "response_time_ms": 7, "last_error": "HTTP 502",
            "next_retry_at": time,
        });
        assert_eq!(serde_json::to_value(shown).unwrap(), said);
    }

    #[test]
    fn one_that_was_not_sent_says_why() {
        let condition = json!({ "type": "Succeeded", "status": "False", "reason": "NotSubscribed",
            "message": "does not subscribe", "lastTransitionTime": "2024-01-15T10:30:00Z" });
        let shown = delivery(&object(&json!({ "conditions": [condition] })));
        assert_eq!((shown.id.as_str(), shown.outcome.as_str()), ("ping", "Failed"));
        assert_eq!(shown.last_error.as_deref(), Some("does not subscribe"));
        assert_eq!(delivery(&object(&json!({}))).outcome, "Pending");
    }

    #[test]
    fn fewer_objects_than_deliveries_are_said_to_be_not_all() {
        let webhook = |counts: Value| -> Webhook {
            serde_json::from_value(json!({
                "metadata": { "name": "orders" }, "spec": { "url": "https://a.example", "events": ["*"] },
                "status": { "counts": counts },
            }))
            .unwrap()
        };
        let busy = webhook(json!({ "pending": 1, "retrying": 2, "delivered": 3, "failed": 4 }));
        assert!(incomplete(&busy, 9).unwrap().starts_with("9 of 10 deliveries have objects"));
        assert_eq!(incomplete(&busy, 10), None);
    }
}
