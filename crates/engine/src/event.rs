//! An event: something that happened. Checked once on the way in, then immutable.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::id::{EventId, WebhookId};
use crate::pattern::EventType;
use crate::time::Time;
use crate::trace::Trace;

/// Largest published event where the configuration does not say otherwise, in bytes.
pub const DEFAULT_MAX_BYTES: usize = 256 * 1024;

/// The version of the envelope that receivers get.
const ENVELOPE_VERSION: &str = "1.0";
/// What a receiver gets beside [`Event::payload`], at most, in bytes.
pub(crate) const ENVELOPE_BYTES: usize = 98;

/// What an event was published with, to tell a repetition from another event under the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// An event as published, checked. Its id is chosen when it is accepted where it has none.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The producer's id.
    pub id: Option<EventId>,
    /// The type.
    pub event_type: EventType,
    /// The producer's time, exactly as written.
    created_at: Option<Arc<str>>,
    /// A JSON object, byte for byte.
    data: Box<RawValue>,
    /// A JSON object, byte for byte.
    metadata: Option<Box<RawValue>>,
    /// What it is published in, where that is traced. Not of the event: the same one may come again in
    /// another trace.
    pub trace: Option<Trace>,
}

/// An accepted event: all that its deliveries share.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id, unique in its namespace for as long as ids are remembered.
    pub id: EventId,
    /// Its type.
    pub event_type: EventType,
    /// The delivered JSON object up to the `webhook` member: what all deliveries share.
    pub payload: Arc<[u8]>,
    /// What it was published in, where that was traced: all that becomes of it belongs there.
    pub trace: Option<Trace>,
}

/// What is wrong with a published event.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEvent {
    /// Not JSON, or not an object.
    #[error("the body is not a JSON object: {0}")]
    Json(#[source] serde_json::Error),
    /// Fields that are missing, unknown or of the wrong form; all of them.
    #[error("{}", Problems(.0))]
    Fields(Vec<Problem>),
}

/// One thing wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong and what is expected.
    pub detail: String,
}

struct Problems<'a>(&'a [Problem]);

impl fmt::Display for Problems<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { pointer, detail }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{pointer}: {detail}")?;
        }
        Ok(())
    }
}

impl Draft {
    /// Reads a published event. Reports everything that is wrong with it, not only the first.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidEvent> {
        let Members(mut members) = serde_json::from_slice(json).map_err(InvalidEvent::Json)?;
        let mut problems = Vec::new();
        let mut report = |field: &str, detail: String| {
            // The escapes of RFC 6901, for fields we do not know.
            let pointer = format!("/{}", field.replace('~', "~0").replace('/', "~1"));
            problems.push(Problem { pointer, detail });
        };
        let mut take = |field| members.remove(field).filter(|raw| raw.get() != "null");
        let [id, event_type, created_at] = ["id", "type", "created_at"].map(|field| take(field).map(text));
        let [data, metadata] = ["data", "metadata"].map(&mut take);

