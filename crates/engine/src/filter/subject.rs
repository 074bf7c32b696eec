//! An event as filters see it: read no further than they ask, and only once.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Failure;
use crate::event::{Draft, Event};
use crate::time::Time;

/// An event that filters are asked about.
#[derive(Debug)]
pub struct Subject {
    /// The fields that are texts.
    texts: Vec<(&'static str, String)>,
    data: Box<RawValue>,
    metadata: Option<Box<RawValue>>,
    resource_type: OnceLock<Option<Box<str>>>,
    user_id: OnceLock<Option<Box<str>>>,
    object_id: OnceLock<Option<Box<str>>>,
    event: OnceLock<Result<Value, Failure>>,
}

impl Subject {
    /// An event that is published at `now`. Without an id of the producer's it has none yet.
    #[must_use]
    pub fn of_draft(draft: &Draft, now: Time) -> Self {
        let created_at = draft.created_at().map_or_else(|| now.to_string(), str::to_owned);
        let mut texts = vec![("type", draft.event_type.to_string()), ("created_at", created_at)];
        texts.extend(draft.id.as_ref().map(|id| ("id", id.to_string())));
        Self::new(texts, draft.data().to_owned(), draft.metadata().map(ToOwned::to_owned))
    }

    /// An event that was accepted before. `None` where its payload is not what was accepted.
    #[must_use]
    pub fn of_event(event: &Event) -> Option<Self> {
        #[derive(Deserialize)]
        struct Payload<'a> {
            created_at: String,
            #[serde(borrow)]
            data: &'a RawValue,
            #[serde(borrow)]
            metadata: Option<&'a RawValue>,
        }
        let object = [&event.payload, b"}".as_slice()].concat();
        let Payload { created_at, data, metadata } = serde_json::from_slice(&object).ok()?;
        let texts = vec![
            ("id", event.id.to_string()),
            ("type", event.event_type.to_string()),
            ("created_at", created_at),
        ];
        Some(Self::new(texts, data.to_owned(), metadata.map(ToOwned::to_owned)))
    }

    fn new(texts: Vec<(&'static str, String)>, data: Box<RawValue>, metadata: Option<Box<RawValue>>) -> Self {
        Self {
            texts,
            data,
            metadata,
            resource_type: OnceLock::new(),
            user_id: OnceLock::new(),
            object_id: OnceLock::new(),
            event: OnceLock::new(),
        }
    }

    /// `data.object.type`, if it is a text.
    pub(super) fn resource_type(&self) -> Option<&str> {
        #[derive(Deserialize)]
        struct Data<'a> {
            #[serde(borrow)]
            object: &'a RawValue,
        }
        #[derive(Deserialize)]
        struct Object<'a> {
            #[serde(borrow, rename = "type")]
            kind: Cow<'a, str>,
        }
        let read = || {
            let data: Data<'_> = serde_json::from_str(self.data.get()).ok()?;
            let object: Object<'_> = serde_json::from_str(data.object.get()).ok()?;
            Some(object.kind.into())
        };
        self.resource_type.get_or_init(read).as_deref()
    }

    /// `metadata.user_id`, if it is a text.
    pub(super) fn user_id(&self) -> Option<&str> {
        #[derive(Deserialize)]
        struct Metadata<'a> {
            #[serde(borrow)]
            user_id: Cow<'a, str>,
        }
        let read = || {
            let metadata: Metadata<'_> = serde_json::from_str(self.metadata.as_ref()?.get()).ok()?;
            Some(metadata.user_id.into())
        };
        self.user_id.get_or_init(read).as_deref()
    }

    /// `data.object.id`: a text, or a number as it is written.
    pub(crate) fn object_id(&self) -> Option<&str> {
        #[derive(Deserialize)]
        struct Data<'a> {
            #[serde(borrow)]
            object: Object<'a>,
        }
        #[derive(Deserialize)]
        struct Object<'a> {
            #[serde(borrow)]
            id: &'a RawValue,
        }
        let read = || {
            let data: Data<'_> = serde_json::from_str(self.data.get()).ok()?;
            let id = data.object.id.get();
            match id.as_bytes().first()? {
                b'"' => serde_json::from_str::<Cow<'_, str>>(id).ok().map(Into::into),
                b'-' | b'0'..=b'9' => Some(id.into()),
                _ => None,
            }
        };
        self.object_id.get_or_init(read).as_deref()
    }

    /// The event as an object, whole.
    pub(super) fn event(&self) -> Result<&Value, Failure> {
        self.event.get_or_init(|| self.read()).as_ref().map_err(|failure| *failure)
    }

    fn read(&self) -> Result<Value, Failure> {
        let object = |raw: &RawValue| serde_json::from_str(raw.get()).map_err(|_| Failure::Unreadable);
        let mut event = Map::new();
        for (name, text) in &self.texts {
            event.insert((*name).to_owned(), text.as_str().into());
        }
        event.insert("data".to_owned(), object(&self.data)?);
        if let Some(metadata) = &self.metadata {
            event.insert("metadata".to_owned(), object(metadata)?);
        }
        Ok(event.into())
    }
}
