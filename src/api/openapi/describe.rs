//! What each route takes and answers, with examples: a function for each handler, of its name.

pub(in crate::api) mod deliveries;
pub(in crate::api) mod events;
pub(in crate::api) mod process;
pub(in crate::api) mod webhooks;
