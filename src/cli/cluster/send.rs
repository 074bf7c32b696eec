//! Events as `WebhookDelivery` objects, one for each webhook that gets them; and who that would be.

use hookwright_engine::endpoint::{Endpoint, Hold};
use hookwright_engine::event::Draft;
use hookwright_engine::filter::Subject;
use kube::ResourceExt;
use kube::api::{ListParams, PostParams};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Cluster, FIELD_MANAGER, identity, unmet};
use crate::api::explain::{Explained, Explanation};
use crate::cli::error::Error;
use crate::clock;
use crate::crd::condition::{Reason, Type};
use crate::crd::endpoint::{Built, Problem};
use crate::crd::secret::Secrets;
use crate::crd::webhook_delivery::{EventSpec, WebhookRef};
use crate::crd::{Webhook, WebhookDelivery, WebhookDeliverySpec};
use crate::delivery::Obstacle;

/// How long an object stays after its end, and tells that its event was sent: as long as the API remembers.
const REMEMBERED_SECONDS: u32 = 24 * 60 * 60;

/// What an event of the API has that an object has under other names.
#[derive(Deserialize)]
struct Published {
    id: Option<String>,
    #[serde(rename = "type")]
    event_type: String,
    created_at: Option<Value>,
    data: Option<Map<String, Value>>,
    metadata: Option<Map<String, Value>>,
}

impl Cluster {
    /// Says who would get an event.
    pub(in crate::cli) async fn explain(&self, event: &RawValue) -> Result<Value, Error> {
        let judged = self.judged(event).await?;
        let explained =
            Explained { webhooks: judged.into_iter().map(|(_, explanation)| explanation).collect() };
        serde_json::to_value(explained).map_err(|error| Error::Unfit(error.to_string()))
    }

    /// Sends an event to those who get it, unless that was done before.
    pub(in crate::cli) async fn send(&self, event: &RawValue) -> Result<Value, Error> {
        let judged = self.judged(event).await?;
        let event = spec(event)?;
        let (mut deliveries, mut known) = (Vec::new(), 0);
        for (webhook, _) in judged.iter().filter(|(_, explanation)| explanation.matches) {
            let object = object(webhook, &event);
            known += usize::from(self.create(&object).await? == Made::Before);
            deliveries.push(object.name_any());
        }
        let mut answer = json!({ "id": event.id, "deliveries": deliveries });
        if known > 0 && known == deliveries.len() {
            answer["duplicate"] = true.into();
        }
        Ok(answer)
    }

    async fn judged(&self, event: &RawValue) -> Result<Vec<(Webhook, Explanation)>, Error> {
        let draft =
            Draft::parse(event.get().as_bytes()).map_err(|invalid| Error::Unfit(invalid.to_string()))?;
        let subject = Subject::of_draft(&draft, clock::wall());
        let webhooks = self.list(&self.webhooks(), &ListParams::default()).await?;
        let judge = |webhook: Webhook| {
            let Built { endpoint, receiver } = webhook.endpoint(identity(&webhook), &Secrets::new(), None);
            let invalid = matches!(receiver, Err(Problem::Invalid(_)));
            let hold = if invalid { Some(Hold::Invalid) } else { hold(&webhook) };
            let explanation = Explanation::new(&endpoint, obstacle(&endpoint, &draft, &subject), hold);
            (webhook, explanation)
        };
        let mut judged: Vec<_> = webhooks.into_iter().map(judge).collect();
        judged.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        Ok(judged)
    }

    async fn create(&self, object: &WebhookDelivery) -> Result<Made, Error> {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let api = self.objects();
        match api.create(&params, object).await {
            Ok(_) => Ok(Made::Now),
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {
                let name = object.name_any();
                let before = api.get(&name).await.map_err(|error| self.failed(error))?;
                if before.spec.event == object.spec.event {
                    return Ok(Made::Before);
                }
                let id = object.spec.event.as_ref().and_then(|event| event.id.as_deref()).unwrap_or_default();
                Err(Error::Unfit(format!(
                    "another event was sent under the id {id}: the WebhookDelivery {name} has it"
                )))
            }
            Err(error) => Err(self.failed(error)),
        }
    }
}

