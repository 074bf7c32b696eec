//! Requests from some addresses only.

use axum::body::Body;
use axum::http::Request;
use ipnet::IpNet;

use super::{Clients, Guard, Guarded};
use crate::refusal::Refusal;

/// Lets through what comes from some ranges of addresses. Signatures are the proof of a sender; this
/// keeps strangers from costing anything.
#[derive(Clone, Debug)]
pub struct AllowList {
    clients: Clients,
    ranges: Vec<IpNet>,
}

impl AllowList {
    /// The layer that lets these ranges through: `"10.0.0.0/8".parse()?`.
    pub fn layer(clients: Clients, ranges: impl IntoIterator<Item = IpNet>) -> Guarded<Self> {
        Guarded::by(Self { clients, ranges: ranges.into_iter().collect() })
    }
}

impl Guard for AllowList {
    fn admit(&self, request: &Request<Body>) -> Result<(), Refusal> {
        let client = self.clients.of(request)?;
        if self.ranges.iter().any(|range| range.contains(&client)) {
            return Ok(());
        }
        tracing::warn!(%client, "a request of an address that may not send was refused");
        Err(Refusal::Forbidden)
    }
}
