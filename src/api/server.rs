//! Serves the API over HTTP or HTTPS, with bounds on connections and on the time that clients take.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::tls::Security;

/// Most connections at a time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 1024;
/// How long a client may take to send the head of a request, on a kept connection too.
const HEADER_TIMEOUT: Duration = Duration::from_mins(1);
/// How long to wait when the system refuses a connection, for want of file descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a client may take for its part in the begin of a TLS session.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of the head of a request: room for the longest token and more.
const MAX_HEAD_BYTES: u32 = 64 * 1024;

/// What the API is served with.
#[derive(Debug)]
pub struct Options {
    /// Where.
    pub listener: TcpListener,
    /// What TLS sessions are made with, unless HTTP is served in the clear.
    pub security: Option<Security>,
    /// Who answers.
    pub router: Router,
    /// How long requests under way have to end in at shutdown.
    pub grace: Duration,
}

/// Serves until `shutdown`, then lets requests under way end.
pub async fn serve(options: Options, shutdown: CancellationToken) {
    let Options { listener, security, router, grace } = options;
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    while let Some(accepted) = shutdown.run_until_cancelled(accept(&listener, &connections)).await {
        match accepted {
            Ok((stream, permit)) => {
                // Answers are small: waiting to fill a segment only delays them.
                let _ = stream.set_nodelay(true);
                let security = security.as_ref().map(|security| Arc::clone(&security.borrow()));
                let (router, watcher) = (router.clone(), graceful.watcher());
                tokio::spawn(async move {
                    match security {
                        None => converse(stream, router, watcher).await,
                        Some(security) => converse_securely(stream, security, router, watcher).await,
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    if timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests to the API did not end in time");
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

/// Begins a TLS session, and answers what is asked in it.
async fn converse_securely(stream: TcpStream, security: Arc<ServerConfig>, router: Router, watcher: Watcher) {
    match timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(security).accept(stream)).await {
        Ok(Ok(stream)) => converse(stream, router, watcher).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS session with the API did not come about"),
        Err(_) => tracing::debug!("a TLS session with the API did not come about in time"),
    }
}

/// Answers what is asked over a connection, until it ends or is told to.
async fn converse<S>(stream: S, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES as usize);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEADER_TIMEOUT);
    builder.http2().max_header_list_size(MAX_HEAD_BYTES);
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection to the API broke");
    }
}