        let id = checked(id, "id", &mut report, |text| text.parse::<EventId>().map_err(|e| e.to_string()));
        let created_at =
            checked(created_at, "created_at", &mut report, |text| match text.parse::<jiff::Timestamp>() {
                Ok(_) if text.len() <= 64 => Ok(Arc::from(text)),
                _ => Err(format!("'{}' is not an RFC 3339 time", text.chars().take(64).collect::<String>())),
            });
        if event_type.is_none() {
            report("type", "is required".to_owned());
        }
        let event_type = checked(event_type, "type", &mut report, |text| {
            text.parse::<EventType>().map_err(|e| e.to_string())
        });
        if data.is_none() {
            report("data", "is required".to_owned());
        }
        for (field, value) in [("data", data), ("metadata", metadata)] {
            if value.is_some_and(|raw| !raw.get().starts_with('{')) {
                report(field, "must be a JSON object".to_owned());
            }
        }
        let mut unknown: Vec<_> = members.keys().filter(|field| !FIELDS.contains(&field.as_str())).collect();
        unknown.sort();
        for field in unknown {
            report(field, format!("is not a field of an event; those are {}", FIELDS.join(", ")));
        }
        match (event_type, data) {
            (Some(event_type), Some(data)) if problems.is_empty() => Ok(Self {
                id,
                event_type,
                created_at,
                data: data.to_owned(),
                metadata: metadata.map(ToOwned::to_owned),
                trace: None,
            }),
            _ => Err(InvalidEvent::Fields(problems)),
        }
    }

    /// The same, published in this trace.
    #[must_use]
    pub fn within(self, trace: Option<Trace>) -> Self {
        Self { trace, ..self }
    }

    /// How much its data and metadata take, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.data.get().len() + self.metadata.as_deref().map_or(0, |metadata| metadata.get().len())
    }

    pub(crate) fn created_at(&self) -> Option<&str> {
        self.created_at.as_deref()
    }

    pub(crate) fn data(&self) -> &RawValue {
        &self.data
    }

    pub(crate) fn metadata(&self) -> Option<&RawValue> {
        self.metadata.as_deref()
    }

    /// What the event was published with, its id aside.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut digest = Sha256::new();
        let metadata = self.metadata.as_deref().map_or("", RawValue::get);
        let parts =
            [self.event_type.as_str(), self.created_at.as_deref().unwrap_or(""), self.data.get(), metadata];
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        Fingerprint(digest.finalize().into())
    }

    /// The event under this id, accepted at `now`.
    #[must_use]
    pub fn accept(&self, id: EventId, now: Time) -> Event {
        let created_at = self.created_at.as_deref().map_or_else(|| now.to_string(), str::to_owned);
        // Id, type and time have no character that JSON escapes.
        let mut payload = format!(
            r#"{{"id":"{id}","type":"{}","created_at":"{created_at}","data":{}"#,
            self.event_type,
            self.data.get()
        );
        if let Some(metadata) = &self.metadata {
            payload.push_str(r#","metadata":"#);
            payload.push_str(metadata.get());
        }
        let (event_type, payload) = (self.event_type.clone(), payload.into_bytes().into());
        Event { id, event_type, payload, trace: self.trace }
    }
}

impl Event {
    /// The JSON object that a receiver gets: the event and which try of which webhook this is.
    #[must_use]
    pub fn body(&self, webhook: WebhookId, attempt: u32) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.payload.len() + ENVELOPE_BYTES);
        self.write(webhook, attempt, &mut body);
        body
    }

    /// Appends that object to a body.
    pub(crate) fn write(&self, webhook: WebhookId, attempt: u32, body: &mut Vec<u8>) {
        let envelope = format!(
            r#","webhook":{{"id":"{webhook}","attempt":{attempt},"version":"{ENVELOPE_VERSION}"}}}}"#
        );
        body.extend_from_slice(&self.payload);
        body.extend_from_slice(envelope.as_bytes());
    }
}

impl fmt::Debug for Event {
    /// Without the payload: it is the producer's, and may be large.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, event_type, payload, trace: _ } = self;
        write!(f, "Event({id}, {event_type}, {} bytes)", payload.len())
    }
}

const FIELDS: [&str; 5] = ["id", "type", "created_at", "data", "metadata"];

/// The members of a JSON object, unread. A member that comes twice is an error: which one counts
/// would differ between us and the receiver.
struct Members<'a>(HashMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = HashMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if members.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("field `{name}` comes twice")));
                    }
                    members.insert(name, value);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A string, or why it is none.
fn text(raw: &RawValue) -> Result<String, String> {
    serde_json::from_str(raw.get()).map_err(|_| "must be a string".to_owned())
}

