//! The `WebhookDelivery` manifests of a folder: each is sent once.

use std::collections::HashSet;

use hookwright_engine::filter::Subject;
use hookwright_engine::pattern::EventType;
use hookwright_engine::time::Time;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::folder::Manifests;
use super::manifest::{Identity, Source};
use super::table::{NAMESPACE, webhook_id};
use crate::crd::{NotSubscribed, WebhookDelivery};
use crate::delivery;
use crate::store::{self, Error, PublishError};

/// Sends what the manifests ask for, and remembers what was done.
///
/// A manifest is one delivery for as long as its webhook and its event stay the same; with another
/// event it is another delivery. The store knows it by its origin, so that with a database that is
/// kept, a restart sends nothing again.
#[derive(Debug)]
pub(super) struct Sends {
    delivery: delivery::Handle,
    store: store::Handle,
    max_event_bytes: usize,
    done: HashSet<Done>,
}

/// What was done about a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Done {
    Sent(Uuid),
    Canceled(Uuid),
}

/// What came of a manifest.
enum Outcome {
    Done,
    /// Another manifest is needed.
    Refused(String),
    /// Try again later.
    Later(String),
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        Self::Later(error.to_string())
    }
}

/// What came of all manifests.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) problems: Vec<String>,
    /// Whether some are to be tried again.
    pub(super) unfinished: bool,
}

impl Sends {
    pub(super) fn new(delivery: delivery::Handle, store: store::Handle, max_event_bytes: usize) -> Self {
        Self { delivery, store, max_event_bytes, done: HashSet::new() }
    }

    /// Does what the manifests ask for and was not done yet.
    pub(super) async fn settle(&mut self, manifests: &Manifests<'_>) -> Report {
        let mut report = Report::default();
        // Replays last: what they repeat may be sent just now.
        let (events, replays): (Vec<_>, Vec<_>) =
            manifests.deliveries.iter().partition(|(_, (_, it))| it.spec.event.is_some());
        for (&identity, &(source, manifest)) in events.into_iter().chain(replays) {
            let done = todo_of(identity, manifest);
            if self.done.contains(&done) {
                continue;
            }
            match self.attend(identity, manifest, done, manifests).await {
                Outcome::Done => drop(self.done.insert(done)),
                Outcome::Refused(problem) => report.problems.push(describe(source, identity, &problem)),
                Outcome::Later(problem) => {
                    report.problems.push(describe(source, identity, &problem));
                    report.unfinished = true;
                }
            }
        }
        report
    }

    async fn attend(
        &self,
        identity: &Identity,
        manifest: &WebhookDelivery,
        done: Done,
        manifests: &Manifests<'_>,
    ) -> Outcome {
        match done {
            Done::Canceled(origin) => self.cancel(origin).await.unwrap_or_else(Outcome::from),
            Done::Sent(origin) => {
                let target = neighbour(identity, &manifest.spec.webhook_ref.name);
                if !manifests.webhooks.contains_key(&target) {
                    return Outcome::Refused(format!("spec.webhookRef.name: there is no Webhook {target}"));
                }
                if manifest.spec.ttl_seconds_after_finished.is_some() {
                    let detail = "spec.ttlSecondsAfterFinished: without a cluster no object is removed";
                    return Outcome::Refused(detail.to_owned());
                }
                match &manifest.spec.replay_of {
                    Some(of) => {
                        let of = neighbour(identity, &of.name);
                        self.replay(manifest, &of, &target, origin, manifests)
                            .await
                            .unwrap_or_else(Outcome::from)
                    }
                    None => self.send(manifest, &target, origin).await,
                }
            }
        }
    }

    async fn send(&self, manifest: &WebhookDelivery, target: &Identity, origin: Uuid) -> Outcome {
        let Some(event) = &manifest.spec.event else {
            return Outcome::Refused("spec: exactly one of event and replayOf is required".to_owned());
        };
        let draft = match event.draft(self.max_event_bytes) {
            Ok(draft) => draft,
            Err(unsendable) => return Outcome::Refused(unsendable.to_string()),
        };
        if let Err(refused) = self.subscribed(manifest, target, &draft.event_type) {
            return refused;
        }
        if let Err(refused) = self.let_through(manifest, target, |now| Subject::of_draft(&draft, now)).await {
            return refused;
        }
        match self.delivery.send(&target.namespace, webhook_id(target), draft, origin).await {
            Ok(_) => Outcome::Done,
            Err(conflict @ PublishError::Conflict(_)) => Outcome::Refused(conflict.to_string()),
            Err(PublishError::Unavailable(error)) => error.into(),
        }
    }

