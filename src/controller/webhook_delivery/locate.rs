//! Step 1: the delivery that an object shows; made now, where a user asks for it.

use std::sync::Arc;

use hookwright_engine::endpoint::Endpoint;
use hookwright_engine::filter::Subject;
use hookwright_engine::id::DeliveryId;
use hookwright_engine::time::Time;
use kube::Api;
use uuid::Uuid;

use super::Context;
use super::reconcile::Error;
use crate::crd::condition::Reason;
use crate::crd::webhook_delivery::EventSpec;
use crate::crd::{WebhookDelivery, WebhookDeliveryStatus, gitops};
use crate::projector::writer::Target;
use crate::projector::{delivery_status, view};
use crate::store::{self, Delivery, PublishError};

/// What an object shows.
pub(super) enum Located {
    /// This delivery, known before.
    Known(Delivery),
    /// This delivery, made now.
    Made(Delivery),
    /// No delivery, for this reason: for good, or until it is tried again.
    Nothing(Reason, String),
    /// A delivery that the log has forgotten since it ended, or none for good: as it was.
    Ended,
}

impl Context {
    /// Finds the delivery of an object that had the status `before`.
    pub(super) async fn locate(
        &self,
        object: &WebhookDelivery,
        target: &Target,
        before: &WebhookDeliveryStatus,
    ) -> Result<Located, Error> {
        let shown = match view::of(object) {
            Some(Some(id)) => Some(id),
            Some(None) => {
                let detail = format!("the label {} is not the id of a delivery", view::DELIVERY_LABEL);
                return Ok(Located::Nothing(Reason::DeliveryLost, detail));
            }
            None => before.id.as_ref().and_then(|id| id.parse().ok()),
        };
        if let Some(id) = shown {
            return Ok(match self.in_namespace(id, target).await? {
                Some(delivery) => Located::Known(delivery),
                None if delivery_status::ended(before).is_some() => Located::Ended,
                None => Located::Nothing(
                    Reason::DeliveryLost,
                    format!("the log does not know the delivery {id}; it is not sent again"),
                ),
            });
        }
        if delivery_status::ended(before).is_some() {
            return Ok(Located::Ended);
        }
        if let Some(delivery) = self.store.delivery_of(target.uid).await? {
            return Ok(Located::Known(delivery));
        }
        if object.spec.canceled {
            return Ok(Located::Nothing(Reason::Canceled, "canceled before it was sent".to_owned()));
        }
        self.make(object, target).await
    }

    async fn make(&self, object: &WebhookDelivery, target: &Target) -> Result<Located, Error> {
        let name = &object.spec.webhook_ref.name;
        let Some(webhook) = self.webhook(&target.namespace, name) else {
            let detail = format!("waits for the Webhook {name}, which does not exist in this namespace");
            return Ok(Located::Nothing(Reason::WebhookNotFound, detail));
        };
        let made = match (&object.spec.event, &object.spec.replay_of) {
            (Some(event), _) => self.send(object, event, &webhook, target.uid).await,
            (None, Some(of)) => self.replay(object, &of.name, &webhook, target).await?,
            (None, None) => {
                Err((Reason::InvalidEvent, "exactly one of event and replayOf is required".to_owned()))
            }
        };
        match made {
            Err((reason, detail)) => Ok(Located::Nothing(reason, detail)),
            Ok(id) => self.store.delivery(id).await?.map(Located::Made).ok_or(Error::Vanished(id)),
        }
    }

