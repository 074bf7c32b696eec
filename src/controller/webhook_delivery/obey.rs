//! Step 2: what the object's user asks of its delivery by hand.

use hookwright_engine::delivery::State;
use kube::ResourceExt;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Context;
use crate::crd::webhook_delivery::RETRY_REQUESTED_AT;
use crate::crd::{WebhookDelivery, WebhookDeliveryStatus};
use crate::projector::objects::Reference;
use crate::store::{self, Delivery};

/// Longest value of the annotation that is told apart from others, in characters.
const MAX_REQUEST: usize = 1024;

/// The value of the annotation that asks for a retry.
pub(super) fn retry_requested(object: &WebhookDelivery) -> Option<String> {
    object.annotations().get(RETRY_REQUESTED_AT).map(|value| value.chars().take(MAX_REQUEST).collect())
}

impl Context {
    /// Cancels or retries the delivery where that is asked for and was not done yet. A canceled one
    /// is not retried.
    pub(super) async fn obey(
        &self,
        object: &WebhookDelivery,
        before: &WebhookDeliveryStatus,
        delivery: Delivery,
    ) -> Result<Delivery, store::Error> {
        if object.spec.canceled {
            let unfinished = !delivery.state.is_final();
            let canceled = if unfinished { self.store.cancel(delivery.id).await? } else { None };
            return Ok(canceled.unwrap_or(delivery));
        }
        let requested = retry_requested(object);
        let Some(value) = requested.filter(|value| before.retry_requested_at.as_ref() != Some(value)) else {
            return Ok(delivery);
        };
        if self.delivery.webhook(delivery.webhook).is_none() {
            return Ok(delivery); // Deleted: there is nowhere to send to.
        }
        let reference = Reference::from_obj(object);
        // Until the status says so, which may take a while without an API server.
        if self.objects.retried(&reference, &value).as_ref() == Some(&value) {
            return Ok(delivery);
        }
        match self.store.retry(delivery.id).await {
            Ok(retried) => Ok(retried.unwrap_or(delivery)),
            Err(error) => {
                self.objects.not_retried(&reference);
                Err(error)
            }
        }
    }

    /// Cancels the delivery that an object asked for which is gone.
    pub(super) async fn cancel_of(&self, origin: Uuid) -> Result<(), store::Error> {
        let Some(delivery) = self.store.delivery_of(origin).await? else { return Ok(()) };
        // Another object with the same event may have asked first: then the delivery is its own.
        if delivery.origin == Some(origin) && matches!(delivery.state, State::Pending { .. }) {
            self.store.cancel(delivery.id).await?;
        }
        Ok(())
    }
}

/// Cancels what was asked for by objects that are deleted.
pub(super) async fn cancel_departed(mut departures: mpsc::UnboundedReceiver<Uuid>, context: &Context) {
    while let Some(origin) = departures.recv().await {
        if let Err(error) = context.cancel_of(origin).await {
            tracing::warn!(%origin, %error, "failed to cancel the delivery of a deleted object");
        }
    }
}
