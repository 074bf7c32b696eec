//! Counters of the writer.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the writer has done since it was opened, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions committed.
    pub commits: u64,
    /// Those of them that waited for the disk.
    pub syncs: u64,
    /// Transactions that failed.
    pub failures: u64,
    /// Requests answered: publishes, retries, cancellations, replays.
    pub requests: u64,
    /// Publishes refused for want of room.
    pub refused: u64,
    /// Commands carried out.
    pub commands: u64,
    /// Commands that wait to be carried out.
    pub backlog: u64,
    /// Deliveries removed by retention.
    pub removed: u64,
    /// Bytes in use.
    pub used_bytes: u64,
    /// Bytes of the file that are free to be used again.
    pub free_bytes: u64,
    /// Bytes that may be in use before publishing is refused.
    pub quota_bytes: u64,
}

/// [`Stats`] as the writer keeps them.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub commits: AtomicU64,
    pub syncs: AtomicU64,
    pub failures: AtomicU64,
    pub requests: AtomicU64,
    pub refused: AtomicU64,
    pub commands: AtomicU64,
    pub backlog: AtomicU64,
    pub removed: AtomicU64,
    pub used_bytes: AtomicU64,
    pub free_bytes: AtomicU64,
    pub quota_bytes: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> Stats {
        let Self {
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
        } = self;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            commits: read(commits),
            syncs: read(syncs),
            failures: read(failures),
            requests: read(requests),
            refused: read(refused),
            commands: read(commands),
            backlog: read(backlog),
            removed: read(removed),
            used_bytes: read(used_bytes),
            free_bytes: read(free_bytes),
            quota_bytes: read(quota_bytes),
        }
    }
}

/// Adds to a counter.
pub(super) fn add(counter: &AtomicU64, number: usize) {
    counter.fetch_add(number as u64, Ordering::Relaxed);
}

/// Sets a gauge.
pub(super) fn set(gauge: &AtomicU64, value: u64) {
    gauge.store(value, Ordering::Relaxed);
}
