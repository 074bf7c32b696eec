//! The one door from a `WebhookDelivery` manifest to an event that is sent.

use hookwright_engine::endpoint::Endpoint;
use hookwright_engine::event::{Draft, InvalidEvent};
use hookwright_engine::filter::{Failure, Verdict};
use hookwright_engine::pattern::EventType;
use serde_json::Map;

use super::webhook_delivery::{EventSpec, WebhookDeliverySpec};

/// Why the event of a manifest is no event.
#[derive(Debug, thiserror::Error)]
pub enum Unsendable {
    /// It cannot be written as JSON.
    #[error("spec.event: {0}")]
    Json(#[from] serde_json::Error),
    /// It is larger than events may be.
    #[error("spec.event: may have at most {max} bytes, not {bytes}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A field is wrong.
    #[error("spec.event: {0}")]
    Invalid(#[from] InvalidEvent),
}

/// The webhook would not have got this event by itself.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the Webhook {webhook} does not subscribe to {event_type}; spec.ignoreFilters: true sends it nevertheless"
)]
pub struct NotSubscribed {
    webhook: String,
    event_type: EventType,
}

/// The webhook's filters do not let this event through.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the filters of the Webhook {webhook} do not let the event through{}; spec.ignoreFilters: true sends it nevertheless",
    .failure.map(|failure| format!(", as {failure}")).unwrap_or_default()
)]
pub struct FilteredOut {
    webhook: String,
    failure: Option<Failure>,
}

impl EventSpec {
    /// The event, checked as a published one is.
    pub fn draft(&self, max_bytes: usize) -> Result<Draft, Unsendable> {
        let Self { id, event_type, time, data, metadata } = self;
        let time = time.as_ref().map(|time| time.0.to_string());
        let empty = Map::new();
        let data = data.as_ref().unwrap_or(&empty);
        let json = serde_json::to_vec(&serde_json::json!({
            "id": id, "type": event_type, "created_at": time, "data": data, "metadata": metadata,
        }))?;
        if json.len() > max_bytes {
            return Err(Unsendable::TooLarge { bytes: json.len(), max: max_bytes });
        }
        Ok(Draft::parse(&json)?)
    }
}

impl WebhookDeliverySpec {
    /// An event that the webhook does not subscribe to is sent only where the manifest says so.
    pub fn subscribed(&self, webhook: &Endpoint, event_type: &EventType) -> Result<(), NotSubscribed> {
        if self.ignore_filters || webhook.events.iter().any(|pattern| pattern.matches(event_type)) {
            return Ok(());
        }
        Err(NotSubscribed { webhook: webhook.name.to_string(), event_type: event_type.clone() })
    }

    /// An event that the webhook's filters do not let through is sent only where the manifest says so.
    pub fn let_through(&self, webhook: &Endpoint, verdict: Verdict) -> Result<(), FilteredOut> {
        let failure = match verdict {
            _ if self.ignore_filters => return Ok(()),
            Verdict::Accepted => return Ok(()),
            Verdict::Rejected => None,
            Verdict::Failed(failure) => Some(failure),
        };
        Err(FilteredOut { webhook: webhook.name.to_string(), failure })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(value: serde_json::Value) -> EventSpec {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_the_filters_do_not_let_through_is_refused_unless_they_are_ignored() {
        let webhook: crate::crd::Webhook = serde_json::from_value(json!({
            "apiVersion": "hookwright.dev/v1alpha1", "kind": "Webhook", "metadata": { "name": "orders" },
            "spec": { "url": "https://a.example", "events": ["*"] },
        }))
        .unwrap();
        let id = hookwright_engine::id::WebhookId::from_uid(uuid::Uuid::from_u128(1));
        let webhook = webhook.endpoint(id, &crate::crd::secret::Secrets::new(), None).endpoint;
        let says = |ignore_filters: bool, verdict| {
            let spec = WebhookDeliverySpec { ignore_filters, ..WebhookDeliverySpec::default() };
            spec.let_through(&webhook, verdict).map_err(|refused| refused.to_string())
        };
        assert_eq!(says(false, Verdict::Accepted), Ok(()));
        assert_eq!(says(true, Verdict::Rejected), Ok(()));
        assert_eq!(
            says(false, Verdict::Failed(Failure::Missing)).unwrap_err(),
            "the filters of the Webhook orders do not let the event through, as a field is missing; \
             spec.ignoreFilters: true sends it nevertheless"
        );
    }

    #[test]
    fn events_of_manifests_pass_the_door_of_published_ones() {
        let ping = event(json!({ "type": "test.ping", "id": "evt_1", "data": { "a": 1 } }));
        assert_eq!(ping.draft(1024).unwrap().id.unwrap().as_str(), "evt_1");
        assert_eq!(event(json!({ "type": "a" })).draft(1024).unwrap().event_type.as_str(), "a");
        let wrong = event(json!({ "type": "a..b", "id": "x y" })).draft(1024).unwrap_err().to_string();
        assert!(wrong.contains("/id") && wrong.contains("/type"), "{wrong}");
        let large = event(json!({ "type": "a", "data": { "b": "x".repeat(100) } }));
        assert!(large.draft(64).unwrap_err().to_string().contains("at most 64 bytes"));
    }
}
