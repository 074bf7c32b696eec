//! What the tests stand on.
//!
//! ```ignore
//! let cluster = support::cluster().await; // one for the whole binary
//! let ns = cluster.namespace("retry").await; // a name of its own, whatever other tests do
//! let receiver = Receiver::answering(|n, _| if n == 1 { StatusCode::BAD_GATEWAY } else { StatusCode::OK }).await;
//! let operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
//! ns.apply(&webhook_yaml(&receiver.url())).await;
//! let requests = receiver.requests(2).await; // waits for them
//! ```

mod cluster;
mod collector;
mod namespace;
mod operator;
mod project;
mod receiver;
mod signer;
mod standalone;
mod webhook;

pub use cluster::{AUDIENCE, Cluster, Output, VOLUME, cluster, program};
pub use collector::{Collector, attributes};
pub use namespace::Namespace;
pub use operator::{Operator, client, kubeconfig};
pub use project::{read, sources};
pub use receiver::{Receiver, Request, verify};
pub use signer::Signer;
pub use standalone::Standalone;
pub use webhook::webhook;

use std::{fmt::Debug, time::Duration};

use tokio::time::{Instant, sleep};

/// How long anything may take that is only waited for. Never decides about success on a machine that is merely slow.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// Waits until `probe` answers `Ok`, and panics with what it saw last when that takes too long.
pub async fn eventually<T, S: Debug>(what: &str, mut probe: impl AsyncFnMut() -> Result<T, S>) -> T {
    let deadline = Instant::now() + DEADLINE;
    let mut pause = Duration::from_millis(5);
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(seen) if Instant::now() > deadline => panic!("waited for {what}; seen last: {seen:#?}"),
            Err(_) => sleep(pause).await,
        }
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}
