use hickory_resolver::Hosts;
use hickory_resolver::config::{ResolverConfig, ResolverOpts};
use ipnet::IpNet;
use tokio::net::TcpListener;

use super::*;

/// A connector for which the hosts file is `hosts`, and loopback of IPv4 is open.
fn connector(hosts: &str) -> TcpConnector {
    let mut listed = Hosts::default();
    listed.read_hosts_conf(hosts.as_bytes()).unwrap();
    let resolver = Resolver::new(listed, ResolverConfig::default(), ResolverOpts::default()).unwrap();
    let loopback: IpNet = "127.0.0.0/8".parse().unwrap();
    TcpConnector {
        policy: Arc::new(Policy::new(vec![loopback], vec![])),
        resolver,
        limit: Duration::from_secs(5),
    }
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut connector = connector("127.0.0.2 two.test\n127.0.0.1 two.test");
    let uri = format!("http://two.test:{}/", address.port()).parse().unwrap();
    let stream = connector.call(uri).await.unwrap();
    assert_eq!(stream.inner().peer_addr().unwrap(), address);
    assert!(stream.inner().nodelay().unwrap());
}

#[tokio::test]
async fn one_denied_address_denies_the_name_before_any_is_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut connector = connector("127.0.0.1 both.test\n::1 both.test");
    let uri = format!("http://both.test:{port}/").parse().unwrap();
    let error = connector.call(uri).await.unwrap_err();
    assert!(matches!(error, Error::Denied(Denied::Special("a loopback"))), "{error}");
    // Whoever connects now is the first in the queue: nobody else was there before.
    let later = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (_, first) = listener.accept().await.unwrap();
    assert_eq!(first, later.local_addr().unwrap());
}
