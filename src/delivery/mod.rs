//! The driver: runs the engine against the store, the transport and the clock.
//!
//! ```text
//! Handle ── publish ──► store ── Notice ──► Driver ── Effect::Command ──► store
//!        ── upsert ───────────────────────►   │  ▲
//!                                Effect::Send ▼  │ Attempt
//!                                          transport            Driver ── Change ──► whoever shows it
//! ```
//!
//! The driver never blocks on the store: commands wait in its outbox while it goes on listening to
//! notices, so that neither waits for the other. Where the store falls behind, outcomes are left
//! where they are, and with them the requests that would follow.

mod change;
mod circuits;
mod directory;
mod driver;
mod flight;
mod handle;
mod restraints;
mod screening;
#[cfg(test)]
mod tests;

pub use change::{Attempted, Change, What};
pub use driver::{Driver, Options};
pub use handle::{Handle, Obstacle};
pub use restraints::Restrained;
