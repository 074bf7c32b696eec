//! The keep-alive pools.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hookwright_engine::endpoint::{KeepAlive, Tls};
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use super::connector::Connector;
use super::recent::Recent;
use super::resolver::Resolver;
use super::tls;
use crate::transport::guard::Policy;

/// Pools at a time. Webhooks rarely differ in what makes up a [`Profile`].
const MAX_CLIENTS: usize = 256;
/// How long a pool is kept that nobody uses: longer than any connection of it.
const MAX_UNUSED: Duration = Duration::from_secs(KeepAlive::MAX_IDLE_TIMEOUT_SECONDS as u64);
/// Read ahead of what is asked for, per connection, in bytes; also the longest head of a response.
const READ_BUFFER: u32 = 64 * 1024;
/// How often the peer of an HTTP/2 connection in use is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// How long it may take to say so.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends requests over connections of one pool.
pub(super) type Client = legacy::Client<Connector, Full<Bytes>>;

/// What connections must have in common to be shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Profile {
    /// Whom we trust, and who we are; `None` for the usual.
    pub(super) tls: Option<Arc<Tls>>,
    /// How long the name lookup, TCP and TLS may take together.
    pub(super) connect: Duration,
    /// How many idle connections to each receiver are kept, and for how long.
    pub(super) keep_alive: KeepAlive,
}

/// Makes clients, one per profile, and keeps them.
pub(super) struct Clients {
    resolver: Resolver,
    roots: Arc<RootCertStore>,
    usual: ClientConfig,
    current: Mutex<Current>,
}

struct Current {
    policy: Arc<Policy>,
    by_profile: Recent<Profile, Client>,
}

impl Clients {
    pub(super) fn new(
        policy: Policy,
        resolver: Resolver,
        roots: Arc<RootCertStore>,
    ) -> Result<Self, rustls::Error> {
        let usual = tls::usual(Arc::clone(&roots))?;
        let by_profile = Recent::new(MAX_CLIENTS, MAX_UNUSED);
        let current = Mutex::new(Current { policy: Arc::new(policy), by_profile });
        Ok(Self { resolver, roots, usual, current })
    }

    /// Connections are made by this policy from now on. Those of the old one are closed as they become idle.
    pub(super) fn set_policy(&self, policy: Policy) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.policy = Arc::new(policy);
        current.by_profile.clear();
    }

    /// The client of a profile. Fails where its certificates cannot be used.
    pub(super) fn get(&self, profile: &Profile) -> Result<Client, rustls::Error> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = current.by_profile.get(profile) {
            return Ok(client.clone());
        }
        let client = self.build(Arc::clone(&current.policy), profile)?;
        current.by_profile.insert(profile.clone(), client.clone());
        Ok(client)
    }

    fn build(&self, policy: Arc<Policy>, profile: &Profile) -> Result<Client, rustls::Error> {
        let tls = match &profile.tls {
            None => self.usual.clone(),
            Some(tls) => tls::own(tls, &self.roots)?,
        };
        let connector = Connector::new(policy, self.resolver.clone(), tls, profile.connect);
        let KeepAlive { max_idle, idle_timeout } = profile.keep_alive;
        let client = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(idle_timeout)
            .pool_max_idle_per_host(max_idle as usize)
            // A request that meets a connection which was closed before a byte of it was sent is sent
            // over another one. One that may have arrived is never repeated here.
            .retry_canceled_requests(true)
            .http1_max_buf_size(READ_BUFFER as usize)
            .http2_initial_stream_window_size(READ_BUFFER)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .build(connector);
        Ok(client)
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}
