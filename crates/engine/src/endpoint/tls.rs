//! How a receiver proves who it is, and how we do.

use std::fmt;
use std::hash::{Hash, Hasher};

use secrecy::{ExposeSecret, SecretSlice};

use super::Fingerprint;
use super::fingerprint::Digest;

/// How TLS sessions with a receiver differ from the usual ones. Two are equal when their sessions
/// may be shared.
#[derive(Clone)]
pub struct Tls {
    trust: Trust,
    identity: Option<Identity>,
    fingerprint: Fingerprint,
}

/// Which certificates of receivers are accepted.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those that the authorities of the system vouch for.
    System,
    /// Those that these authorities vouch for, and no other: certificates in DER.
    Authorities(Vec<Vec<u8>>),
    /// Any, whoever shows it.
    Anyone,
}

/// What we show to a receiver that asks who we are.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Our certificate and those between it and its authority, in DER.
    pub chain: Vec<Vec<u8>>,
    /// The key of our certificate, in DER.
    pub key: SecretSlice<u8>,
}

impl Tls {
    /// Sessions with receivers that `trust` covers, in which we are `identity`.
    #[must_use]
    pub fn new(trust: Trust, identity: Option<Identity>) -> Self {
        let fingerprint = fingerprint(&trust, identity.as_ref());
        Self { trust, identity, fingerprint }
    }

    /// Which certificates are accepted.
    #[must_use]
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// What we show.
    #[must_use]
    pub const fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Equal where sessions may be shared.
    pub(super) const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

fn fingerprint(trust: &Trust, identity: Option<&Identity>) -> Fingerprint {
    let mut digest = Digest::default();
    match trust {
        Trust::System => digest.add(b"system"),
        Trust::Anyone => digest.add(b"anyone"),
        Trust::Authorities(certificates) => {
            digest.add(b"authorities");
            for certificate in certificates {
                digest.add(certificate);
            }
        }
    }
    if let Some(Identity { chain, key }) = identity {
        digest.add(b"identity");
        for certificate in chain {
            digest.add(certificate);
        }
        digest.add(key.expose_secret());
    }
    digest.end()
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Tls {}

impl Hash for Tls {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}

impl fmt::Debug for Tls {
    /// Not the certificates: they are long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_trust_certificate_or_key_is_not_equal() {
        let identity = |chain: &[&[u8]], key: &[u8]| {
            let chain = chain.iter().map(|certificate| certificate.to_vec()).collect();
            Some(Identity { chain, key: key.to_vec().into() })
        };
        let authorities = |ders: &[&[u8]]| Trust::Authorities(ders.iter().map(|der| der.to_vec()).collect());
        let all = [
            Tls::new(Trust::System, None),
            Tls::new(Trust::Anyone, None),
            Tls::new(authorities(&[b"ab"]), None),
            Tls::new(authorities(&[b"a", b"b"]), None),
            Tls::new(Trust::System, identity(&[b"a"], b"bc")),
            Tls::new(Trust::System, identity(&[b"ab"], b"c")),
            Tls::new(Trust::System, identity(&[b"a", b"b"], b"c")),
            Tls::new(Trust::Anyone, identity(&[b"a"], b"bc")),
        ];
        for (index, one) in all.iter().enumerate() {
            for (other, two) in all.iter().enumerate() {
                assert_eq!(one == two, index == other, "{index} {other}");
            }
        }
    }
}
