//! How fast a receiver gets what waits for it.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{self, Operator, Receiver, webhook};

#[tokio::test]
async fn a_rate_limit_spreads_what_is_published_at_once() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("rate-limit").await;
    let receiver = Receiver::start().await;
    let operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    ns.apply(&webhook("orders", &receiver, json!({ "rateLimit": { "requests": 1 } }))).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();

    let begin = Instant::now();
    for _ in 0..3 {
        let event = json!({ "type": "resource.created", "data": {} });
        assert_eq!(operator.publish(&ns, &event).await.0, StatusCode::ACCEPTED);
    }
    assert_eq!(receiver.requests(3).await.len(), 3);
    assert!(begin.elapsed() >= Duration::from_secs(2), "three requests took {:?}", begin.elapsed());
}
