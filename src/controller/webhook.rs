//! Reconciles `Webhook` objects: dereference → validate → plan → apply → obey → status.
//!
//! Guarantees: an object that is invalid, unresolved or unreadable never stops the others; what
//! the engine knows of a deleted object never comes back; a look that fails is repeated, later
//! each time.

mod apply;
mod dereference;
mod inventory;
mod keys;
mod letters;
mod obey;
mod owned;
mod plan;
pub(super) mod secrets;
mod status;
mod table;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc;
use hookwright_engine::event::InvalidEvent;
use hookwright_engine::id::WebhookId;
use kube::core::DeserializeGuard;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::events::Recorder;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Client, Resource, ResourceExt};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::inventory::Scope;
use self::secrets::{Replaced, SecretChanges};
use self::status::Report;
pub(super) use self::table::Table;
use super::Watch;
use crate::clock::Clock;
use crate::crd::Webhook;
use crate::metrics::Metrics;
use crate::store::PublishError;
use crate::{delivery, signing_key, store};

/// A webhook as the API server has it; one that cannot be read is known by its metadata.
type Object = DeserializeGuard<Webhook>;

/// Looks under way at a time.
const CONCURRENCY: u16 = 32;
/// The delay after the first look that failed; doubles with each further one.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// No delay after a look that failed is longer.
const MAX_BACKOFF: Duration = Duration::from_mins(5);

/// What every look needs.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) table: Table,
    pub(super) engine: delivery::Handle,
    pub(super) recorder: Recorder,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) secret_changes: SecretChanges,
    pub(super) replaced: Replaced,
}

/// Why a look failed. Each is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("failed to read Secret '{secret}': {source}")]
    Read { secret: String, source: Box<kube::Error> },
    #[error("failed to create Secret '{secret}': {source}")]
    Create { secret: String, source: Box<kube::Error> },
    #[error("failed to keep the previous signing key in Secret '{secret}': {source}")]
    Store { secret: String, source: Box<kube::Error> },
    #[error("failed to delete Secret '{secret}': {source}")]
    Delete { secret: String, source: Box<kube::Error> },
    #[error(transparent)]
    Generate(#[from] signing_key::Error),
    #[error("failed to retry what failed: {0}")]
    Redrive(#[source] store::Error),
    #[error("failed to make a test.ping: {0}")]
    Ping(#[source] InvalidEvent),
    #[error("failed to send a test.ping: {0}")]
    Test(#[source] PublishError),
    #[error("failed to write the status: {0}")]
    Status(#[source] Box<kube::Error>),
}

/// Looks at every webhook of one watch whenever it, or a Secret that it uses, changes. Ends when
/// `shutdown` says so and the looks under way are done.
pub(super) async fn run(context: Arc<Context>, scope: Scope, watch: Watch, shutdown: CancellationToken) {
    let (reader, writer) = reflector::store();
    let observing = Arc::clone(&context);
    let (others, naming) = mpsc::unbounded();
    let webhooks = watcher(watch.api(&context.client), watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .filter_map(move |event| {
            let trigger = match event {
                Ok(event) => {
                    let (look, naming) = observing.table.observe(scope, event);
                    // The controller that ends looks at nothing more.
                    for other in naming {
                        drop(others.unbounded_send(other));
                    }
                    look.map(Ok)
                }
                Err(error) => Some(Err(error)),
            };
            std::future::ready(trigger)
        });
    let controller = Controller::for_stream(webhooks, reader)
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_on(naming);
    secrets::follow(controller, &context, scope, &watch)
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(look, |object, _, context| retry(&object, &context), context)
        .for_each(|result| {
            report(&result);
            std::future::ready(())
        })
        .await;
}

/// One look at one object, whatever state it is in.
async fn look(object: Arc<Object>, context: Arc<Context>) -> Result<Action, Error> {
    let Some(id) = inventory::id(&object) else { return Ok(Action::await_change()) };
    let (namespace, name) = (object.namespace(), object.name_any());
    let span = tracing::info_span!("webhook", namespace, name);
    let result = match &object.0 {
        Ok(webhook) => reconcile(&context, &object, webhook, id).instrument(span.clone()).await,
        Err(unreadable) => refuse(&context, &object, id, &unreadable.error).instrument(span.clone()).await,
    };
    if let Err(error) = &result {
        span.in_scope(|| tracing::warn!(%error, "failed to reconcile; trying again later"));
        if let Ok(webhook) = &object.0 {
            // Its events must not be lost, whatever could not be read.
            context.table.hold(id, webhook);
        }
    }
    context.table.looked(id, result.is_ok());
    result
}

async fn reconcile(
    context: &Context,
    object: &Object,
    webhook: &Webhook,
    id: WebhookId,
) -> Result<Action, Error> {
    let found = dereference::dereference(context, webhook, id).await?;
    let now = context.clock.now();
    let validated = validate::validate(webhook, id, &found, now);
    let said = context.table.said(id).or_else(|| webhook.status.clone()).unwrap_or_default();
    let plan = plan::plan(webhook, found, validated, &said, now);
    if apply::apply(context, id, &plan).await? {
        obey::obey(context, object, id, &said).await?;
        status::publish(context, id, object, plan.report).await?;
    }
    Ok(plan.again.map_or_else(Action::await_change, Action::requeue))
}

/// Says that an object cannot be read. The engine goes on with what it knows of it.
async fn refuse(context: &Context, object: &Object, id: WebhookId, error: &str) -> Result<Action, Error> {
    let said = context.table.said(id).unwrap_or_default();
    let report = Report::unreadable(id, object.meta().generation, error, &said, context.clock.now());
    status::publish(context, id, object, report).await?;
    Ok(Action::await_change())
}

/// When to look again after a look that failed: later each time, and not all at once.
fn retry(object: &Object, context: &Context) -> Action {
    let failures = inventory::id(object).map_or(1, |id| context.table.failures(id));
    Action::requeue(backoff(failures, fastrand::u64(..)))
}

/// Doubles with each failure up to [`MAX_BACKOFF`]; `entropy` adds at most a tenth.
fn backoff(failures: u32, entropy: u64) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    let delay = doubled.min(MAX_BACKOFF);
    let jitter = entropy % (u64::try_from(delay.as_millis()).unwrap_or(u64::MAX) / 10 + 1);
    delay + Duration::from_millis(jitter)
}

/// Failed looks have reported themselves; what is left are failing watches.
fn report<Q: std::error::Error>(
    result: &Result<(reflector::ObjectRef<Object>, Action), controller::Error<Error, Q>>,
) {
    match result {
        Ok(_) | Err(controller::Error::ReconcilerFailed(..) | controller::Error::ObjectNotFound(_)) => {}
        Err(controller::Error::QueueError(error)) => {
            tracing::warn!(%error, "failed to watch; trying again");
        }
        Err(controller::Error::RunnerError(error)) => tracing::error!(%error, "the controller ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_fails_is_repeated_later_each_time_within_bounds() {
        let seconds: Vec<_> = [1, 2, 3, 9, 40].map(|failures| backoff(failures, 0).as_secs()).to_vec();
        assert_eq!(seconds, [1, 2, 4, 256, 300]);
        for entropy in [1, 77, u64::MAX] {
            assert!(backoff(40, entropy) <= MAX_BACKOFF + MAX_BACKOFF / 10);
        }
    }
}
