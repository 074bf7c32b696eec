//! What the rest of the program says to the driver.

use std::collections::HashSet;
use std::sync::Arc;

use hookwright_engine::breaker::Circuit;
use hookwright_engine::delivery::Kind;
use hookwright_engine::endpoint::Endpoint;
use hookwright_engine::engine::Input;
use hookwright_engine::event::Draft;
use hookwright_engine::filter::{Objection, Subject, Verdict};
use hookwright_engine::id::{DeliveryId, WebhookId};
use hookwright_engine::ordering;
use hookwright_engine::time::Time;
use tokio::sync::{broadcast, mpsc, watch};
use uuid::Uuid;

use super::change::{Change, What};
use super::circuits::Circuits;
use super::directory::{Directory, Subscribed};
use super::restraints::{Restrained, Restraints};
use super::screening::Screening;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::store::{self, Asked, Delivery, Publish, PublishError, Receipt, Selection, Target};
use crate::telemetry::traces::Traces;

/// Talks to the driver. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// Why a webhook would not get an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// None of its patterns selects the type.
    #[error("none of its patterns selects the event's type")]
    NotSubscribed,
    /// Its filters do not let the event through.
    #[error(transparent)]
    Filtered(Objection),
}

/// What the handles and the driver share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) directory: Directory,
    pub(super) circuits: Circuits,
    pub(super) restraints: Restraints,
    pub(super) changes: broadcast::Sender<Change>,
    /// Changes of webhooks, few and small; never lost, so never refused.
    control: mpsc::UnboundedSender<Input>,
    ready: watch::Sender<bool>,
    /// Told after each change of the directory.
    known: watch::Sender<()>,
    screening: Screening,
    clock: Clock,
    store: store::Handle,
    traces: Traces,
}

impl Shared {
    pub(super) fn new(
        store: store::Handle,
        control: mpsc::UnboundedSender<Input>,
        changes: broadcast::Sender<Change>,
        clock: Clock,
        metrics: Arc<Metrics>,
        traces: Traces,
    ) -> Self {
        Self {
            directory: Directory::default(),
            circuits: Circuits::default(),
            restraints: Restraints::default(),
            changes,
            control,
            ready: watch::Sender::new(false),
            known: watch::Sender::new(()),
            screening: Screening::new(metrics),
            clock,
            store,
            traces,
        }
    }

    /// Tells whoever listens.
    pub(super) fn tell(&self, webhook: WebhookId, delivery: DeliveryId, what: What) {
        drop(self.changes.send(Change { webhook, delivery, what }));
    }
}

