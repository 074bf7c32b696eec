//! Who sends a request.

use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use ipnet::IpNet;

use crate::refusal::Refusal;

/// Tells the addresses of clients: the peer of the connection, or, where that is a proxy of ours,
/// what it says in `X-Forwarded-For`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    proxies: Vec<IpNet>,
}

impl Clients {
    /// Clients that connect without a proxy.
    #[must_use]
    pub fn direct() -> Self {
        Self::default()
    }

    /// Clients that may come through proxies of these ranges, which are believed.
    pub fn behind(proxies: impl IntoIterator<Item = IpNet>) -> Self {
        Self { proxies: proxies.into_iter().collect() }
    }

    /// The address of the client. Refused where the server does not tell the peer: serve with
    /// `into_make_service_with_connect_info::<SocketAddr>()`.
    pub(super) fn of(&self, request: &Request<Body>) -> Result<IpAddr, Refusal> {
        let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() else {
            tracing::error!(
                "the server does not tell the peer's address: use into_make_service_with_connect_info"
            );
            return Err(Refusal::Forbidden);
        };
        let peer = peer.ip().to_canonical();
        if !self.trusts(peer) {
            return Ok(peer);
        }
        let headers = request.headers().get_all("x-forwarded-for").into_iter();
        let told: Vec<&str> =
            headers.filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(',')).collect();
        let mut client = peer;
        // From the end: each proxy appends whom it heard, and what stands before could be anybody's.
        for address in told.iter().rev() {
            let Ok(address) = address.trim().parse::<IpAddr>() else { return Err(Refusal::Forbidden) };
            client = address.to_canonical();
            if !self.trusts(client) {
                break;
            }
        }
        Ok(client)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|range| range.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(clients: &Clients, peer: &str, forwarded: &[&str]) -> Result<String, ()> {
        let mut request = Request::new(Body::empty());
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        for value in forwarded {
            request.headers_mut().append("x-forwarded-for", value.parse().unwrap());
        }
        clients.of(&request).map(|address| address.to_string()).map_err(drop)
    }

    #[test]
    fn only_a_proxy_of_ours_is_believed() {
        let clients = Clients::behind(["10.0.0.0/8".parse().unwrap()]);
        for (peer, forwarded, is) in [
            ("203.0.113.1:1", &[][..], Ok("203.0.113.1")),
            ("203.0.113.1:1", &["198.51.100.1"], Ok("203.0.113.1")),
            ("10.0.0.1:1", &["198.51.100.1"], Ok("198.51.100.1")),
            ("10.0.0.1:1", &["192.0.2.1, 198.51.100.1, 10.0.0.2"], Ok("198.51.100.1")),
            ("10.0.0.1:1", &["192.0.2.1", "198.51.100.1"], Ok("198.51.100.1")),
            ("10.0.0.1:1", &["198.51.100.1, nobody"], Err(())),
            ("[::ffff:10.0.0.1]:1", &["::ffff:198.51.100.1"], Ok("198.51.100.1")),
            ("10.0.0.1:1", &[], Ok("10.0.0.1")),
        ] {
            assert_eq!(client(&clients, peer, forwarded), is.map(str::to_owned), "{peer} {forwarded:?}");
        }
        assert_eq!(client(&Clients::direct(), "10.0.0.1:1", &["198.51.100.1"]), Ok("10.0.0.1".to_owned()));
    }

    #[test]
    fn a_peer_that_the_server_does_not_tell_is_refused() {
        assert!(Clients::direct().of(&Request::new(Body::empty())).is_err());
    }
}
