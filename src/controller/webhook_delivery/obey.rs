//! Step 2: what the object's user asks of its delivery by hand.

use hookwright_engine::delivery::State;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Context;
use crate::crd::annotation::{self, RETRY_REQUESTED_AT};
use crate::crd::{WebhookDelivery, WebhookDeliveryStatus};
use crate::store::{self, Delivery};

/// The value of the annotation that asks for a retry.
pub(super) fn retry_requested(object: &WebhookDelivery) -> Option<String> {
    annotation::requested(object, RETRY_REQUESTED_AT)
}

impl Context {
    /// Cancels or retries the delivery of an object where that is asked for and was not done yet. A
    /// canceled one is not retried.
    pub(super) async fn obey(
        &self,
        object: &WebhookDelivery,
        uid: Uuid,
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
        // It may be read again until the status says so, which may take a while without an API server.
        let asked = annotation::asked(uid, RETRY_REQUESTED_AT, value);
        Ok(self.store.retry_once(delivery.id, asked).await?.unwrap_or(delivery))
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