impl Handle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Adds or replaces a webhook. Events published after this are matched against it.
    pub fn upsert(&self, endpoint: Endpoint) {
        let endpoint = Arc::new(endpoint);
        // The driver must know a webhook before an event can be accepted for it.
        self.tell(Input::Upsert(Arc::clone(&endpoint)));
        self.shared.directory.insert(&endpoint);
        self.shared.known.send_replace(());
    }

    /// The webhook is deleted: its unfinished deliveries are canceled.
    pub fn remove(&self, webhook: WebhookId) {
        self.shared.directory.remove(webhook);
        self.shared.known.send_replace(());
        self.tell(Input::Remove(webhook));
    }

    /// All webhooks are known for the first time: `known` are all that exist, valid or not.
    /// Unfinished deliveries of others are canceled, and events are taken from now on.
    pub fn synced(&self, known: HashSet<WebhookId>) {
        for endpoint in self.shared.directory.all() {
            if !known.contains(&endpoint.id) {
                self.shared.directory.remove(endpoint.id);
            }
        }
        self.tell(Input::Synced(known));
        self.shared.ready.send_replace(true);
    }

    /// Whether events are taken.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.shared.ready.borrow()
    }

    /// Waits until events are taken.
    pub async fn ready(&self) {
        // Cannot fail: the sender is ours.
        drop(self.shared.ready.subscribe().wait_for(|ready| *ready).await);
    }

    /// A webhook as the driver knows it.
    #[must_use]
    pub fn webhook(&self, webhook: WebhookId) -> Option<Arc<Endpoint>> {
        self.shared.directory.get(webhook)
    }

    /// Whether deliveries flow to a webhook's receiver, or it is left alone for a while.
    #[must_use]
    pub fn circuit(&self, webhook: WebhookId) -> Circuit {
        self.shared.circuits.get(webhook)
    }

    /// What holds a webhook's deliveries back, if anything does.
    #[must_use]
    pub fn restrained(&self, webhook: WebhookId) -> Option<Restrained> {
        self.shared.restraints.get(webhook)
    }

    /// Waits until what the driver knows of a webhook is as `wanted`.
    pub async fn until(&self, webhook: WebhookId, wanted: impl Fn(Option<&Endpoint>) -> bool) {
        let mut known = self.shared.known.subscribe();
        // Cannot fail: the sender is ours.
        while !wanted(self.webhook(webhook).as_deref()) && known.changed().await.is_ok() {}
    }

    /// All webhooks that the driver knows, in no order.
    #[must_use]
    pub fn webhooks(&self) -> Vec<Arc<Endpoint>> {
        self.shared.directory.all()
    }

    /// Matches an event against the webhooks of its namespace, asks their filters, and makes it durable.
    pub async fn publish(&self, namespace: &str, draft: Draft) -> Result<Receipt, PublishError> {
        let Subscribed { webhooks, filters, orderings } =
            self.shared.directory.matching(namespace, &draft.event_type);
        let mut targets: Vec<Target> = webhooks.iter().copied().map(Target::from).collect();
        if !filters.is_empty() || !orderings.is_empty() {
            let subject = Arc::new(Subject::of_draft(&draft, self.shared.clock.now()));
            let objections = self.shared.screening.objections(&subject, filters).await?;
            targets.retain(|target| !objections.contains_key(&target.webhook));
            for target in &mut targets {
                target.line = orderings.get(&target.webhook).and_then(|ordering| ordering.line(&subject));
            }
        }
        self.accept(Publish { namespace: namespace.into(), draft, targets, kind: Kind::Event, origin: None })
            .await
    }

    /// Sends an event to one webhook, whatever it subscribes to, at most once per origin (the
    /// UID of the object that asks for it) and per event id.
    pub async fn send(
        &self,
        namespace: &str,
        webhook: WebhookId,
        draft: Draft,
        origin: Uuid,
    ) -> Result<Receipt, PublishError> {
        let line = match self.ordering(webhook) {
            ordering::Policy::None => None,
            asked => asked.line(&Subject::of_draft(&draft, self.shared.clock.now())),
        };
        self.send_as(Kind::Event, namespace, Target { webhook, line }, draft, origin).await
    }

    /// Sends an event to one webhook to see whether that works: once, whatever it subscribes to and
    /// however it retries, at most once per origin. It stands in no line: somebody waits for the answer.
    pub async fn test(
        &self,
        namespace: &str,
        webhook: WebhookId,
        draft: Draft,
        origin: Uuid,
    ) -> Result<Receipt, PublishError> {
        self.send_as(Kind::Test, namespace, webhook.into(), draft, origin).await
    }

    /// Sends the event of a delivery once more, to one webhook, at most once per origin. `None`: the
    /// log does not know the delivery any more.
    pub async fn replay(
        &self,
        of: &Delivery,
        webhook: WebhookId,
        origin: Uuid,
    ) -> Result<Option<DeliveryId>, store::Error> {
        let line = match self.ordering(webhook) {
            ordering::Policy::None => None,
            asked => {
                let event = self.shared.store.event(of.event).await?;
                event.as_deref().and_then(Subject::of_event).and_then(|subject| asked.line(&subject))
            }
        };
        self.shared.store.replay(of.id, Target { webhook, line }, origin).await
    }

    /// Retries what failed, see [`store::Handle::redrive`].
    pub async fn redrive(
        &self,
        webhook: WebhookId,
        selection: Selection,
        asked: Option<Asked>,
    ) -> Result<u64, store::Error> {
        self.shared.store.redrive(webhook, selection, asked).await
    }

    /// What the filter of a webhook says to an event that is meant for it alone.
    pub async fn judge(
        &self,
        webhook: &Endpoint,
        subject: impl FnOnce(Time) -> Subject,
    ) -> Result<Verdict, store::Error> {
        let Some(filter) = &webhook.filter else { return Ok(Verdict::Accepted) };
        let subject = subject(self.shared.clock.now());
        let filters = vec![(webhook.id, Arc::clone(filter))];
        let objections = self.shared.screening.objections(&Arc::new(subject), filters).await?;
        Ok(objections.get(&webhook.id).copied().into())
    }

    /// Which webhooks of a namespace would get an event, and why the others would not, in the order
    /// of their names.
    pub async fn explain(
        &self,
        namespace: &str,
        draft: &Draft,
    ) -> Result<Vec<(Arc<Endpoint>, Option<Obstacle>)>, store::Error> {
        let Subscribed { webhooks: subscribed, filters, orderings: _ } =
            self.shared.directory.matching(namespace, &draft.event_type);
        let subject = Arc::new(Subject::of_draft(draft, self.shared.clock.now()));
        let objections = self.shared.screening.objections(&subject, filters).await?;
        let mut webhooks = self.webhooks();
        webhooks.retain(|webhook| *webhook.namespace == *namespace);
        webhooks.sort_by(|a, b| a.name.cmp(&b.name));
        let explained = webhooks.into_iter().map(|webhook| {
            let obstacle = if subscribed.contains(&webhook.id) {
                objections.get(&webhook.id).copied().map(Obstacle::Filtered)
            } else {
                Some(Obstacle::NotSubscribed)
            };
            (webhook, obstacle)
        });
        Ok(explained.collect())
    }

    /// What happens from now on. Slow readers lose the oldest (`RecvError::Lagged`).
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    fn ordering(&self, webhook: WebhookId) -> ordering::Policy {
        self.webhook(webhook).map_or(ordering::Policy::None, |webhook| webhook.ordering)
    }

    async fn send_as(
        &self,
        kind: Kind,
        namespace: &str,
        target: Target,
        draft: Draft,
        origin: Uuid,
    ) -> Result<Receipt, PublishError> {
        let (namespace, targets) = (namespace.into(), vec![target]);
        self.accept(Publish { namespace, draft, targets, kind, origin: Some(origin) }).await
    }

    async fn accept(&self, mut publish: Publish) -> Result<Receipt, PublishError> {
        let span = self.shared.traces.publish(&publish.namespace, &publish.draft);
        publish.draft.trace = span.trace();
        let accepted = self.shared.store.publish(publish).await;
        span.published(&accepted);
        accepted
    }

    fn tell(&self, input: Input) {
        // A driver that has ended has nothing left to do with it.
        drop(self.shared.control.send(input));
    }
}