/// The checked value of an optional text field; reports what is wrong with it.
fn checked<T>(
    field: Option<Result<String, String>>,
    name: &str,
    report: &mut impl FnMut(&str, String),
    check: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    field?.and_then(|text| check(&text)).map_err(|detail| report(name, detail)).ok()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn problems(json: &str) -> Vec<(String, String)> {
        match Draft::parse(json.as_bytes()).unwrap_err() {
            InvalidEvent::Fields(problems) => problems.into_iter().map(|p| (p.pointer, p.detail)).collect(),
            InvalidEvent::Json(error) => panic!("not about fields: {error}"),
        }
    }

    #[test]
    fn data_and_metadata_reach_the_receiver_byte_for_byte() {
        let json = r#"{"type":"custom.odd","metadata":{ "b":1.0e+2 , "a":"\u00e9" },
            "data":{"z":10000000000000000000000001,"a":[1.10]},"id":"evt_1","created_at":"2024-01-15T10:30:00Z"}"#;
        let event = Draft::parse(json.as_bytes()).unwrap().accept("evt_1".parse().unwrap(), Time::MIN);
        let webhook = WebhookId::from_uid(Uuid::from_u128(1));
        assert_eq!(
            String::from_utf8(event.body(webhook, 2)).unwrap(),
            r#"{"id":"evt_1","type":"custom.odd","created_at":"2024-01-15T10:30:00Z","data":{"z":10000000000000000000000001,"a":[1.10]},"metadata":{ "b":1.0e+2 , "a":"\u00e9" },"webhook":{"id":"webhook_00000000000000000000000000000001","attempt":2,"version":"1.0"}}"#
        );
    }

    #[test]
    fn no_envelope_takes_more_than_its_bound() {
        let event =
            Draft::parse(br#"{"type":"a","data":{}}"#).unwrap().accept("e".parse().unwrap(), Time::MIN);
        let body = event.body(WebhookId::from_uid(Uuid::from_u128(1)), u32::MAX);
        assert_eq!(body.len(), event.payload.len() + ENVELOPE_BYTES);
    }

    #[test]
    fn id_and_time_have_defaults() {
        let draft = Draft::parse(br#"{"type":"test.ping","data":{},"id":null}"#).unwrap();
        assert!(draft.id.is_none());
        let event = draft.accept("evt_x".parse().unwrap(), Time::from_secs(1_705_314_600));
        assert!(
            event
                .payload
                .starts_with(br#"{"id":"evt_x","type":"test.ping","created_at":"2024-01-15T10:30:00.000Z""#)
        );
    }

    #[test]
    fn everything_wrong_is_reported_with_its_place() {
        let found = problems(r#"{"id":"a b","data":[],"metadata":1,"created_at":"noon","x/y":1}"#);
        let pointers: Vec<_> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, ["/id", "/created_at", "/type", "/data", "/metadata", "/x~1y"]);
        assert_eq!(problems(r#"{"type":7,"data":{}}"#), [("/type".into(), "must be a string".into())]);
    }

    #[test]
    fn what_is_not_one_json_object_is_refused() {
        for wrong in ["", "[]", "{", r#""x""#, "{} {}", r#"{"type":"a","type":"b","data":{}}"#, "\u{feff}{}"]
        {
            assert!(matches!(Draft::parse(wrong.as_bytes()), Err(InvalidEvent::Json(_))), "{wrong}");
        }
    }

    #[test]
    fn a_repetition_has_the_same_fingerprint_whatever_the_order_of_its_fields() {
        let print = |json: &str| Draft::parse(json.as_bytes()).unwrap().fingerprint();
        let first = print(r#"{"type":"a.b","data":{"x":1},"id":"e"}"#);
        assert_eq!(first, print(r#"{ "id":"e", "data":{"x":1}, "type":"a.b" }"#));
        assert_ne!(first, print(r#"{"type":"a.b","data":{"x":2},"id":"e"}"#));
        assert_ne!(first, print(r#"{"type":"a.b","data":{"x":1},"metadata":{},"id":"e"}"#));
    }
}