    /// Whether the webhook gets events of this type from this manifest.
    fn subscribed(
        &self,
        manifest: &WebhookDelivery,
        target: &Identity,
        event_type: &EventType,
    ) -> Result<(), Outcome> {
        let Some(webhook) = self.delivery.webhook(webhook_id(target)) else { return Ok(()) };
        let refused = |error: NotSubscribed| Outcome::Refused(error.to_string());
        manifest.spec.subscribed(&webhook, event_type).map_err(refused)
    }

    /// Asks the webhook's filters, unless the manifest ignores them.
    async fn let_through(
        &self,
        manifest: &WebhookDelivery,
        target: &Identity,
        subject: impl FnOnce(Time) -> Subject,
    ) -> Result<(), Outcome> {
        let Some(webhook) = self.delivery.webhook(webhook_id(target)) else { return Ok(()) };
        if manifest.spec.ignore_filters {
            return Ok(());
        }
        let verdict = self.delivery.judge(&webhook, subject).await?;
        let through = manifest.spec.let_through(&webhook, verdict);
        through.map_err(|refused| Outcome::Refused(refused.to_string()))
    }

    async fn replay(
        &self,
        manifest: &WebhookDelivery,
        of: &Identity,
        target: &Identity,
        origin: Uuid,
        manifests: &Manifests<'_>,
    ) -> Result<Outcome, Error> {
        let unknown = || Outcome::Refused(format!("spec.replayOf.name: there is no delivery {of}"));
        let Some((_, replayed)) = manifests.deliveries.get(of) else { return Ok(unknown()) };
        let Some(delivery) = self.store.delivery_of(origin_of(of, replayed)).await? else {
            return Ok(unknown());
        };
        if let Err(refused) = self.subscribed(manifest, target, &delivery.event_type) {
            return Ok(refused);
        }
        // An event that is lost is found out below.
        if let Some(subject) = self.store.event(delivery.event).await?.as_deref().and_then(Subject::of_event)
            && let Err(refused) = self.let_through(manifest, target, |_| subject).await
        {
            return Ok(refused);
        }
        let made = self.delivery.replay(&delivery, webhook_id(target), origin).await?;
        Ok(made.map_or_else(unknown, |_| Outcome::Done))
    }

    /// Ends the delivery that was made for a manifest, if one was.
    async fn cancel(&self, origin: Uuid) -> Result<Outcome, Error> {
        if let Some(delivery) = self.store.delivery_of(origin).await? {
            self.store.cancel(delivery.id).await?;
        }
        Ok(Outcome::Done)
    }
}

fn todo_of(identity: &Identity, manifest: &WebhookDelivery) -> Done {
    let origin = origin_of(identity, manifest);
    if manifest.spec.canceled { Done::Canceled(origin) } else { Done::Sent(origin) }
}

/// The origin of the delivery that a manifest asks for.
fn origin_of(identity: &Identity, manifest: &WebhookDelivery) -> Uuid {
    let spec = &manifest.spec;
    let asked = (&spec.webhook_ref, &spec.event, &spec.replay_of);
    let mut name = format!("WebhookDelivery/{identity}/").into_bytes();
    name.extend_from_slice(&Sha256::digest(serde_json::to_vec(&asked).unwrap_or_default()));
    Uuid::new_v5(&NAMESPACE, &name)
}

/// An object of this name in the same namespace.
fn neighbour(of: &Identity, name: &str) -> Identity {
    Identity { namespace: of.namespace.clone(), name: name.to_owned() }
}

fn describe(source: &Source, identity: &Identity, problem: &str) -> String {
    format!("{source}: WebhookDelivery {identity}: {problem}")
}
