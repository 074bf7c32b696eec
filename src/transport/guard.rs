//! The egress guard: which addresses requests may be sent to.
//!
//! Denied unless the operator opens them are all addresses that are not global unicast, so that a
//! webhook cannot reach what only the operator's pod can: neighbours, the node, cloud metadata.
//! The guard judges the address that is connected to, never a name: what a name resolves to can
//! change between a check and its use.

mod embedded;
mod ranges;

use std::net::IpAddr;

use ipnet::IpNet;

/// Which addresses may be connected to.
///
/// An address is judged in this order:
/// 1. A range of `deny` denies it.
/// 2. Cloud metadata is denied, unless `allow` names the very address (`/32`, `/128`): opening
///    169.254.0.0/16 for a neighbour must not open 169.254.169.254 by accident.
/// 3. A range of `allow` allows it.
/// 4. It is denied unless it is global unicast.
///
/// An IPv6 address that carries an IPv4 address (IPv4-mapped, NAT64, 6to4, Teredo and the like) must
/// pass for itself and for what it carries. Not known here are NAT64 prefixes of a network's own:
/// operators who have one deny the part of it that leads inside.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
}

/// Why an address may not be connected to: what kind of address it is.
///
/// Never quotes the address: a message must not tell a tenant what an internal name resolves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// In one of the operator's closed ranges.
    #[error("an address that the operator closed")]
    Closed,
    /// Of a cloud's metadata service.
    #[error("a cloud metadata address")]
    Metadata,
    /// Not global unicast, but of this kind.
    #[error("{0} address")]
    Special(&'static str),
}

impl Policy {
    /// The default, with the operator's ranges opened and closed. Closed ones win.
    #[must_use]
    pub fn new(allow: Vec<IpNet>, deny: Vec<IpNet>) -> Self {
        let canonical = |ranges: Vec<IpNet>| ranges.into_iter().map(embedded::canonical_range).collect();
        Self { allow: canonical(allow), deny: canonical(deny) }
    }

    /// Whether an address may be connected to.
    pub fn check(&self, address: IpAddr) -> Result<(), Denied> {
        match address.to_canonical() {
            IpAddr::V4(address) => self.judge(address.into()),
            IpAddr::V6(address) => {
                self.judge(address.into())?;
                embedded::carried(address).try_for_each(|carried| self.judge(carried.into()))
            }
        }
    }

    /// Judges one address as it stands.
    fn judge(&self, address: IpAddr) -> Result<(), Denied> {
        let within = |ranges: &[IpNet]| ranges.iter().any(|range| range.contains(&address));
        if within(&self.deny) {
            return Err(Denied::Closed);
        }
        if ranges::METADATA.contains(&address) {
            let named = self.allow.contains(&IpNet::from(address));
            return if named { Ok(()) } else { Err(Denied::Metadata) };
        }
        if within(&self.allow) {
            return Ok(());
        }
        ranges::special(address).map_or(Ok(()), |kind| Err(Denied::Special(kind)))
    }
}

#[cfg(test)]
mod tests;
