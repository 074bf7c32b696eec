//! Which deliveries of a webhook are shown as objects: a bounded view of the log. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use hookwright_engine::attempt::Verdict;
use hookwright_engine::delivery::{self, State};
use hookwright_engine::id::DeliveryId;
use hookwright_engine::time::Time;

use crate::crd::webhook::{History, Record};
use crate::store::Delivery;

/// Delivered ones kept per webhook where it does not say otherwise.
const DEFAULT_SUCCESSFUL: usize = 3;
/// Failed ones kept per webhook where it does not say otherwise.
const DEFAULT_FAILED: usize = 20;

/// What a webhook's `history` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Which deliveries are shown.
    pub record: Record,
    /// Most delivered ones.
    pub successful: usize,
    /// Most of those that have failed and were not delivered since.
    pub failed: usize,
    /// How long after its end a delivery is shown.
    pub ttl: Option<Duration>,
}

impl From<Option<&History>> for Limits {
    fn from(history: Option<&History>) -> Self {
        let limit = |limit: Option<u32>| limit.and_then(|limit| usize::try_from(limit).ok());
        Self {
            record: history.and_then(|it| it.record).unwrap_or_default(),
            successful: history.and_then(|it| limit(it.successful_limit)).unwrap_or(DEFAULT_SUCCESSFUL),
            failed: history.and_then(|it| limit(it.failed_limit)).unwrap_or(DEFAULT_FAILED),
            ttl: history
                .and_then(|it| it.ttl_seconds_after_finished)
                .map(|seconds| Duration::from_secs(seconds.into())),
        }
    }
}

/// What a shown delivery counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Delivered.
    Success,
    /// Anything else that was attempted or ended.
    Failure,
}

/// A delivery that may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The delivery.
    pub id: DeliveryId,
    /// What it counts as.
    pub kind: Kind,
    /// Whether an attempt of it failed.
    pub failed_once: bool,
    /// When it ended.
    pub finished: Option<Time>,
}

impl Candidate {
    /// A delivery that was not attempted yet is not shown; one that an object asked for is shown
    /// by that object, but for tests, which no object asks for.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Option<Self> {
        let kind = match delivery.state {
            State::Delivered => Kind::Success,
            State::Pending { .. } if delivery.attempts == 0 => return None,
            State::Pending { .. } | State::Failed | State::DeadLettered | State::Canceled => Kind::Failure,
        };
        let well = |it: &hookwright_engine::attempt::Attempt| it.outcome.verdict() == Verdict::Success;
        let failed_once = delivery.attempts > 1 || !delivery.last_attempt.as_ref().is_none_or(well);
        let Delivery { id, finished, .. } = *delivery;
        let shown = delivery.origin.is_none() || delivery.kind == delivery::Kind::Test;
        shown.then_some(Self { id, kind, failed_once, finished })
    }
}

/// How many objects there may be, given those of other webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Beside all objects of others.
    pub total: usize,
    /// Were all successes of others removed.
    pub failures: usize,
}

/// What is to be done to the objects of a webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Shown from now on, failures first.
    pub create: Vec<DeliveryId>,
    /// Not shown any more.
    pub delete: Vec<DeliveryId>,
    /// How many successes of other webhooks must make room first.
    pub evict: usize,
    /// Whether the webhook's own limits were all that left deliveries out.
    pub complete: bool,
}

/// Chooses what is shown. Free places are filled at once; what is shown gives way to newer
/// deliveries only where `refresh` says so, or a flood of deliveries would be a flood of objects.
#[must_use]
pub fn plan(
    limits: &Limits,
    candidates: &[Candidate],
    shown: &BTreeSet<DeliveryId>,
    room: Room,
    refresh: bool,
    now: Time,
) -> Plan {
    let pick = |kind, limit: usize| {
        let mut picked: Vec<_> = candidates
            .iter()
            .filter(|it| it.kind == kind && wanted(limits, it, now))
            .map(|it| it.id)
            .collect();
        picked.sort_unstable_by_key(|&id| (!refresh && !shown.contains(&id), std::cmp::Reverse(id)));
        picked.dedup();
        picked.truncate(limit);
        picked
    };
    let (mut failures, mut successes) =
        (pick(Kind::Failure, limits.failed), pick(Kind::Success, limits.successful));
    let asked = failures.len() + successes.len();
    failures.truncate(room.failures);
    successes.truncate(room.total.saturating_sub(failures.len()));
    let chosen: BTreeSet<_> = failures.iter().chain(&successes).copied().collect();
    Plan {
        create: failures.iter().chain(&successes).filter(|id| !shown.contains(id)).copied().collect(),
        delete: shown.difference(&chosen).copied().collect(),
        evict: failures.len().saturating_sub(room.total),
        complete: chosen.len() == asked,
    }
}

fn wanted(limits: &Limits, candidate: &Candidate, now: Time) -> bool {
    let recorded = match limits.record {
        Record::All => true,
        Record::Failures => candidate.failed_once,
        Record::None => false,
    };
    let expired = |finished: Time| limits.ttl.is_some_and(|ttl| finished + ttl <= now);
    recorded && !candidate.finished.is_some_and(expired)
}

#[cfg(test)]
mod tests;
