//! So many requests a minute.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use moka::sync::Cache;

use super::{Clients, Guard, Guarded};
use crate::refusal::Refusal;

/// Clients that are remembered at a time. Beyond it those that send little are forgotten.
const MAX_CLIENTS: u64 = 10_000;
/// After this a quiet client has its full allowance again, so that it need not be remembered.
const QUIET: Duration = Duration::from_mins(1);

/// Lets each client make so many requests a minute, all at once if it likes.
#[derive(Debug)]
pub struct RateLimit {
    clients: Clients,
    quota: Quota,
    limiters: Cache<IpAddr, Arc<DefaultDirectRateLimiter>>,
    clock: DefaultClock,
}

impl RateLimit {
    /// 100 requests.
    pub const DEFAULT: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

    /// The layer that lets each client make so many requests a minute.
    #[must_use]
    pub fn per_minute(clients: Clients, requests: NonZeroU32) -> Guarded<Self> {
        let limiters = Cache::builder().max_capacity(MAX_CLIENTS).time_to_idle(QUIET).build();
        let quota = Quota::per_minute(requests);
        Guarded::by(Self { clients, quota, limiters, clock: DefaultClock::default() })
    }
}

impl Guard for RateLimit {
    fn admit(&self, request: &Request<Body>) -> Result<(), Refusal> {
        let client = network(self.clients.of(request)?);
        let limiter = self.limiters.get_with(client, || Arc::new(RateLimiter::direct(self.quota)));
        limiter
            .check()
            .map_err(|until| Refusal::TooMany { retry_after: until.wait_time_from(self.clock.now()) })
    }
}

/// Whoever has one address of IPv6 has 2⁶⁴ of them.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}