    /// Sends an event. The store knows the object by its UID, and makes one delivery for it.
    async fn send(
        &self,
        object: &WebhookDelivery,
        event: &EventSpec,
        webhook: &Endpoint,
        origin: Uuid,
    ) -> Result<DeliveryId, (Reason, String)> {
        let mut draft = event
            .draft(self.max_event_bytes)
            .map_err(|unsendable| (Reason::InvalidEvent, unsendable.to_string()))?;
        draft.id = draft.id.or_else(|| gitops::event_id(object));
        object
            .spec
            .subscribed(webhook, &draft.event_type)
            .map_err(|refused| (Reason::NotSubscribed, refused.to_string()))?;
        self.let_through(object, webhook, |now| Subject::of_draft(&draft, now)).await?;
        match self.delivery.send(&webhook.namespace, webhook.id, draft, origin).await {
            Ok(receipt) => receipt.deliveries.first().copied().ok_or_else(|| {
                (Reason::StoreUnavailable, "the log made no delivery; it is tried again".to_owned())
            }),
            Err(conflict @ PublishError::Conflict(_)) => Err((Reason::EventConflict, conflict.to_string())),
            Err(PublishError::Unavailable(error)) => Err(unavailable(&error)),
        }
    }

    /// Sends the event of another object's delivery once more.
    async fn replay(
        &self,
        object: &WebhookDelivery,
        name: &str,
        webhook: &Endpoint,
        target: &Target,
    ) -> Result<Result<DeliveryId, (Reason, String)>, Error> {
        let Some(of) = self.delivery_shown_by(&target.namespace, name).await? else {
            let detail =
                format!("waits for the WebhookDelivery {name}, which does not exist or was not sent");
            return Ok(Err((Reason::DeliveryNotFound, detail)));
        };
        if let Err(refused) = object.spec.subscribed(webhook, &of.event_type) {
            return Ok(Err((Reason::NotSubscribed, refused.to_string())));
        }
        // An event that is lost is found out below.
        if let Some(subject) = self.store.event(of.event).await?.as_deref().and_then(Subject::of_event)
            && let Err(refused) = self.let_through(object, webhook, |_| subject).await
        {
            return Ok(Err(refused));
        }
        Ok(match self.delivery.replay(&of, webhook.id, target.uid).await {
            Ok(Some(id)) => Ok(id),
            Ok(None) => {
                Err((Reason::DeliveryLost, format!("the log does not know the delivery {} any more", of.id)))
            }
            Err(error) => Err(unavailable(&error)),
        })
    }

    /// Asks the webhook's filters, unless the object ignores them.
    async fn let_through(
        &self,
        object: &WebhookDelivery,
        webhook: &Endpoint,
        subject: impl FnOnce(Time) -> Subject,
    ) -> Result<(), (Reason, String)> {
        if object.spec.ignore_filters {
            return Ok(());
        }
        let verdict = self.delivery.judge(webhook, subject).await.map_err(|error| unavailable(&error))?;
        let through = object.spec.let_through(webhook, verdict);
        through.map_err(|refused| (Reason::FilteredOut, refused.to_string()))
    }

    async fn delivery_shown_by(&self, namespace: &str, name: &str) -> Result<Option<Delivery>, Error> {
        let api: Api<WebhookDelivery> = Api::namespaced(self.client.clone(), namespace);
        let found =
            api.get_opt(name).await.map_err(|source| Error::Read(name.to_owned(), Box::new(source)))?;
        let Some((object, target)) = found.and_then(|object| Target::of(&object).map(|it| (object, it)))
        else {
            return Ok(None);
        };
        let told = object.status.as_ref().and_then(|status| status.id.as_ref()?.parse().ok());
        match view::of(&object).flatten().or(told) {
            Some(id) => self.in_namespace(id, &target).await,
            None => Ok(self.store.delivery_of(target.uid).await?),
        }
    }

    /// A delivery, unless it is one of another namespace: an object must not show that.
    async fn in_namespace(&self, id: DeliveryId, target: &Target) -> Result<Option<Delivery>, Error> {
        let found = self.store.delivery(id).await?;
        Ok(found.filter(|delivery| *delivery.namespace == *target.namespace))
    }

    fn webhook(&self, namespace: &str, name: &str) -> Option<Arc<Endpoint>> {
        self.delivery.webhooks().into_iter().find(|it| *it.namespace == *namespace && *it.name == *name)
    }
}

fn unavailable(error: &store::Error) -> (Reason, String) {
    (Reason::StoreUnavailable, format!("{error}; it is tried again"))
}
