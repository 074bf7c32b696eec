//! Asks the store.

use std::sync::Arc;

use hookwright_engine::attempt::Attempt;
use hookwright_engine::event::Event;
use hookwright_engine::id::{DeliveryId, EventKey, WebhookId};
use uuid::Uuid;

use super::queue::{Queue, Request};
use super::sqlite::reader::Readers;
use super::stats::{Counters, Stats};
use super::{
    Asked, Command, Delivery, Error, Kept, Publish, PublishError, Query, Receipt, Selection, Summary, Target,
};

/// Asks the store. Cheap to clone; when the last one is dropped the writer thread ends.
///
/// What one call has written, the next call reads. A call that is dropped while it waits may
/// still be carried out.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) queue: Queue,
    pub(super) readers: Readers,
    pub(super) counters: Arc<Counters>,
}

impl Handle {
    /// Makes an event and its deliveries durable. Answered after the fsync.
    pub async fn publish(&self, publish: Publish) -> Result<Receipt, PublishError> {
        let fingerprint = publish.draft.fingerprint();
        self.queue.ask(|answer| Request::Publish { publish, fingerprint, answer }).await
    }

    /// Sends the event of `of` once more, to `target`: a new delivery, made at most once per origin.
    /// `None` when there is no such delivery.
    pub async fn replay(
        &self,
        of: DeliveryId,
        target: Target,
        origin: Uuid,
    ) -> Result<Option<DeliveryId>, Error> {
        self.queue.ask(|answer| Request::Replay { of, target, origin, answer }).await
    }

    /// Makes a delivery due now, with a fresh retry budget, whatever it ended with: one that was
    /// delivered is sent again. One that was not attempted since it became due is left as it is. In a line it waits for the one whose turn it is, and goes before all that
    /// were accepted later. `None`: unknown.
    pub async fn retry(&self, delivery: DeliveryId) -> Result<Option<Delivery>, Error> {
        self.queue.ask(|answer| Request::Retry { delivery, asked: None, answer }).await
    }

    /// The same, but nothing where exactly this was asked for before.
    pub async fn retry_once(&self, delivery: DeliveryId, asked: Asked) -> Result<Option<Delivery>, Error> {
        self.queue.ask(|answer| Request::Retry { delivery, asked: Some(asked), answer }).await
    }

    /// Retries every failed or dead-lettered delivery of a webhook, but for those of tests, and for
    /// those that fail after this was asked for: so that it ends, and so that nothing is done twice
    /// where it is asked for again. Answers how many there were. In transactions of bounded size: one
    /// that breaks off has done a part.
    pub async fn redrive(
        &self,
        webhook: WebhookId,
        selection: Selection,
        asked: Option<Asked>,
    ) -> Result<u64, Error> {
        let (mut count, mut after) = (0, None);
        loop {
            let (selection, asked) = (selection.clone(), asked.clone());
            let stretch =
                self.queue.ask(|answer| Request::Redrive { webhook, selection, asked, after, answer });
            let stretch = stretch.await?;
            count += stretch.count;
            if stretch.last.is_none() {
                return Ok(count);
            }
            after = Some(stretch);
        }
    }

    /// How many deliveries a [`redrive`](Self::redrive) would retry now.
    pub async fn redrivable(&self, webhook: WebhookId, selection: Selection) -> Result<u64, Error> {
        self.readers.redrivable(webhook, selection).await
    }

    /// Ends an unfinished delivery. An ended one stays as it is. `None`: unknown.
    pub async fn cancel(&self, delivery: DeliveryId) -> Result<Option<Delivery>, Error> {
        self.queue.ask(|answer| Request::Cancel { delivery, answer }).await
    }

    /// Writes down a webhook, in place of what was known of the one of its name.
    pub async fn keep(&self, kept: Kept) -> Result<(), Error> {
        self.queue.ask(|answer| Request::Keep { kept, answer }).await
    }

    /// Removes a webhook that is kept here, with its signing keys.
    pub async fn forget(&self, namespace: String, name: String) -> Result<(), Error> {
        self.queue.ask(|answer| Request::Forget { namespace, name, answer }).await
    }

    /// The webhooks that are kept here, by namespace and name.
    pub async fn kept(&self) -> Result<Vec<Kept>, Error> {
        self.readers.kept().await
    }

    /// Hands commands of the driver to the writer; waits while its queue is full.
    pub async fn command(&self, commands: Vec<Command>) -> Result<(), Error> {
        self.queue.tell(commands).await
    }

    /// An event with its payload. `None`: unknown, or no delivery needs it any more.
    pub async fn event(&self, key: EventKey) -> Result<Option<Arc<Event>>, Error> {
        self.readers.event(key).await
    }

    /// A delivery. `None`: unknown.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, Error> {
        self.readers.delivery(id).await
    }

    /// The delivery that a `WebhookDelivery` object asked for.
    pub async fn delivery_of(&self, origin: Uuid) -> Result<Option<Delivery>, Error> {
        self.readers.delivery_of(origin).await
    }

    /// The attempts of a delivery, oldest first, with their numbers.
    pub async fn attempts(&self, id: DeliveryId) -> Result<Vec<(u32, Attempt)>, Error> {
        self.readers.attempts(id).await
    }

    /// Deliveries of a webhook, newest first.
    pub async fn deliveries(&self, webhook: WebhookId, query: Query) -> Result<Vec<Delivery>, Error> {
        self.readers.deliveries(webhook, query).await
    }

    /// What the log knows of a webhook; of an unknown one, that there was nothing.
    pub async fn summary(&self, webhook: WebhookId) -> Result<Summary, Error> {
        self.readers.summary(webhook).await
    }

    /// Counters of the writer, for metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }
}
