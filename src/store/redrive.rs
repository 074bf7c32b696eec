//! Which failed deliveries are to be made due again, and who asked for it.

use hookwright_engine::id::DeliveryId;
use hookwright_engine::pattern::EventType;
use hookwright_engine::time::Time;
use uuid::Uuid;

/// Which of a webhook's failed and dead-lettered deliveries are redriven; all, where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only made at or after this time.
    pub since: Option<Time>,
    /// Only made before this time.
    pub until: Option<Time>,
    /// Only of events of this type.
    pub event_type: Option<EventType>,
}

/// Something that a user asks for by an annotation: done once per value, whatever happens between
/// doing it and saying so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The annotation of an object: the same for each of its values.
    pub by: Uuid,
    /// Its value.
    pub value: String,
}

/// A part of a redrive that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// How many deliveries are due now.
    pub count: u64,
    /// When the redrive was asked for; what failed since is left alone.
    pub asked_at: Time,
    /// Where it goes on, unless all of it is done.
    pub last: Option<DeliveryId>,
}
