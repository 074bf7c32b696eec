//! The addresses that are not global unicast, and those of cloud metadata.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Where clouds answer questions about the machine, credentials included. Some lie within global
/// unicast or within ranges that operators open for their neighbours.
pub(super) const METADATA: [IpAddr; 10] = [
    v4_address(169, 254, 169, 254),                      // nearly all clouds
    v4_address(169, 254, 170, 2),                        // AWS, credentials of tasks
    v4_address(169, 254, 170, 23),                       // AWS, credentials of pods
    v4_address(168, 63, 129, 16),                        // Azure, the wire server
    v4_address(100, 100, 100, 200),                      // Alibaba
    v4_address(192, 0, 0, 192),                          // Oracle
    v6_address([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]),   // AWS
    v6_address([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]),    // AWS, credentials of pods
    v6_address([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]),    // Google
    v6_address([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe]), // OpenStack
];

/// The kind of an address that is not global unicast.
pub(super) fn special(address: IpAddr) -> Option<&'static str> {
    let range = SPECIAL.iter().find(|(range, _)| range.contains(&address));
    match (range, address) {
        (Some((_, kind)), _) => Some(kind),
        // The well-known NAT64 prefix leads to the IPv4 internet; what it carries is judged apart.
        (None, IpAddr::V6(address)) if GLOBAL_V6.iter().all(|range| !range.contains(&address)) => {
            Some("a reserved")
        }
        (None, IpAddr::V4(_) | IpAddr::V6(_)) => None,
    }
}

/// What IPv6 addresses may be, where [`SPECIAL`] has nothing against them.
const GLOBAL_V6: [Ipv6Net; 2] = [v6_net([0x2000, 0, 0, 0, 0, 0, 0, 0], 3), NAT64];

/// The well-known prefix of NAT64.
pub(super) const NAT64: Ipv6Net = v6_net([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);
/// The prefix of NAT64 within a network.
pub(super) const NAT64_LOCAL: Ipv6Net = v6_net([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48);
/// IPv4 addresses written as IPv6 addresses, long deprecated.
pub(super) const COMPATIBLE: Ipv6Net = v6_net([0; 8], 96);
/// IPv4 addresses behind a stateless translator.
pub(super) const TRANSLATED: Ipv6Net = v6_net([0, 0, 0, 0, 0xffff, 0, 0, 0], 96);
/// Tunnels between IPv6 islands.
pub(super) const SIX_TO_FOUR: Ipv6Net = v6_net([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);
/// Tunnels through NATs.
pub(super) const TEREDO: Ipv6Net = v6_net([0x2001, 0, 0, 0, 0, 0, 0, 0], 32);

/// The IANA special-purpose registries, and what else is not unicast; narrower ranges first.
pub(super) const SPECIAL: [(IpNet, &str); 40] = [
    (v4([255, 255, 255, 255], 32), "a broadcast"),
    (v4([0, 0, 0, 0], 8), "an unspecified"),
    (v4([10, 0, 0, 0], 8), "a private"),
    (v4([100, 64, 0, 0], 10), "a carrier-grade NAT"),
    (v4([127, 0, 0, 0], 8), "a loopback"),
    (v4([169, 254, 0, 0], 16), "a link-local"),
    (v4([172, 16, 0, 0], 12), "a private"),
    (v4([192, 0, 0, 0], 24), "a reserved"), // IETF protocol assignments
    (v4([192, 0, 2, 0], 24), "a documentation"),
    (v4([192, 31, 196, 0], 24), "a reserved"), // AS112
    (v4([192, 52, 193, 0], 24), "a reserved"), // AMT
    (v4([192, 88, 99, 0], 24), "a reserved"),  // 6to4 relays
    (v4([192, 168, 0, 0], 16), "a private"),
    (v4([192, 175, 48, 0], 24), "a reserved"), // AS112
    (v4([198, 18, 0, 0], 15), "a benchmarking"),
    (v4([198, 51, 100, 0], 24), "a documentation"),
    (v4([203, 0, 113, 0], 24), "a documentation"),
    (v4([224, 0, 0, 0], 4), "a multicast"),
    (v4([240, 0, 0, 0], 4), "a reserved"),
    (v6([0; 8], 128), "an unspecified"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "a loopback"),
    (IpNet::V6(COMPATIBLE), "an IPv4-compatible"),
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), "an IPv4-mapped"), // judged as IPv4 before it comes here
    (IpNet::V6(TRANSLATED), "an IPv4-translated"),
    (IpNet::V6(NAT64_LOCAL), "a local NAT64"),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "a discard-only"),
    (v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64), "a reserved"), // dummy prefix
    (IpNet::V6(TEREDO), "a Teredo"),
    (v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), "a benchmarking"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "a reserved"), // IETF protocol assignments
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "a documentation"),
    (IpNet::V6(SIX_TO_FOUR), "a 6to4"),
    (v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), "a reserved"), // AS112
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "a documentation"),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), "a reserved"), // segment routing
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "a private"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "a link-local"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "a site-local"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "a multicast"),
    (v6([0x200, 0, 0, 0, 0, 0, 0, 0], 7), "a reserved"), // NSAP, withdrawn
];

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(segments: [u16; 8], prefix: u8) -> IpNet {
    IpNet::V6(v6_net(segments, prefix))
}

const fn v6_net(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(from_segments(segments), prefix)
}

const fn v4_address(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6_address(segments: [u16; 8]) -> IpAddr {
    IpAddr::V6(from_segments(segments))
}

const fn from_segments(of: [u16; 8]) -> Ipv6Addr {
    Ipv6Addr::new(of[0], of[1], of[2], of[3], of[4], of[5], of[6], of[7])
}
