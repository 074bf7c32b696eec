//! One look at one object.

use std::sync::Arc;
use std::time::Duration;

use hookwright_engine::id::DeliveryId;
use hookwright_engine::time::Time;
use kube::Resource;
use kube::runtime::controller::Action;

use super::Context;
use super::locate::Located;
use super::obey::retry_requested;
use crate::crd::{WebhookDelivery, WebhookDeliveryStatus, gitops};
use crate::projector::delivery_status::{self, Known};
use crate::projector::writer::{self, Target, Written};
use crate::store::{self, Delivery};

/// When what failed, or what waits for something that does not exist, is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// When to look again where not all webhooks are known yet.
const EARLY: Duration = Duration::from_secs(1);
/// When a log is read again that lags behind what was told of.
const RECHECK: Duration = Duration::from_millis(500);
/// How often an unfinished delivery is looked at, whatever was heard of it.
const SAFETY: Duration = Duration::from_mins(1);
/// The longest wait for the time at which an object is deleted.
const MAX_WAIT: Duration = Duration::from_hours(24);

/// Why a look failed. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The log could not be read or written.
    #[error("failed to ask the log: {0}")]
    Store(#[from] store::Error),
    /// The API server could not be written to.
    #[error(transparent)]
    Write(#[from] writer::Error),
    /// The API server could not be read from.
    #[error("failed to read the WebhookDelivery {0}: {1}")]
    Read(String, #[source] Box<kube::Error>),
    /// The log has lost a delivery at once.
    #[error("failed to read the delivery {0}, which was made just now")]
    Vanished(DeliveryId),
}

pub(super) async fn reconcile(object: Arc<WebhookDelivery>, context: Arc<Context>) -> Result<Action, Error> {
    let Some(target) = Target::of(&*object) else { return Ok(Action::await_change()) };
    if object.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    if !context.delivery.is_ready() {
        return Ok(Action::requeue(EARLY));
    }
    let before = object.status.clone().unwrap_or_default();
    let generation = object.meta().generation;
    match context.locate(&object, &target, &before).await? {
        Located::Known(delivery) => {
            let delivery = context.obey(&object, target.uid, &before, delivery).await?;
            context.show(&object, &target, &before, &delivery).await
        }
        // The annotation of a new object asks for no more than to be sent.
        Located::Made(delivery) => context.show(&object, &target, &before, &delivery).await,
        Located::Nothing(reason, message) => {
            let now = context.clock.now();
            let status = delivery_status::without_delivery(reason, &message, generation, &before, now);
            context.write(&target, &before, &status).await?;
            match delivery_status::ended(&status) {
                Some(ended) => context.expire(&object, &target, ended).await,
                None => Ok(Action::requeue(RETRY)),
            }
        }
        Located::Ended => match delivery_status::ended(&before) {
            Some(ended) => context.expire(&object, &target, ended).await,
            None => Ok(Action::await_change()),
        },
    }
}

#[allow(clippy::needless_pass_by_value)] // As the controller calls it.
pub(super) fn after_error(object: Arc<WebhookDelivery>, error: &Error, _: Arc<Context>) -> Action {
    let meta = object.meta();
    tracing::warn!(namespace = meta.namespace, name = meta.name, %error, "failed to follow a delivery object");
    Action::requeue(RETRY)
}

impl Context {
    /// Step 3: the status, and when to look again.
    async fn show(
        &self,
        object: &WebhookDelivery,
        target: &Target,
        before: &WebhookDeliveryStatus,
        delivery: &Delivery,
    ) -> Result<Action, Error> {
        let attempts =
            if delivery.attempts > 0 { self.store.attempts(delivery.id).await? } else { Vec::new() };
        let webhook = self.delivery.webhook(delivery.webhook);
        let known = Known {
            delivery,
            attempts: &attempts,
            sending: self.objects.is_sending(delivery.id),
            budget: webhook.map(|webhook| webhook.retry.max_attempts()),
            canceled: object.spec.canceled,
        };
        let now = self.clock.now();
        let mut status = delivery_status::of(known, object.meta().generation, before, now);
        status.retry_requested_at = retry_requested(object).or(status.retry_requested_at);
        if self.write(target, before, &status).await? == Written::Gone {
            self.cancel_of(target.uid).await?;
            return Ok(Action::await_change());
        }
        if self.objects.expects_more(delivery.id, delivery.attempts) {
            return Ok(Action::requeue(RECHECK));
        }
        match delivery.finished {
            Some(finished) => self.expire(object, target, finished).await,
            None => Ok(Action::requeue(SAFETY)),
        }
    }

    async fn write(
        &self,
        target: &Target,
        before: &WebhookDeliveryStatus,
        status: &WebhookDeliveryStatus,
    ) -> Result<Written, Error> {
        if delivery_status::is_same(before, status) {
            return Ok(Written::Done);
        }
        Ok(self.writer.delivery_status(target, status).await?)
    }

    /// Deletes an object whose time after its end is over, unless it would come back.
    async fn expire(&self, object: &WebhookDelivery, target: &Target, ended: Time) -> Result<Action, Error> {
        let ttl = object.spec.ttl_seconds_after_finished.filter(|_| !gitops::would_come_back(object));
        let Some(ttl) = ttl else { return Ok(Action::await_change()) };
        let wait = self.clock.until(ended + Duration::from_secs(ttl.into()));
        if wait > Duration::ZERO {
            return Ok(Action::requeue(wait.min(MAX_WAIT)));
        }
        self.writer.delete(target).await?;
        Ok(Action::await_change())
    }
}
