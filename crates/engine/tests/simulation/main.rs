//! The engine against a world that goes wrong in every way, many thousand times over. A failure
//! names its seed; `SEED=<n>` runs that one alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

mod batches;
mod circuit;
mod letters;
mod line;
mod log;
mod pace;
mod restraint;
mod streak;
mod temper;
mod webhook;
mod world;

use world::World;

const SEEDS: u64 = 4_000;
const ACTIONS: usize = 400;

#[test]
fn whatever_happens_no_delivery_is_lost_early_or_endless() {
    let only = std::env::var("SEED").ok().map(|seed| seed.parse().expect("SEED is a number"));
    let seeds = only.map_or(0..SEEDS, |seed: u64| seed..seed + 1);
    let (mut sent, mut held) = (0, 0);
    for seed in seeds {
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..ACTIONS {
                world.act();
            }
            world.settle();
            (world.sent, world.held)
        });
        let run = run.unwrap_or_else(|_| panic!("the world of SEED={seed} broke a promise, see above"));
        (sent, held) = (sent + run.0, held + run.1);
    }
    assert!(sent > 0, "nothing was ever sent: the simulation proves nothing");
    assert!(held > 0 || only.is_some(), "no receiver failed for days: the simulation proves little");
}
