use proptest::prelude::*;

use super::*;

const NOW: Time = Time::from_secs(1_000_000);
const PLENTY: Room = Room { total: 5000, failures: 5000 };

fn ids(numbers: &[u64]) -> Vec<DeliveryId> {
    numbers.iter().map(|&n| DeliveryId::from_u64(n)).collect()
}

fn candidates(kind: Kind, numbers: impl IntoIterator<Item = u64>) -> Vec<Candidate> {
    let candidate = |n| Candidate {
        id: DeliveryId::from_u64(n),
        kind,
        failed_once: kind == Kind::Failure,
        finished: Some(NOW - Duration::from_mins(1)),
    };
    numbers.into_iter().map(candidate).collect()
}

fn shown(numbers: &[u64]) -> BTreeSet<DeliveryId> {
    ids(numbers).into_iter().collect()
}

fn limits() -> Limits {
    Limits::from(None)
}

#[test]
fn the_defaults_are_three_successes_and_twenty_failures() {
    let all = [candidates(Kind::Success, 0..50), candidates(Kind::Failure, 100..150)].concat();
    let plan = plan(&limits(), &all, &BTreeSet::new(), PLENTY, true, NOW);
    assert_eq!(plan.create.len(), 23);
    assert_eq!(plan.create[0], DeliveryId::from_u64(149));
    assert_eq!(plan.create[20..], ids(&[49, 48, 47]));
    assert!(plan.complete && plan.evict == 0 && plan.delete.is_empty());
}

#[test]
fn a_flood_replaces_nothing_until_it_may() {
    let flood = candidates(Kind::Success, 0..100);
    let patient = plan(&limits(), &flood, &shown(&[1, 2, 3]), PLENTY, false, NOW);
    assert_eq!(patient, Plan { complete: true, ..Plan::default() });
    let fresh = plan(&limits(), &flood, &shown(&[1, 2, 3]), PLENTY, true, NOW);
    assert_eq!((fresh.create, fresh.delete), (ids(&[99, 98, 97]), ids(&[1, 2, 3])));
    let free = plan(&limits(), &flood, &shown(&[1]), PLENTY, false, NOW);
    assert_eq!((free.create, free.delete), (ids(&[99, 98]), vec![]));
}

#[test]
fn what_the_log_does_not_know_is_not_shown() {
    let plan = plan(&limits(), &candidates(Kind::Success, [5]), &shown(&[4, 5]), PLENTY, false, NOW);
    assert_eq!((plan.create, plan.delete), (vec![], ids(&[4])));
}

#[test]
fn a_failure_that_was_delivered_counts_as_a_success() {
    let all = candidates(Kind::Success, [1, 2, 3, 9]);
    let plan = plan(&limits(), &all, &shown(&[1, 2, 3, 9]), PLENTY, false, NOW);
    assert_eq!(plan.delete, ids(&[1]));
}

#[test]
fn record_and_ttl_are_obeyed() {
    let all = [candidates(Kind::Success, [1]), candidates(Kind::Failure, [2])].concat();
    let count = |limits: Limits| plan(&limits, &all, &BTreeSet::new(), PLENTY, true, NOW).create;
    assert_eq!(count(Limits { record: Record::Failures, ..limits() }), ids(&[2]));
    assert_eq!(count(Limits { record: Record::None, ..limits() }), ids(&[]));
    assert_eq!(count(Limits { ttl: Some(Duration::from_secs(61)), ..limits() }), ids(&[2, 1]));
    assert_eq!(count(Limits { ttl: Some(Duration::from_mins(1)), ..limits() }), ids(&[]));
}

#[test]
fn over_budget_successes_go_first_and_the_plan_says_so() {
    let all = [candidates(Kind::Success, [1, 2]), candidates(Kind::Failure, [3, 4])].concat();
    let plan = |room| plan(&limits(), &all, &shown(&[1, 3]), room, true, NOW);
    let tight = plan(Room { total: 3, failures: 9 });
    assert_eq!((tight.create, tight.delete, tight.evict), (ids(&[4, 2]), ids(&[1]), 0));
    assert!(!tight.complete);
    let tighter = plan(Room { total: 1, failures: 9 });
    assert_eq!((tighter.create, tighter.delete, tighter.evict), (ids(&[4]), ids(&[1]), 1));
    let full = plan(Room { total: 0, failures: 0 });
    assert_eq!((full.create, full.delete, full.evict), (ids(&[]), ids(&[1, 3]), 0));
}

proptest! {
    #[test]
    fn there_are_never_more_objects_than_limits(
        successes in prop::collection::btree_set(0_u64..60, 0..40),
        failures in prop::collection::btree_set(60_u64..120, 0..40),
        existing in prop::collection::btree_set(0_u64..130, 0..40),
        (successful, failed) in (0_usize..10, 0_usize..10),
        (total, beyond) in (0_usize..30, 0_usize..10),
        refresh: bool,
    ) {
        let limits = Limits { successful, failed, ..limits() };
        let all = [candidates(Kind::Success, successes), candidates(Kind::Failure, failures)].concat();
        let existing: BTreeSet<_> = existing.into_iter().map(DeliveryId::from_u64).collect();
        let room = Room { total, failures: total + beyond };
        let plan = plan(&limits, &all, &existing, room, refresh, NOW);
        let mut after: BTreeSet<_> = existing.iter().filter(|id| !plan.delete.contains(id)).copied().collect();
        after.extend(plan.create.iter().copied());
        let successes = after.iter().filter(|id| id.as_u64() < 60).count();
        prop_assert!(successes <= successful);
        prop_assert!(after.len() - successes <= failed);
        prop_assert!(after.len() <= total + plan.evict);
        prop_assert!(after.iter().all(|id| all.iter().any(|it| it.id == *id)));
        // Nothing changes once it is done.
        let again = super::plan(&limits, &all, &after, Room { total: total + plan.evict, ..room }, refresh, NOW);
        prop_assert!(again.create.is_empty() && again.delete.is_empty());
    }
}
