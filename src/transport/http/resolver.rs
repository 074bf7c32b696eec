//! Turns the host of a URL into addresses.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{self, Either};
use hickory_resolver::config::{ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, TokioResolver};
use tokio::time::{Instant, timeout, timeout_at};

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;
/// How long one name server may take before the question is asked again.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long "no such name" is believed, at most: a receiver that is being set up is found soon.
const NEGATIVE_TTL: Duration = Duration::from_secs(10);
/// How long an answer is believed, at most.
const POSITIVE_TTL: Duration = Duration::from_mins(5);
/// How long the answer for one address family waits for that of the other.
const FAMILY_DELAY: Duration = Duration::from_millis(250);

/// Why a host has no addresses.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Error {
    /// Not a name that DNS knows the form of.
    #[error("it is not a DNS name")]
    Name,
    /// The name does not exist, or has no addresses.
    #[error("there is no such name, or it has no address")]
    NotFound,
    /// The name servers could not be asked, or did not answer well.
    #[error("{0}")]
    Lookup(#[source] NetError),
    /// They did not answer in time.
    #[error("the name servers did not answer in time")]
    Timeout,
}

/// Resolves names by the system's hosts file and name servers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Resolver {
    hosts: Arc<Hosts>,
    dns: TokioResolver,
}

impl Resolver {
    /// By the system's configuration. Where there is none, only hosts and addresses resolve.
    pub(super) fn system() -> Result<Self, NetError> {
        let hosts = Hosts::from_system().unwrap_or_else(|error| {
            tracing::warn!(%error, "failed to read the hosts file; going on without it");
            Hosts::default()
        });
        let (config, options) = read_system_conf().unwrap_or_else(|error| {
            tracing::error!(%error, "failed to read /etc/resolv.conf; names of receivers will not resolve");
            Default::default()
        });
        Self::new(hosts, config, options)
    }

    pub(super) fn new(
        hosts: Hosts,
        config: ResolverConfig,
        mut options: ResolverOpts,
    ) -> Result<Self, NetError> {
        options.timeout = options.timeout.min(QUERY_TIMEOUT);
        options.negative_max_ttl = Some(NEGATIVE_TTL);
        options.positive_max_ttl = Some(POSITIVE_TTL);
        options.use_hosts_file = ResolveHosts::Never; // asked first, below, for both families at once
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        Ok(Self { hosts: Arc::new(hosts), dns: builder.with_options(options).build()? })
    }

    /// The addresses of the host of a URL, at least one.
    pub(super) async fn resolve(&self, host: &str, deadline: Instant) -> Result<Vec<IpAddr>, Error> {
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
            return Ok(vec![address]);
        }
        let mut name = Name::from_ascii(host).map_err(|_| Error::Name)?;
        // Absolute, so that no search domain of the pod turns it into another name.
        name.set_fqdn(true);
        let listed = self.listed(&name);
        if !listed.is_empty() {
            return Ok(listed);
        }
        timeout_at(deadline, self.ask(name)).await.map_err(|_| Error::Timeout)?
    }

    /// What the hosts file lists.
    fn listed(&self, name: &Name) -> Vec<IpAddr> {
        let families = [RecordType::A, RecordType::AAAA];
        let lookups =
            families.map(|family| self.hosts.lookup_static_host(&Query::query(name.clone(), family)));
        lookups.iter().flatten().flat_map(addresses).take(MAX_ADDRESSES).collect()
    }

    /// What the name servers say: both families, but once one has answered the other must hurry.
    async fn ask(&self, name: Name) -> Result<Vec<IpAddr>, Error> {
        let v4 = Box::pin(self.dns.ipv4_lookup(name.clone()));
        let v6 = Box::pin(self.dns.ipv6_lookup(name));
        let answers = match future::select(v4, v6).await {
            Either::Left((Ok(v4), v6)) => [Ok(v4), in_haste(v6).await],
            Either::Right((Ok(v6), v4)) => [in_haste(v4).await, Ok(v6)],
            Either::Left((Err(v4), v6)) => [Err(v4), v6.await],
            Either::Right((Err(v6), v4)) => [v4.await, Err(v6)],
        };
        let found: Vec<_> = answers.iter().flatten().flat_map(addresses).take(MAX_ADDRESSES).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let failed = answers.into_iter().filter_map(Result::err).find(|error| !error.is_no_records_found());
        Err(failed.map_or(Error::NotFound, Error::Lookup))
    }
}

async fn in_haste(lookup: impl Future<Output = Result<Lookup, NetError>>) -> Result<Lookup, NetError> {
    timeout(FAMILY_DELAY, lookup).await.unwrap_or(Err(NetError::Timeout))
}

fn addresses(lookup: &Lookup) -> impl Iterator<Item = IpAddr> {
    lookup.answers().iter().filter_map(|record| record.data.ip_addr())
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
