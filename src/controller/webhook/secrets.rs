//! How changes of the Secrets that webhooks use are noticed.
//!
//! Reading them again needs no more than the right to get a Secret, which webhooks need anyway;
//! a watch notices at once, and needs the right to list every Secret of the namespace.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::Controller;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use tokio::sync::broadcast;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::inventory::{Named, Scope};
use super::{Context, Object};
use crate::controller::Watch;
use crate::crd::Webhook;

/// How changes of Secrets are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretChanges {
    /// By a watch of the metadata of all Secrets.
    Watch,
    /// By reading those that webhooks use again, each within this time.
    Poll(Duration),
}

/// How often Secrets that are missing are looked for, and the step in which others are read.
const TICK: Duration = Duration::from_secs(10);
/// Most of those that are missing looked for at once; each has its turn among the others, too.
const MAX_MISSING: usize = 100;
/// How long the API server may take for one.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most webhooks with a replaced key that wait to be looked at; beyond it, polling finds them.
const MAX_REPLACED: usize = 1024;

/// Tells the controller of webhooks whose signing keys this process has replaced itself.
#[derive(Clone, Debug)]
pub struct Replaced(broadcast::Sender<ObjectRef<Webhook>>);

impl Default for Replaced {
    fn default() -> Self {
        Self(broadcast::Sender::new(MAX_REPLACED))
    }
}

impl Replaced {
    /// The key of this webhook is another one from now on.
    pub(in crate::controller) fn tell(&self, webhook: &Webhook) {
        // Where no controller runs, nobody has to know.
        drop(self.0.send(ObjectRef::from_obj(webhook)));
    }

    /// The webhooks to look at, of one namespace or of all.
    fn hear(&self, namespace: Option<String>) -> impl Stream<Item = ObjectRef<Object>> + use<> {
        stream::unfold((self.0.subscribe(), namespace), async |(mut told, namespace)| {
            loop {
                match told.recv().await {
                    Ok(webhook) if namespace.is_none() || webhook.namespace == namespace => {
                        let within = webhook.namespace.unwrap_or_default();
                        return Some((ObjectRef::new(&webhook.name).within(&within), (told, namespace)));
                    }
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        })
    }
}

/// Has a controller look at the webhooks of its watch whose Secrets change.
pub(super) fn follow(
    controller: Controller<Object>,
    context: &Arc<Context>,
    scope: Scope,
    watch: &Watch,
) -> Controller<Object> {
    let controller = controller.reconcile_on(context.replaced.hear(watch.namespace()));
    let context = Arc::clone(context);
    match context.secret_changes {
        SecretChanges::Poll(period) => controller.reconcile_on(poll(context, scope, period)),
        SecretChanges::Watch => {
            let secrets: Api<PartialObjectMeta<Secret>> = watch.api(&context.client);
            let secrets = watcher(secrets, watcher::Config::default()).default_backoff().touched_objects();
            controller.watches_stream(secrets, move |secret| context.table.changed(&secret))
        }
    }
}

/// The webhooks whose Secrets have changed, found by reading these again.
fn poll(context: Arc<Context>, scope: Scope, period: Duration) -> impl Stream<Item = ObjectRef<Object>> {
    let tick = TICK.min(period);
    let mut ticks = interval(tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let poller = Poller { context, scope, ticks, rounds: Rounds::new(period, tick) };
    stream::unfold(poller, async |mut poller| {
        poller.ticks.tick().await;
        let changed = poller.read().await;
        Some((stream::iter(changed), poller))
    })
    .flatten()
}

/// Reads the Secrets of one watch again and again.
struct Poller {
    context: Arc<Context>,
    scope: Scope,
    ticks: Interval,
    rounds: Rounds,
}

impl Poller {
    /// Reads the Secrets whose turn it is. One that cannot be read has another turn.
    async fn read(&mut self) -> Vec<ObjectRef<Object>> {
        let mut changed = Vec::new();
        for secret in self.rounds.next(self.context.table.secrets(self.scope)) {
            let api: Api<Secret> = Api::namespaced(self.context.client.clone(), &secret.namespace);
            let Named { namespace, name } = &secret;
            match timeout(PATIENCE, api.get_metadata_opt(name)).await {
                Ok(Ok(found)) => {
                    let version = found.as_ref().and_then(ResourceExt::resource_version);
                    changed.extend(self.context.table.users(&secret, version.as_deref()));
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, namespace, name, "failed to read a Secret again; trying later");
                }
                Err(_) => {
                    tracing::warn!(namespace, name, "no answer when reading a Secret again; trying later");
                }
            }
        }
        changed
    }
}

/// Whose turn it is to be read: each Secret once in a round, those that are missing at every tick.
#[derive(Debug)]
struct Rounds {
    ticks: usize,
    left: VecDeque<Named>,
    ticks_left: usize,
}

impl Rounds {
    fn new(period: Duration, tick: Duration) -> Self {
        let ticks = period.as_millis().div_ceil(tick.as_millis().max(1));
        let ticks = usize::try_from(ticks).unwrap_or(usize::MAX).max(1);
        Self { ticks, left: VecDeque::new(), ticks_left: 0 }
    }

    /// Those to be read at this tick, of all that are used now and whether they are there.
    fn next(&mut self, used: Vec<(Named, bool)>) -> BTreeSet<Named> {
        if self.ticks_left == 0 {
            self.ticks_left = self.ticks;
            self.left = used.iter().map(|(secret, _)| secret.clone()).collect();
        }
        let part = self.left.len().div_ceil(self.ticks_left);
        self.ticks_left -= 1;
        let missing = used.into_iter().filter(|(_, there)| !there).take(MAX_MISSING);
        self.left.drain(..part).chain(missing.map(|(secret, _)| secret)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str) -> Named {
        Named { namespace: "shop".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn each_secret_has_its_turn_once_in_a_round_and_a_missing_one_at_every_tick() {
        let used = || ["a", "b", "c", "d", "e"].map(|name| (secret(name), name != "e")).to_vec();
        let mut rounds = Rounds::new(Duration::from_secs(30), TICK);
        let mut names = || rounds.next(used()).into_iter().map(|it| it.name).collect::<String>();
        assert_eq!([names(), names(), names(), names()], ["abe", "cde", "e", "abe"]);
    }

    #[test]
    fn every_tick_is_a_round_where_the_period_is_short() {
        let mut rounds = Rounds::new(Duration::from_secs(1), Duration::from_secs(1));
        for _ in 0..3 {
            assert_eq!(rounds.next(vec![(secret("a"), true), (secret("b"), true)]).len(), 2);
        }
        assert!(rounds.next(Vec::new()).is_empty());
    }

    #[tokio::test]
    async fn a_replaced_key_is_told_to_who_looks_after_its_namespace() {
        let webhook = |namespace: &str| {
            let object = serde_json::json!({
                "metadata": { "name": "a", "namespace": namespace }, "spec": { "url": "https://a.example", "events": ["*"] },
            });
            serde_json::from_value::<Webhook>(object).unwrap()
        };
        let replaced = Replaced::default();
        replaced.tell(&webhook("nobody")); // Nobody listens: nothing to do.
        let mut heard = Box::pin(replaced.hear(Some("shop".to_owned())));
        replaced.tell(&webhook("other"));
        replaced.tell(&webhook("shop"));
        let told = heard.next().await.unwrap();
        assert_eq!((told.name.as_str(), told.namespace.as_deref()), ("a", Some("shop")));
    }
}
