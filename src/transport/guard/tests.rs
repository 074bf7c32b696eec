use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use proptest::prelude::*;

use super::{Policy, ranges};

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn allowed(policy: &Policy, address: &str) -> bool {
    policy.check(address.parse().unwrap()).is_ok()
}

/// Every form in which IPv6 carries an IPv4 address.
fn carriers(address: Ipv4Addr) -> [Ipv6Addr; 9] {
    let bits = u128::from(address.to_bits());
    let [a, b, c, d] = address.octets().map(u128::from);
    let prefix = |text: &str| text.parse::<Ipv6Addr>().unwrap().to_bits();
    [
        prefix("::ffff:0:0") | bits,
        bits,
        prefix("::ffff:0:0:0") | bits,
        prefix("64:ff9b::") | bits,
        prefix("64:ff9b:1::") | bits,
        prefix("64:ff9b:1::") | a << 72 | b << 64 | c << 48 | d << 40,
        prefix("2002::") | bits << 80,
        prefix("2001::") | bits << 64,
        prefix("2001:0:808:808::") | (!bits & 0xffff_ffff),
    ]
    .map(Ipv6Addr::from_bits)
}

/// Ranges of the two NATs and tunnels, opened: what they carry is all that is left to judge.
fn open_carriers() -> Vec<IpNet> {
    nets(&["::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"])
}

#[test]
fn global_unicast_is_allowed_by_default() {
    for address in ["8.8.8.8", "1.1.1.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1"] {
        assert!(allowed(&Policy::default(), address), "{address}");
    }
    assert!(allowed(&Policy::default(), "64:ff9b::808:808"), "IPv4 receivers of IPv6-only clusters");
    assert!(allowed(&Policy::default(), "::ffff:8.8.8.8"));
}

#[test]
fn what_is_not_global_unicast_is_denied_and_the_kind_is_told() {
    for (address, kind) in [
        ("0.0.0.0", "an unspecified address"),
        ("10.1.2.3", "a private address"),
        ("100.64.0.1", "a carrier-grade NAT address"),
        ("127.0.0.1", "a loopback address"),
        ("127.255.255.254", "a loopback address"),
        ("169.254.1.1", "a link-local address"),
        ("172.31.255.255", "a private address"),
        ("192.0.0.8", "a reserved address"),
        ("192.168.0.1", "a private address"),
        ("198.19.255.255", "a benchmarking address"),
        ("203.0.113.9", "a documentation address"),
        ("239.1.1.1", "a multicast address"),
        ("255.255.255.255", "a broadcast address"),
        ("250.0.0.1", "a reserved address"),
        ("::", "an unspecified address"),
        ("::1", "a loopback address"),
        ("::ffff:127.0.0.1", "a loopback address"),
        ("64:ff9b::7f00:1", "a loopback address"),
        ("64:ff9b:1::1", "a local NAT64 address"),
        ("2001::1", "a Teredo address"),
        ("2001:db8::1", "a documentation address"),
        ("2002:808:808::1", "a 6to4 address"),
        ("3fff::1", "a documentation address"),
        ("4000::1", "a reserved address"),
        ("fd12::1", "a private address"),
        ("fe80::1", "a link-local address"),
        ("ff02::1", "a multicast address"),
    ] {
        let denied = Policy::default().check(address.parse().unwrap()).unwrap_err();
        assert_eq!(denied.to_string(), kind, "{address}");
    }
}

#[test]
fn neighbours_of_private_ranges_are_not_denied_with_them() {
    for address in ["9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "100.128.0.0", "128.0.0.0"] {
        assert!(allowed(&Policy::default(), address), "{address}");
    }
}

#[test]
fn metadata_is_opened_only_by_naming_the_very_address() {
    let wide = Policy::new(nets(&["0.0.0.0/0", "::/0", "169.254.0.0/16", "fd00::/8", "fe80::/10"]), vec![]);
    assert!(allowed(&wide, "169.254.1.1") && allowed(&wide, "fd00::1") && allowed(&wide, "127.0.0.1"));
    for address in ranges::METADATA {
        assert_eq!(wide.check(address).unwrap_err().to_string(), "a cloud metadata address", "{address}");
        let named = Policy::new(vec![address.into()], vec![]);
        assert_eq!(named.check(address), Ok(()), "{address}");
    }
}

#[test]
fn the_operators_closed_ranges_win_over_opened_ones() {
    let policy = Policy::new(nets(&["10.0.0.0/8"]), nets(&["10.96.0.0/12", "8.8.8.0/24"]));
    assert!(allowed(&policy, "10.1.1.1") && allowed(&policy, "::ffff:10.1.1.1"));
    for denied in ["10.96.0.1", "::ffff:10.96.0.1", "8.8.8.8", "64:ff9b::808:808"] {
        assert!(!allowed(&policy, denied), "{denied}");
    }
}

#[test]
fn a_range_written_as_ipv4_mapped_is_the_ipv4_range() {
    let policy = Policy::new(nets(&["::ffff:10.0.0.0/104"]), nets(&["::ffff:8.8.8.8/128"]));
    assert!(allowed(&policy, "10.1.1.1") && !allowed(&policy, "8.8.8.8"));
}

proptest! {
    #[test]
    fn an_address_of_a_denied_range_is_denied_in_every_form_that_ipv6_can_carry_it(
        index: prop::sample::Index, host: u32,
    ) {
        let ranges: Vec<_> = ranges::SPECIAL.iter().filter_map(|(range, _)| match range {
            IpNet::V4(range) => Some(*range),
            IpNet::V6(_) => None,
        }).collect();
        let range = index.get(&ranges);
        let address = Ipv4Addr::from_bits(range.network().to_bits() | (host & range.hostmask().to_bits()));
        for policy in [Policy::default(), Policy::new(open_carriers(), vec![])] {
            prop_assert!(policy.check(address.into()).is_err(), "{address}");
            for carrier in carriers(address) {
                prop_assert!(policy.check(carrier.into()).is_err(), "{address} in {carrier}");
            }
        }
    }

    #[test]
    fn metadata_is_denied_in_every_form_even_when_all_else_is_open(index in 0_usize..10) {
        let policy = Policy::new(nets(&["0.0.0.0/0", "::/0"]), vec![]);
        if let IpAddr::V4(address) = ranges::METADATA[index] {
            for carrier in carriers(address) {
                prop_assert!(policy.check(carrier.into()).is_err(), "{address} in {carrier}");
            }
        }
    }

    #[test]
    fn ipv6_outside_global_unicast_is_denied(bits: u128) {
        let address = Ipv6Addr::from_bits(bits);
        let global = bits >> 125 == 0b001 || ranges::NAT64.contains(&address);
        prop_assert!(global || address.to_ipv4_mapped().is_some() || Policy::default().check(address.into()).is_err());
    }

    #[test]
    fn what_the_operator_denies_is_denied_whatever_else_is_open(bits: u32, prefix in 0_u8..=32, host: u32) {
        let range = ipnet::Ipv4Net::new(Ipv4Addr::from_bits(bits), prefix).unwrap();
        let policy = Policy::new(nets(&["0.0.0.0/0", "::/0"]), vec![range.into()]);
        let address = Ipv4Addr::from_bits(range.network().to_bits() | (host & range.hostmask().to_bits()));
        prop_assert!(policy.check(address.into()).is_err());
        for carrier in carriers(address) {
            prop_assert!(policy.check(carrier.into()).is_err(), "{address} in {carrier}");
        }
    }
}
