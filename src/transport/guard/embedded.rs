//! IPv4 addresses carried by IPv6 addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::ranges::{COMPATIBLE, NAT64, NAT64_LOCAL, SIX_TO_FOUR, TEREDO, TRANSLATED};

/// The IPv4 addresses that an IPv6 address leads to, or may lead to. IPv4-mapped ones are not among them:
/// to connect to such an address is to connect over IPv4, so they are IPv4 addresses from the begin.
pub(super) fn carried(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let octets = address.octets();
    let at = |positions: [usize; 4]| Some(Ipv4Addr::from(positions.map(|position| octets[position])));
    let last = [12, 13, 14, 15];
    let carried = if [COMPATIBLE, TRANSLATED, NAT64].iter().any(|range| range.contains(&address)) {
        [at(last), None]
    } else if NAT64_LOCAL.contains(&address) {
        // Such a network chooses where the address stands: after 96 bits, or after 48 around octet 8.
        [at(last), at([6, 7, 9, 10])]
    } else if SIX_TO_FOUR.contains(&address) {
        [at([2, 3, 4, 5]), None]
    } else if TEREDO.contains(&address) {
        // The server, and the client with its bits inverted.
        [at([4, 5, 6, 7]), at(last).map(|client| Ipv4Addr::from_bits(!client.to_bits()))]
    } else {
        [None, None]
    };
    carried.into_iter().flatten()
}

/// A range of IPv4-mapped addresses as the range of IPv4 addresses that it stands for.
pub(super) fn canonical_range(range: IpNet) -> IpNet {
    let IpNet::V6(mapped) = range else { return range };
    let address = mapped.addr().to_ipv4_mapped();
    let prefix = mapped.prefix_len().checked_sub(96);
    address
        .zip(prefix)
        .and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok())
        .map_or(range, IpNet::V4)
}
