//! Who may send at all, and how much.

use std::net::SocketAddr;

use axum::Router as App;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode, header};
use hookwright_receiver::{AllowList, Clients, RateLimit, Receiver, Router};
use tower::ServiceExt;

use crate::support::{app, event, genuine, status};

fn from(peer: &str) -> Request<Body> {
    let mut request = genuine(&event("evt_1", "user.login"));
    let peer: SocketAddr = peer.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

#[tokio::test]
async fn only_addresses_of_the_list_may_send() {
    let (app, _work) = app(Receiver::new(Router::new()).unwrap().answer_last());
    let ranges = ["192.168.1.0/24", "2001:db8::/32"].map(|range| range.parse().unwrap());
    let app = app.layer(AllowList::layer(Clients::direct(), ranges));
    assert_eq!(status(&app, from("192.168.1.7:1")).await, 200);
    assert_eq!(status(&app, from("[2001:db8::7]:1")).await, 200);
    assert_eq!(status(&app, from("192.168.2.7:1")).await, 403);
    assert_eq!(status(&app, genuine(&event("evt_1", "user.login"))).await, 403, "nobody knows from where");
}

#[tokio::test]
async fn each_client_may_send_so_many_requests_a_minute() {
    let (app, _work) = app(Receiver::new(Router::new()).unwrap().answer_last());
    let app: App = app.layer(RateLimit::per_minute(Clients::direct(), RateLimit::DEFAULT));
    for _ in 0..100 {
        assert_eq!(status(&app, from("[2001:db8::7]:1")).await, 200);
    }
    let refused = app.clone().oneshot(from("[2001:db8::8]:1")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "the same network");
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(status(&app, from("[2001:db8:1::7]:1")).await, 200, "another client");
}
