//! What arrives: one event, or a batch of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Something that happened at the sender's.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// The same for every delivery and every attempt of this event.
    pub id: String,
    /// Its type: `resource.created`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it happened.
    pub created_at: Timestamp,
    /// What happened, as it was sent. [`Event::data`] reads it.
    data: Arc<RawValue>,
    /// Around what, as it was sent. [`Event::metadata`] reads it.
    metadata: Option<Arc<RawValue>>,
    /// Which webhook brought it; a hand-made test event has none.
    pub webhook: Option<Webhook>,
}

/// The webhook that brought an event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Which attempt of the delivery this is, from 1.
    pub attempt: u32,
}

/// The data of `resource.*` and `user.*` events.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Change {
    /// What was created, updated or deleted, as it is now.
    pub object: Object,
    /// What its changed attributes were before an update.
    pub previous_attributes: Option<Map<String, Value>>,
    /// What an update changed: the value before and the value after, by attribute.
    pub changes: Option<BTreeMap<String, (Value, Value)>>,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Object {
    /// Its id.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub object_type: String,
    /// Everything else that is known of it.
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

/// The metadata that senders usually give.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// Who did it.
    pub user_id: Option<String>,
    /// From where.
    pub ip_address: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
    /// The request that it was done by.
    pub request_id: Option<String>,
}

impl Event {
    /// The data, as a type of yours; [`Change`] where it is about an object.
    pub fn data<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(self.data.get())
    }

    /// The metadata, as a type of yours or as [`Metadata`].
    pub fn metadata<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(self.metadata.as_deref().map_or("{}", RawValue::get))
    }
}

/// The body of a request.
#[derive(Debug)]
pub(crate) enum Body {
    Single(Event),
    Batch(Vec<Event>),
}

impl Body {
    /// Reads one event, or a batch: an object whose only field of interest is `events`.
    pub(crate) fn parse(json: &[u8]) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Form<'a> {
            #[serde(borrow)]
            events: Option<&'a RawValue>,
        }
        match serde_json::from_slice::<Form<'_>>(json)?.events {
            Some(events) => serde_json::from_str(events.get()).map(Self::Batch),
            None => serde_json::from_slice(json).map(Self::Single),
        }
    }

    pub(crate) fn into_events(self) -> Vec<Event> {
        match self {
            Self::Single(event) => vec![event],
            Self::Batch(events) => events,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent() -> Value {
        json!({
            "id": "evt_1", "type": "resource.updated", "created_at": "2024-01-15T11:00:00Z",
            "data": {
                "object": { "id": "res_1", "type": "resource", "attributes": { "name": "new" } },
                "previous_attributes": { "name": "old" }, "changes": { "name": ["old", "new"] },
            },
            "metadata": { "user_id": "user_1", "plan": "gold" },
            "webhook": { "id": "webhook_1", "attempt": 2, "version": "1.0" },
        })
    }

    fn single(json: &Value) -> Event {
        Body::parse(json.to_string().as_bytes()).unwrap().into_events().remove(0)
    }

    #[test]
    fn an_event_tells_what_has_changed() {
        let event = single(&sent());
        let change: Change = event.data().unwrap();
        assert_eq!(change.object.id, "res_1");
        assert_eq!(change.changes.unwrap()["name"], (json!("old"), json!("new")));
        assert_eq!(event.metadata::<Metadata>().unwrap().user_id.as_deref(), Some("user_1"));
        assert_eq!(event.webhook, Some(Webhook { id: "webhook_1".to_owned(), attempt: 2 }));
    }

    #[test]
    fn an_event_made_by_hand_needs_no_metadata_and_no_webhook() {
        let event = single(&json!({
            "id": "evt_1", "type": "custom.x", "created_at": "2024-01-15T11:00:00Z", "data": 17,
        }));
        assert_eq!(event.data::<u32>().unwrap(), 17);
        assert_eq!(event.metadata::<Metadata>().unwrap(), Metadata::default());
    }

    #[test]
    fn a_batch_is_the_events_in_their_order() {
        let mut second = sent();
        second["id"] = json!("evt_2");
        let body = json!({ "events": [sent(), second] }).to_string();
        let Body::Batch(events) = Body::parse(body.as_bytes()).unwrap() else { panic!("{body}") };
        let ids: Vec<_> = events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids, ["evt_1", "evt_2"]);
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for wrong in ["", "17", "[]", "{}", r#"{"events":{}}"#, r#"{"events":[17]}"#, r#"{"id":"evt_1"}"#] {
            assert!(Body::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
