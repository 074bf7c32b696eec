use std::collections::BTreeSet;
use std::sync::Mutex;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::*;

const HOSTS: &str = "192.0.2.1 listed.test\n2001:db8::1 listed.test";

/// A name server on loopback. It knows `both.test` and `v4.test`, leaves questions for IPv6 addresses of
/// `slow.test` and all of `silent.test` unanswered, and knows of no other name.
struct NameServer {
    resolver: Resolver,
    asked: Arc<Mutex<BTreeSet<String>>>,
    _tasks: JoinSet<()>,
}

impl NameServer {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut connection = ConnectionConfig::udp();
        connection.port = socket.local_addr().unwrap().port();
        let server = NameServerConfig::new("127.0.0.1".parse().unwrap(), true, vec![connection]);
        let search = vec![Name::from_ascii("svc.cluster.test.").unwrap()];
        let config = ResolverConfig::from_parts(None, search, vec![server]);
        let mut options = ResolverOpts::default();
        options.ndots = 5;
        let mut hosts = Hosts::default();
        hosts.read_hosts_conf(HOSTS.as_bytes()).unwrap();

        let asked = Arc::new(Mutex::new(BTreeSet::new()));
        let (noted, mut tasks) = (Arc::clone(&asked), JoinSet::new());
        tasks.spawn(async move {
            let mut packet = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let question = Message::from_vec(&packet[..length]).unwrap();
                let query = &question.queries[0];
                let (name, family) = (query.name().to_lowercase().to_string(), query.query_type());
                noted.lock().unwrap().insert(name.clone());
                let Some((code, addresses)) = answer(&name, family) else { continue };
                let mut message = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
                message.metadata.response_code = code;
                message.add_query(query.clone());
                let record =
                    |address: IpAddr| Record::from_rdata(query.name().clone(), 60, RData::from(address));
                message.add_answers(addresses.into_iter().map(record));
                socket.send_to(&message.to_vec().unwrap(), from).await.unwrap();
            }
        });
        Self { resolver: Resolver::new(hosts, config, options).unwrap(), asked, _tasks: tasks }
    }

    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, Error> {
        self.resolver.resolve(host, Instant::now() + Duration::from_secs(1)).await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().cloned().collect()
    }
}

fn answer(name: &str, family: RecordType) -> Option<(ResponseCode, Vec<IpAddr>)> {
    let addresses = match (name, family) {
        ("both.test." | "slow.test." | "v4.test.", RecordType::A) => vec!["192.0.2.9".parse().unwrap()],
        ("both.test.", RecordType::AAAA) => vec!["2001:db8::9".parse().unwrap()],
        ("v4.test.", _) => vec![],
        ("slow.test." | "silent.test.", _) => return None,
        _ => return Some((ResponseCode::NXDomain, vec![])),
    };
    Some((ResponseCode::NoError, addresses))
}

fn parsed<const N: usize>(addresses: [&str; N]) -> Vec<IpAddr> {
    addresses.map(|address| address.parse().unwrap()).to_vec()
}

#[tokio::test]
async fn both_families_are_found_ipv4_first() {
    let server = NameServer::start().await;
    assert_eq!(server.resolve("both.test").await.unwrap(), parsed(["192.0.2.9", "2001:db8::9"]));
    assert_eq!(server.resolve("v4.test").await.unwrap(), parsed(["192.0.2.9"]));
}

#[tokio::test]
async fn names_are_absolute_whatever_the_search_domains() {
    let server = NameServer::start().await;
    for name in ["both.test", "unknown.test", "single"] {
        let _ = server.resolve(name).await;
    }
    assert_eq!(server.asked(), ["both.test.", "single.", "unknown.test."]);
}

#[tokio::test]
async fn a_family_that_gets_no_answer_does_not_hold_back_the_other() {
    let server = NameServer::start().await;
    assert_eq!(server.resolve("slow.test").await.unwrap(), parsed(["192.0.2.9"]));
}

#[tokio::test]
async fn an_unknown_name_and_a_silent_server_are_told_apart() {
    let server = NameServer::start().await;
    assert!(matches!(server.resolve("unknown.test").await, Err(Error::NotFound)));
    assert!(matches!(server.resolve("silent.test").await, Err(Error::Timeout)));
    assert!(matches!(server.resolve("..").await, Err(Error::Name)));
}

#[tokio::test]
async fn hosts_and_addresses_are_not_asked_for() {
    let server = NameServer::start().await;
    assert_eq!(server.resolve("listed.test").await.unwrap(), parsed(["192.0.2.1", "2001:db8::1"]));
    assert_eq!(server.resolve("[2001:db8::7]").await.unwrap(), parsed(["2001:db8::7"]));
    assert_eq!(server.resolve("192.0.2.7").await.unwrap(), parsed(["192.0.2.7"]));
    assert_eq!(server.asked(), Vec::<String>::new());
}
