//! The receiver as its senders see it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // clippy knows tests by their attribute only

mod answering;
mod guards;
mod handling;
mod support;
mod verifying;
