//! Connects to a receiver: name lookup, egress guard, TCP, TLS; all within one deadline.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tower::Service;

use super::resolver::{self, Resolver};
use crate::transport::guard::{Denied, Policy};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The name did not resolve.
    #[error("{0}")]
    Resolve(#[from] resolver::Error),
    /// The guard denies an address of the receiver.
    #[error("{0}")]
    Denied(Denied),
    /// No address accepted a connection; the first one's reason.
    #[error("{0}")]
    Connect(#[source] io::Error),
    /// The peer and we agree on no TLS session.
    #[error("{0}")]
    Tls(#[source] BoxError),
    /// Not done in time.
    #[error("no connection within {} ms", .0.as_millis())]
    Timeout(Duration),
}

/// Connects over TCP, and for `https` over TLS, within its deadline.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<TcpConnector>,
    limit: Duration,
}

impl Connector {
    pub(super) fn new(policy: Arc<Policy>, resolver: Resolver, tls: ClientConfig, limit: Duration) -> Self {
        let tcp = TcpConnector { policy, resolver, limit };
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        Self { https, limit }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = Error;
    type Future = Connecting<Self::Response, Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = self.limit;
        // In this order: the inner deadline is the earlier one, so that its error, which knows more, wins.
        let connecting = self.https.call(uri);
        let deadline = Instant::now() + limit;
        Box::pin(async move {
            let connected = timeout_at(deadline, connecting).await.map_err(|_| Error::Timeout(limit))?;
            // What did not come from below is of the TLS handshake.
            connected.map_err(|error| error.downcast::<Error>().map_or_else(Error::Tls, |error| *error))
        })
    }
}

/// Connects over TCP to the addresses that the guard allows.
#[derive(Clone)]
struct TcpConnector {
    policy: Arc<Policy>,
    resolver: Resolver,
    limit: Duration,
}

impl Service<Uri> for TcpConnector {
    type Response = TokioIo<TcpStream>;
    type Error = Error;
    type Future = Connecting<Self::Response, Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let deadline = Instant::now() + self.limit;
        let tcp = self.clone();
        Box::pin(async move { tcp.connect(&uri, deadline).await.map(TokioIo::new) })
    }
}

impl TcpConnector {
    async fn connect(&self, uri: &Uri, deadline: Instant) -> Result<TcpStream, Error> {
        let addresses = self.resolver.resolve(uri.host().unwrap_or_default(), deadline).await?;
        // All must pass before any is tried: a name with one internal answer is not to be trusted.
        for &address in &addresses {
            self.policy.check(address).map_err(Error::Denied)?;
        }
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        self.first_of(&addresses, port, deadline).await
    }

    /// Tries the addresses in their order. Each gets its share of the time left, so that one which
    /// swallows packets does not hide the next.
    async fn first_of(&self, addresses: &[IpAddr], port: u16, deadline: Instant) -> Result<TcpStream, Error> {
        let mut failed = None;
        let mut untried = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        for &address in addresses {
            let share = deadline.saturating_duration_since(Instant::now()) / untried;
            untried -= 1;
            let connecting = TcpStream::connect(SocketAddr::new(address, port));
            let error = match timeout_at(Instant::now() + share, connecting).await {
                Ok(Ok(stream)) => return stream.set_nodelay(true).map(|()| stream).map_err(Error::Connect),
                Ok(Err(error)) => Error::Connect(error),
                Err(_) => Error::Timeout(self.limit),
            };
            // The first address is the likeliest to be the right one: its failure is told.
            failed.get_or_insert(error);
        }
        Err(failed.unwrap_or(Error::Timeout(self.limit)))
    }
}

#[cfg(test)]
mod tests;
