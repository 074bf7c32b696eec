//! Hookwright: webhooks as Kubernetes objects, delivered by a durable engine inside the operator.
//!
//! Actors and flow:
//!
//! ```text
//! controller ── Endpoint ──► delivery (driver of the engine) ◄── publish ── api
//! standalone ───────┘            │            ▲
//!                        write   ▼            │ Notice
//!                              store ─────────┘        delivery ── Request ──► transport ──► receiver
//!                                ▲                         │ Change
//!                                └────── read ── projector ◄┘──► Webhook.status, WebhookDelivery
//! ```
//!
//! - [`delivery`] runs [`hookwright_engine::engine::Engine`] against [`store`], [`transport`] and [`clock`].
//! - [`controller`] (a cluster) and [`standalone`] (a folder) turn manifests into endpoints.
//! - [`projector`] turns what the store knows into status, bounded and coalesced.
//! - [`api`] takes events; [`app`] wires all of it and shuts it down in order.
//! - [`cli`] is the command line of those who use it, and calls the API, or the API server, as anybody does.

pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod controller;
pub mod crd;
pub mod delivery;
pub mod metrics;
pub mod projector;
pub mod reference;
pub mod reload;
pub mod signing_key;
pub mod standalone;
pub mod store;
pub mod telemetry;
pub mod transport;
