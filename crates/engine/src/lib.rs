//! The delivery engine: what to send, when, and what an outcome means. Pure: no I/O, no clock,
//! no Kubernetes. Time and randomness are arguments, decisions are data.
//!
//! Three facts last: an [`Event`](event::Event) (immutable), a [`delivery`] (event × webhook) and an
//! [`Attempt`](attempt::Attempt) (append-only). Everything the [`Engine`] holds is derived from
//! them and rebuilt at start.
//!
//! ```text
//! event ── subscriptions, filter: which webhooks? ──► deliveries ── Engine::step(now, input) ──► effects
//! ```
//!
//! Architecture Invariant: this crate performs no I/O and reads no clock; a seeded simulation of
//! crashes, slow receivers and clock jumps is an ordinary test (`tests/simulation.rs`).

pub mod attempt;
pub mod batch;
pub mod breaker;
pub mod command;
pub mod delivery;
pub mod endpoint;
pub mod engine;
pub mod event;
pub mod filter;
pub mod id;
pub mod ordering;
pub mod pattern;
pub mod rate;
pub mod restraint;
pub mod retry;
pub mod streak;
pub mod subscriptions;
pub mod time;
pub mod trace;
