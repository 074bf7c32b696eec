//! Wiring and ordered shutdown, and nothing else.
//!
//! ```text
//! SIGTERM, SIGINT ─► no more events (readyz 503), no new attempts
//!                    └─ attempts under way end, within the grace period
//!                       └─ the API and whoever shows outcomes end
//!                          └─ the store writes down what is left ─► exit 0
//! ```
//!
//! A second signal ends the process at once: what was accepted is durable, and what was under way
//! is sent again at the next start.

mod backup;
mod cluster;
mod core;
mod error;

use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use tempfile::TempDir;

pub use self::backup::{backup, restore};
use self::core::{Core, Front};
pub use self::error::Error;
use crate::api::auth::{Gate, Reviews, TokenFile, Tokens};
use crate::controller::SecretChanges;
use crate::controller::catalog::Objects;
use crate::projector::Writer;
use crate::standalone::{Folder, Options, Standalone, screen};
use crate::{config, standalone, telemetry};

/// Runs in a cluster, until told to end.
pub fn operator(settings: config::Operator) -> Result<(), Error> {
    let config::Operator {
        service,
        listen,
        audience,
        data,
        namespace,
        status_writes_per_second,
        delivery_objects,
        secret_changes,
        secret_poll_seconds,
        log_format,
        log_level,
    } = settings;
    telemetry::init(log_format, log_level)?;
    run(async move {
        let client = cluster::client().await?;
        let objects = Arc::new(Objects::new(client.clone(), namespace.iter().cloned()));
        let settings = cluster::Settings {
            max_views: delivery_objects as usize,
            secret_changes: match secret_changes {
                config::SecretChanges::Poll => {
                    SecretChanges::Poll(Duration::from_secs(secret_poll_seconds.into()))
                }
                config::SecretChanges::Watch => SecretChanges::Watch,
            },
            replaced: objects.replaced(),
        };
        let gate = Gate::Cluster(Arc::new(Reviews::new(client.clone(), audience)));
        let mut core = Core::start(&service, Front { listen, gate }, data, &[], objects).await?;
        let writer = Writer::new(client.clone(), status_writes_per_second, Arc::clone(&core.metrics));
        cluster::attach(&mut core, client, namespace, writer, settings);
        core.run().await
    })
}

/// Runs on a folder of manifests, until told to end.
pub fn standalone(settings: config::Standalone) -> Result<(), Error> {
    telemetry::init(settings.log_format, settings.log_level)?;
    run(async move {
        let folder = Folder::open(&settings.manifests)?;
        let (data, _temporary) = database(settings.data)?;
        let (shelving, shelf) = standalone::shelf();
        let (tokens, gate) = gate(settings.token_file).await?;
        let front = Front { listen: settings.listen, gate };
        let mut core = Core::start(&settings.service, front, data, &loopback(), Arc::new(shelf)).await?;
        if let Some(tokens) = tokens {
            core.observe(|shutdown| tokens.run(shutdown));
        }
        if settings.service.egress_allow.is_empty() {
            screen::note(
                "receivers on loopback are allowed here; --egress-allow none refuses them, as in a cluster",
            );
        }
        let changes = core.delivery.changes();
        core.observe(|shutdown| screen::show(changes, shutdown));
        let standalone = Standalone::start(Options {
            folder,
            shelving,
            kept: core.store.kept().await?,
            delivery: core.delivery.clone(),
            store: core.store.clone(),
            clock: core.clock.clone(),
            max_event_bytes: core.max_event_bytes,
        })?;
        core.work(|shutdown| async {
            Box::pin(standalone.run(shutdown)).await; // Large, as it may send.
            Ok(())
        });
        core.run().await
    })
}

/// Runs to the end, on all cores.
fn run(main: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    // The provider of whatever does not name its own. It can only be installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Runtime)?;
    let done = runtime.block_on(main);
    // What still runs was given up on.
    runtime.shutdown_background();
    done
}

/// Who lets callers in, and what follows their tokens.
async fn gate(tokens: Option<PathBuf>) -> Result<(Option<TokenFile>, Gate), Error> {
    let Some(path) = tokens else { return Ok((None, Gate::Local)) };
    let (file, tokens) = Tokens::open(path).await?;
    Ok((Some(file), Gate::Tokens(tokens)))
}

/// The folder of the database, and what removes it at the end if it is a temporary one.
fn database(data: Option<PathBuf>) -> Result<(PathBuf, Option<TempDir>), Error> {
    if let Some(data) = data {
        return Ok((data, None));
    }
    let temporary = tempfile::Builder::new().prefix("hookwright-").tempdir().map_err(Error::Temporary)?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

/// Where receivers on a developer's machine are.
fn loopback() -> [IpNet; 2] {
    [Ipv4Net::new_assert(Ipv4Addr::LOCALHOST, 8).into(), Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128).into()]
}