/// When an object was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    Now,
    Before,
}

/// What keeps an event from a webhook, as the operator's delivery has it.
fn obstacle(webhook: &Endpoint, draft: &Draft, subject: &Subject) -> Option<Obstacle> {
    if !webhook.events.iter().any(|pattern| pattern.matches(&draft.event_type)) {
        return Some(Obstacle::NotSubscribed);
    }
    webhook.filter.as_ref()?.objection(subject).map(Obstacle::Filtered)
}

/// Why a webhook waits, as its status says: the Secrets are not read here.
fn hold(webhook: &Webhook) -> Option<Hold> {
    if webhook.spec.suspend {
        return Some(Hold::Suspended);
    }
    unmet(webhook).find_map(|condition| match (condition.type_.as_str(), condition.reason.as_str()) {
        (_, reason) if reason == Reason::Gone.as_str() => Some(Hold::Gone),
        (_, reason) if reason == Reason::Failing.as_str() => Some(Hold::Failing),
        (_, reason) if reason == Reason::DeadLetterNotFound.as_str() => None,
        (kind, _) if kind == Type::ResolvedRefs.as_str() => Some(Hold::Unresolved),
        (_, _) => None,
    })
}

/// A checked event as the spec of an object has it, with an id.
fn spec(event: &RawValue) -> Result<EventSpec, Error> {
    let wrong = |error: serde_json::Error| Error::Unfit(error.to_string());
    let Published { id, event_type, created_at, data, metadata } =
        serde_json::from_str(event.get()).map_err(wrong)?;
    let time = created_at.map(serde_json::from_value).transpose().map_err(wrong)?;
    let id = id.unwrap_or_else(|| format!("evt_{}", Uuid::from_u128(fastrand::u128(..)).simple()));
    Ok(EventSpec { id: Some(id), event_type, time, data, metadata })
}

/// The object that sends an event to a webhook: there cannot be two of one name.
fn object(webhook: &Webhook, event: &EventSpec) -> WebhookDelivery {
    let id = event.id.as_deref().unwrap_or_default();
    let distinct = Uuid::new_v5(&identity(webhook).uid(), id.as_bytes()).simple();
    let webhook = webhook.name_any();
    let spec = WebhookDeliverySpec {
        webhook_ref: WebhookRef { name: webhook.clone() },
        event: Some(event.clone()),
        ttl_seconds_after_finished: Some(REMEMBERED_SECONDS),
        ..WebhookDeliverySpec::default()
    };
    WebhookDelivery::new(&format!("{webhook}-{distinct}"), spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(uid: u128) -> Webhook {
        let uid = Uuid::from_u128(uid).to_string();
        serde_json::from_value(json!({
            "metadata": { "name": "orders", "uid": uid },
            "spec": { "url": "https://a.example", "events": ["*"] },
        }))
        .unwrap()
    }

    fn event(json: &str) -> EventSpec {
        spec(&RawValue::from_string(json.to_owned()).unwrap()).unwrap()
    }

    #[test]
    fn an_object_is_named_after_the_event_and_the_webhook() {
        let name = |uid, json: &str| object(&webhook(uid), &event(json)).name_any();
        let one = r#"{"id":"evt_1","type":"a","data":{"n":1}}"#;
        assert_eq!(name(1, one), name(1, r#"{"id":"evt_1","type":"b","data":{}}"#));
        assert_ne!(name(1, one), name(2, one));
        let two = r#"{"id":"evt_2","type":"a","data":{}}"#;
        assert_ne!(name(1, one), name(1, two));
        assert!(name(1, one).starts_with("orders-"));
    }

    #[test]
    fn an_event_without_id_gets_one_of_its_own() {
        let made = || event(r#"{"type":"a","data":{}}"#).id.unwrap();
        assert_ne!(made(), made());
        assert!(made().parse::<hookwright_engine::id::EventId>().is_ok());
    }
}
