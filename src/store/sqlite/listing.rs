//! Lists of a webhook's deliveries, newest first, each kind along an index that fits it.

use hookwright_engine::id::DeliveryId;
use hookwright_engine::pattern::EventType;
use hookwright_engine::time::Time;
use rusqlite::{Connection, named_params};

use super::row;
use crate::store::{Delivery, Group, Query};

/// The most deliveries of one list.
const MAX_LIMIT: usize = 1000;

/// The deliveries of a webhook that a query asks for.
pub(super) fn deliveries(
    connection: &Connection,
    webhook: i64,
    query: &Query,
) -> rusqlite::Result<Vec<Delivery>> {
    let ids = ids(connection, webhook, query)?;
    let found = ids.into_iter().map(|id| row::delivery(connection, id));
    // In one snapshot, all of them are found.
    found.filter_map(Result::transpose).collect()
}

fn ids(connection: &Connection, webhook: i64, query: &Query) -> rusqlite::Result<Vec<DeliveryId>> {
    let Query { delivered, group, event_type, since, until, before, limit } = query;
    let sources = sources(*group, *delivered);
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let until = until.map_or(i64::MAX, |until| row::number(DeliveryId::first_at(until)));
    let before = before.map_or(i64::MAX, row::number);
    connection
        .prepare_cached(&sql(sources))?
        .query_map(
            named_params! {
                ":webhook": webhook,
                ":type": event_type.as_ref().map(EventType::as_str),
                ":since": row::number(DeliveryId::first_at(since.unwrap_or(Time::MIN))),
                ":before": until.min(before),
                ":limit": i64::try_from((*limit).min(MAX_LIMIT)).unwrap_or(i64::MAX),
            },
            |row| row::delivery_id(row, 0),
        )?
        .collect()
}

/// Which states to look for, and along which index: that of the states where there is one, so that
/// a few failures are found among a million deliveries.
pub(super) const fn sources(
    group: Option<Group>,
    delivered: Option<bool>,
) -> &'static [(&'static str, &'static str)] {
    match (group, delivered) {
        (None, None) => &[("deliveries_by_webhook", "TRUE")],
        (None | Some(Group::Delivered), Some(true)) | (Some(Group::Delivered), None) => {
            &[("deliveries_by_webhook", "state = 1")]
        }
        (None, Some(false)) => &[
            ("deliveries_unfinished", "state = 0"),
            ("deliveries_in_line", "state <= 0 AND line IS NOT NULL AND state = -1"),
            ("deliveries_unwell", "state > 1"),
        ],
        (Some(Group::Pending), None | Some(false)) => {
            const PARKED: &str = "state <= 0 AND line IS NOT NULL AND state = -1 AND attempts = 0";
            &[("deliveries_unfinished", "state = 0 AND attempts = 0"), ("deliveries_in_line", PARKED)]
        }
        (Some(Group::Retrying), None | Some(false)) => {
            &[("deliveries_retrying", "state <= 0 AND attempts > 0")]
        }
        (Some(Group::Failed), None | Some(false)) => &[("deliveries_unwell", "state > 1 AND state < 4")],
        (Some(Group::Canceled), None | Some(false)) => &[("deliveries_unwell", "state > 1 AND state = 4")],
        // A contradiction.
        (Some(Group::Delivered), Some(false))
        | (Some(Group::Pending | Group::Retrying | Group::Failed | Group::Canceled), Some(true)) => &[],
    }
}

pub(super) fn sql(sources: &[(&str, &str)]) -> String {
    let selects: Vec<_> = sources
        .iter()
        .map(|(index, states)| {
            format!(
                "SELECT id FROM deliveries AS d INDEXED BY {index}
                 WHERE webhook = :webhook AND {states} AND id >= :since AND id < :before
                 AND (:type IS NULL OR EXISTS (SELECT 1 FROM events WHERE key = d.event AND type = :type))"
            )
        })
        .collect();
    format!("{} ORDER BY id DESC LIMIT :limit", selects.join(" UNION ALL "))
}
