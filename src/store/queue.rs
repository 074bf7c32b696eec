//! What waits for the writer: in order, and bounded, requests and commands apart, so that
//! commands that cannot be carried out (a full disk) do not keep requests from being answered.

use std::sync::{Arc, mpsc};

use hookwright_engine::event::Fingerprint;
use hookwright_engine::id::{DeliveryId, WebhookId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use uuid::Uuid;

use super::redrive::{Asked, Selection, Stretch};
use super::{Command, Delivery, Error, Kept, Publish, PublishError, Receipt, Target};

/// How much the requests that wait may take, in bytes.
const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;
/// How many commands may wait.
const MAX_COMMANDS: usize = 2048;
/// How many commands are handed over at once.
const COMMANDS_CHUNK: usize = 256;
/// A permit of the requests' semaphore stands for so many bytes.
const BYTES_PER_PERMIT: usize = 1024;

/// A place in the queue; free again when it is dropped.
pub(super) type Place = OwnedSemaphorePermit;

/// The answer to a request: prepared while the transaction is made, sent when it is durable.
#[derive(Debug)]
pub(super) struct Answer<T, E = Error> {
    to: oneshot::Sender<Result<T, E>>,
    prepared: Option<Result<T, E>>,
}

impl<T, E> Answer<T, E> {
    /// Says what is to be answered.
    pub(super) fn prepare(&mut self, result: Result<T, E>) {
        self.prepared = Some(result);
    }

    fn send(self) {
        if let Some(result) = self.prepared {
            // Whoever does not wait any more needs no answer.
            drop(self.to.send(result));
        }
    }

    fn refuse(self, error: E) {
        drop(self.to.send(Err(error)));
    }
}

/// What the writer takes.
#[derive(Debug)]
pub(super) enum Message {
    /// Somebody waits for the answer.
    Request(Box<Request>, Place),
    /// Of the driver, which does not wait. A place for each.
    Commands(Vec<Command>, Place),
    /// Nothing is taken behind this.
    Shutdown,
}

/// What somebody asks for and waits for.
#[derive(Debug)]
pub(super) enum Request {
    /// See [`super::Handle::publish`].
    Publish { publish: Publish, fingerprint: Fingerprint, answer: Answer<Receipt, PublishError> },
    /// See [`super::Handle::replay`].
    Replay { of: DeliveryId, target: Target, origin: Uuid, answer: Answer<Option<DeliveryId>> },
    /// See [`super::Handle::retry`].
    Retry { delivery: DeliveryId, asked: Option<Asked>, answer: Answer<Option<Delivery>> },
    /// A stretch of [`super::Handle::redrive`].
    Redrive {
        webhook: WebhookId,
        selection: Selection,
        asked: Option<Asked>,
        after: Option<Stretch>,
        answer: Answer<Stretch>,
    },
    /// See [`super::Handle::cancel`].
    Cancel { delivery: DeliveryId, answer: Answer<Option<Delivery>> },
    /// See [`super::Handle::keep`].
    Keep { kept: Kept, answer: Answer<()> },
    /// See [`super::Handle::forget`].
    Forget { namespace: String, name: String, answer: Answer<()> },
}

impl Request {
    /// About how much room it takes in the database, in bytes, rounded up.
    pub(super) fn size(&self) -> usize {
        /// A row of `events` with its index, or of `deliveries` with its three.
        const ROW: usize = 256;
        match self {
            Self::Publish { publish: Publish { namespace, draft, targets, kind: _, origin: _ }, .. } => {
                // The payload repeats id and type.
                draft.size() + namespace.len() + ROW * (2 + targets.len())
            }
            Self::Replay { .. } => 2 * ROW,
            // Rows of deliveries that are there already only change.
            Self::Retry { .. } | Self::Redrive { .. } | Self::Cancel { .. } | Self::Forget { .. } => ROW,
            Self::Keep { kept, .. } => kept.spec.len() + 2 * ROW,
        }
    }

    /// How many rows it is about, at most.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Publish { publish, .. } => 1 + publish.targets.len(),
            Self::Replay { .. }
            | Self::Retry { .. }
            | Self::Redrive { .. }
            | Self::Cancel { .. }
            | Self::Keep { .. }
            | Self::Forget { .. } => 1,
        }
    }

    /// Sends the answer that was prepared.
    pub(super) fn answer(self) {
        match self {
            Self::Publish { answer, .. } => answer.send(),
            Self::Replay { answer, .. } => answer.send(),
            Self::Redrive { answer, .. } => answer.send(),
            Self::Retry { answer, .. } | Self::Cancel { answer, .. } => answer.send(),
            Self::Keep { answer, .. } | Self::Forget { answer, .. } => answer.send(),
        }
    }

    /// Answers that it could not be done.
    pub(super) fn refuse(self, error: Error) {
        match self {
            Self::Publish { answer, .. } => answer.refuse(error.into()),
            Self::Replay { answer, .. } => answer.refuse(error),
            Self::Redrive { answer, .. } => answer.refuse(error),
            Self::Retry { answer, .. } | Self::Cancel { answer, .. } => answer.refuse(error),
            Self::Keep { answer, .. } | Self::Forget { answer, .. } => answer.refuse(error),
        }
    }
}

/// The senders' side of the queue.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    // Never longer than the semaphores allow.
    messages: mpsc::Sender<Message>,
    requests: Arc<Semaphore>,
    commands: Arc<Semaphore>,
}

impl Queue {
    pub(super) fn new() -> (Self, mpsc::Receiver<Message>) {
        let (messages, receiver) = mpsc::channel();
        let requests = Arc::new(Semaphore::new(MAX_REQUEST_BYTES / BYTES_PER_PERMIT));
        let commands = Arc::new(Semaphore::new(MAX_COMMANDS));
        (Self { messages, requests, commands }, receiver)
    }

    /// Puts a request into the queue, once it has room, and waits for its answer.
    pub(super) async fn ask<T, E: From<Error>>(
        &self,
        request: impl FnOnce(Answer<T, E>) -> Request,
    ) -> Result<T, E> {
        let (to, answered) = oneshot::channel();
        let request = request(Answer { to, prepared: None });
        let permits = (request.size() / BYTES_PER_PERMIT + 1).min(MAX_REQUEST_BYTES / BYTES_PER_PERMIT);
        let place = place(&self.requests, permits).await?;
        self.send(Message::Request(Box::new(request), place))?;
        answered.await.map_err(|_| Error::Closed)?
    }

    /// Puts commands into the queue, once it has room.
    pub(super) async fn tell(&self, commands: Vec<Command>) -> Result<(), Error> {
        let mut commands = commands.into_iter();
        loop {
            let chunk: Vec<_> = commands.by_ref().take(COMMANDS_CHUNK).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            let place = place(&self.commands, chunk.len()).await?;
            self.send(Message::Commands(chunk, place))?;
        }
    }

    /// Lets nobody in any more and tells the writer to end behind what waits.
    pub(super) fn close(&self) {
        self.requests.close();
        self.commands.close();
        // A writer that has ended needs no telling.
        drop(self.messages.send(Message::Shutdown));
    }

    fn send(&self, message: Message) -> Result<(), Error> {
        self.messages.send(message).map_err(|_| Error::Closed)
    }
}

async fn place(semaphore: &Arc<Semaphore>, permits: usize) -> Result<Place, Error> {
    let permits = u32::try_from(permits).unwrap_or(u32::MAX);
    Arc::clone(semaphore).acquire_many_owned(permits).await.map_err(|_| Error::Closed)
}
