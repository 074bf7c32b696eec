//! Tests against the real thing: a Kubernetes control plane, the operator as a process, receivers on sockets.
//!
//! One binary, so that its tests share one control plane; each test has a namespace of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "the test runner shows it for tests that fail")]

mod access;
mod backup;
mod bad_input;
mod batches;
mod by_hand;
mod chart;
mod cli;
mod command_line;
mod control_plane;
mod cookbook;
mod custom_resources;
mod dead_letters;
mod deliveries;
mod demo;
mod docs;
mod example_receivers;
mod example_webhooks;
mod filters;
mod gitops;
mod held;
mod kubeconform;
mod oauth2;
mod openapi;
mod ordering;
mod pace;
mod packaging;
mod publishing;
mod readme;
mod released;
mod restarts;
mod standalone;
mod standalone_callers;
mod standalone_webhooks;
mod standard_webhooks;
mod support;
mod tidy;
mod traces;
mod webhook_controller;
mod webhooks_api;
