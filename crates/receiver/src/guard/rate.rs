//! So many requests a minute.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use axum::body::Body;
use axum::http::Request;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::{Clients, Guard, Guarded};
use crate::refusal::Refusal;

/// Clients that are remembered before those that have been quiet are forgotten.
const MAX_CLIENTS: usize = 10_000;

/// Lets each client make so many requests a minute, all at once if it likes.
#[derive(Debug)]
pub struct RateLimit {
    clients: Clients,
    limiter: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl RateLimit {
    /// 100 requests.
    pub const DEFAULT: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

    /// The layer that lets each client make so many requests a minute.
    #[must_use]
    pub fn per_minute(clients: Clients, requests: NonZeroU32) -> Guarded<Self> {
        let limiter = RateLimiter::keyed(Quota::per_minute(requests));
        Guarded::by(Self { clients, limiter, clock: DefaultClock::default() })
    }
}

impl Guard for RateLimit {
    fn admit(&self, request: &Request<Body>) -> Result<(), Refusal> {
        let client = network(self.clients.of(request)?);
        if self.limiter.len() >= MAX_CLIENTS {
            self.limiter.retain_recent();
        }
        self.limiter
            .check_key(&client)
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
