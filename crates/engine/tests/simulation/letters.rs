//! Where deliveries go that failed, held against what each webhook names.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookwright_engine::delivery::{Kind, Record, State};
use hookwright_engine::endpoint::Endpoint;
use hookwright_engine::id::{DeliveryId, WebhookId};

use crate::log::Row;

/// The webhooks that exist.
pub type Endpoints = BTreeMap<WebhookId, Arc<Endpoint>>;

/// The engine says how a delivery of this kind stands: may it be handed on, and is it?
pub fn assert_handed(record: &Record, kind: Kind, endpoints: &Endpoints) {
    assert_eq!(record.dead_letter.is_some(), record.state == State::DeadLettered);
    let Some(endpoint) = endpoints.get(&record.webhook) else { return };
    let named = |it: &&Arc<Endpoint>| Some(&it.name) == endpoint.dead_letter.as_ref() && it.id != endpoint.id;
    let named = endpoints.values().find(named).map(|it| it.id);
    match record.state {
        State::DeadLettered => {
            assert_eq!(kind, Kind::Event, "{} was handed on though it is a {kind:?}", record.id);
            assert_eq!(record.dead_letter, named, "{} was handed to the wrong webhook", record.id);
        }
        State::Failed if kind == Kind::Event => {
            assert_eq!(named, None, "{} was not handed on", record.id);
        }
        State::Failed | State::Pending { .. } | State::Delivered | State::Canceled => {}
    }
}

/// Nothing that was handed on is lost, and nothing was handed on twice or any further.
pub fn assert_whole(rows: &BTreeMap<DeliveryId, Row>) {
    for (id, row) in rows {
        let letters = rows.values().filter(|letter| letter.dead_letter_of == Some(*id)).count();
        assert!(letters <= 1, "{id} has {letters} dead letters");
        assert!(row.state != State::DeadLettered || letters == 1, "{id} has no dead letter: {row:?}");
        assert!(row.kind == Kind::Event || letters == 0, "{id} was handed on: {row:?}");
        assert_eq!(row.kind == Kind::DeadLetter, row.dead_letter_of.is_some());
    }
}
