//! What runs the same with and without a cluster: store, driver and API.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hookwright_engine::engine;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::Error;
use crate::api::auth::Gate;
use crate::api::tls::{self, CertificateFiles, Security};
use crate::api::webhooks::catalog::Catalog;
use crate::api::{Api, server};
use crate::clock::Clock;
use crate::config;
use crate::delivery::{self, Driver};
use crate::metrics::Metrics;
use crate::standalone::screen;
use crate::store::{self, Retention};
use crate::telemetry::traces;
use crate::transport::guard::Policy;
use crate::transport::http::{self, Http};

/// The name of the database in its folder.
pub(super) const DATABASE: &str = "hookwright.db";
/// How long requests to the API have to end in, after everything else has.
const API_GRACE: Duration = Duration::from_secs(2);

/// The running core, and what runs beside it.
pub(super) struct Core {
    pub(super) delivery: delivery::Handle,
    pub(super) store: store::Handle,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) max_event_bytes: usize,
    log: store::Service,
    export: traces::Export,
    /// Those that make or tell of work; ended first.
    workers: JoinSet<Result<(), Error>>,
    stopping: CancellationToken,
    /// Those that show what came of it; ended when the workers have.
    observers: JoinSet<()>,
    closing: CancellationToken,
}

/// Where the API is, and who may call it.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) listen: SocketAddr,
    pub(super) gate: Gate,
}

impl Core {
    /// Opens the database in `data`, and begins to deliver and to serve the API. Events are taken
    /// as soon as the driver is told that all webhooks are known. Receivers may be in `private`
    /// ranges, unless the settings say otherwise.
    pub(super) async fn start(
        settings: &config::Service,
        front: Front,
        data: PathBuf,
        private: &[IpNet],
        catalog: Arc<dyn Catalog>,
    ) -> Result<Self, Error> {
        let limits = settings.limits;
        let Front { listen: address, gate } = front;
        let (certificate, security) = security(settings).await?.unzip();
        let (listener, address) = listen(address, &gate, security.is_some()).await?;
        let clock = Clock::system();
        let metrics = Arc::new(Metrics::new());
        let (traces, export) = traces::start(settings.otlp_endpoint.as_ref(), &metrics)?;
        let retention = Retention { age: limits.retention_age(), max_bytes: limits.retention_bytes };
        let path = data.join(DATABASE);
        let (store, notices, log) = store::open(store::Options { path, retention, clock: clock.clone() })?;
        let policy = Policy::new(settings.egress_allow(private), Vec::new());
        let transport = Arc::new(Http::new(http::Options { policy })?);
        let options = delivery::Options {
            limits: engine::Limits {
                max_in_flight: limits.max_in_flight as usize,
                ..engine::Limits::default()
            },
            grace: limits.shutdown_grace(),
            ..delivery::Options::default()
        };
        let (delivery, driver) = Driver::new(
            options,
            store.clone(),
            notices,
            transport,
            clock.clone(),
            Arc::clone(&metrics),
            traces,
        );
        let max_event_bytes = limits.max_event_bytes as usize;
        let mut core = Self {
            delivery: delivery.clone(),
            store: store.clone(),
            clock,
            metrics: Arc::clone(&metrics),
            max_event_bytes,
            log,
            export,
            workers: JoinSet::new(),
            stopping: CancellationToken::new(),
            observers: JoinSet::new(),
            closing: CancellationToken::new(),
        };
        let stopping = core.stopping.clone();
        let api = Api { delivery, store, gate, catalog, metrics, max_event_bytes, stopping };
        core.work(|shutdown| async { Ok(driver.run(shutdown).await?) });
        let scheme = if security.is_some() { "https" } else { "http" };
        let server = server::Options { listener, security, router: api.router(), grace: API_GRACE };
        core.observe(|shutdown| server::serve(server, shutdown));
        if let Some(certificate) = certificate {
            core.observe(|shutdown| certificate.run(shutdown));
        }
        core.announce(format!("{scheme}://{address}"));
        Ok(core)
    }

    /// Runs something that makes work until it is told to end. When it ends earlier, everything
    /// does.
    pub(super) fn work<F>(&mut self, worker: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.workers.spawn(worker(self.stopping.clone()));
    }

    /// Runs something that shows what came of the work until it is told to end, after the workers.
    pub(super) fn observe<F>(&mut self, observer: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.observers.spawn(observer(self.closing.clone()));
    }

    /// Says where the API is, as soon as it takes events.
    fn announce(&mut self, url: String) {
        let delivery = self.delivery.clone();
        self.observe(|shutdown| async move {
            let ready = shutdown.run_until_cancelled(delivery.ready()).await;
            if ready.is_some() {
                screen::print(&format!("listening on {url}"));
            }
        });
    }

    /// Runs until told to end, or until a part fails.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        let mut signals = Signals::listen()?;
        let ended = tokio::select! {
            () = signals.next() => {
                tracing::info!("told to end");
                Ok(())
            }
            Some(ended) = self.workers.join_next() => flat(ended),
        };
        tokio::select! {
            ended = self.end(ended) => ended,
            () = signals.next() => Err(Error::Interrupted),
        }
    }

    /// Ends everything in order. The first failure is the one that counts.
    async fn end(mut self, mut ended: Result<(), Error>) -> Result<(), Error> {
        self.stopping.cancel();
        while let Some(worker) = self.workers.join_next().await {
            ended = ended.and(flat(worker));
        }
        self.closing.cancel();
        while let Some(observer) = self.observers.join_next().await {
            ended = ended.and(observer.map_err(Error::Panic));
        }
        let ended = ended.and(self.log.shutdown().await.map_err(Error::Store));
        self.export.end().await;
        ended
    }
}

/// What TLS sessions are made with, and what follows it.
async fn security(settings: &config::Service) -> Result<Option<(CertificateFiles, Security)>, Error> {
    match (&settings.tls_cert, &settings.tls_key) {
        (Some(certificate), Some(key)) => Ok(Some(tls::open(certificate.clone(), key.clone()).await?)),
        // The command line takes both or none.
        _ => Ok(None),
    }
}

async fn listen(address: SocketAddr, gate: &Gate, secure: bool) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    if matches!(gate, Gate::Local) {
        tracing::info!(%bound, "the API asks for no token, and is for this machine only");
    } else if !secure && !bound.ip().is_loopback() {
        tracing::warn!(%bound, "tokens reach the API in the clear: serve TLS with --tls-cert and --tls-key, or have a mesh do so");
    }
    Ok((listener, bound))
}

fn flat(ended: Result<Result<(), Error>, JoinError>) -> Result<(), Error> {
    ended.map_err(Error::Panic).flatten()
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Error> {
        let on = |kind| signal(kind).map_err(Error::Runtime);
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    /// Waits for one of them.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
