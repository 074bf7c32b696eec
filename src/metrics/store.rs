//! The store's own counters, read when the page is.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::store::Stats;

/// What the store has done and holds, at one moment.
#[derive(Debug)]
pub(super) struct StoreStats(pub(super) Stats);

impl Collector for StoreStats {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Stats {
            commits,
            syncs,
            failures,
            requests,
            refused,
            commands,
            backlog,
            removed,
            used_bytes,
            free_bytes,
            quota_bytes,
        } = self.0;
        for (name, help, count) in [
            ("store_commits", "Transactions committed", commits),
            ("store_syncs", "Transactions that waited for the disk", syncs),
            ("store_failures", "Transactions that failed", failures),
            ("store_requests", "Publishes, retries, cancellations and replays answered", requests),
            ("store_refused", "Publishes refused for want of room", refused),
            ("store_commands", "Commands of the engine carried out", commands),
            ("store_removed_deliveries", "Deliveries removed by retention", removed),
        ] {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        for (name, help, level) in [
            ("store_backlog_commands", "Commands of the engine that wait to be carried out", backlog),
            ("store_used_bytes", "Bytes of the database in use", used_bytes),
            ("store_free_bytes", "Bytes of the database that are free to be used again", free_bytes),
            ("store_quota_bytes", "Bytes that may be in use before publishing is refused", quota_bytes),
        ] {
            let gauge = ConstGauge::new(level);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}
