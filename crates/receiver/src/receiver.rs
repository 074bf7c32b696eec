//! The route that webhooks are sent to.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, header};
use axum::routing::{MethodRouter, post};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tower::ServiceBuilder;

use crate::event::{Body, Event};
use crate::memory::{InProcess, Memory};
use crate::pattern::InvalidPattern;
use crate::refusal::Refusal;
use crate::router::{Failure, Router};
use crate::verifier::Verifier;
use crate::work::{Acknowledge, Options, Receipt, Work};

/// Receives webhooks: verifies them, takes each event once, and gives it to its handlers.
///
/// By default it answers at once and works afterwards, so that no sender waits for slow handlers:
/// what fails is tried again here, and what was acknowledged and is not finished is lost when the
/// process crashes. [`Receiver::answer_last`] leaves both to the sender instead.
///
/// An event that comes again while it is worked on is refused with 503, as only what is done need
/// not come again; once it is done, the answer is 200.
#[derive(Debug)]
pub struct Receiver<M = InProcess> {
    work: Work<M>,
}

impl Receiver {
    /// Receives events for the handlers of a router. Fails where a pattern of it is none.
    pub fn new(router: Router) -> Result<Self, InvalidPattern> {
        Ok(Self { work: Work::new(router.checked()?, InProcess::new()) })
    }
}

impl<M: Memory> Receiver<M> {
    /// Remembers events elsewhere than in this process.
    #[must_use]
    pub fn memory<N: Memory>(self, memory: N) -> Receiver<N> {
        let Work { router, memory: _, options, acknowledge, exhausted, places, hands, tasks } = self.work;
        Receiver { work: Work { router, memory, options, acknowledge, exhausted, places, hands, tasks } }
    }

    /// How events are worked on.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.work.places = Arc::new(Semaphore::new(options.capacity.min(Semaphore::MAX_PERMITS)));
        self.work.hands = Semaphore::new(options.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        self.work.options = options;
        self
    }

    /// Answers when the handlers have ended, with 500 where one of them failed: the sender then
    /// sends the event again. For handlers that are fast, and events that must not be lost.
    #[must_use]
    pub const fn answer_last(mut self) -> Self {
        self.work.acknowledge = Acknowledge::Last;
        self
    }

    /// Told of each event that handlers failed for to the last attempt: the place to park it.
    #[must_use]
    pub fn on_exhausted(mut self, exhausted: impl Fn(&Event, &[Failure]) + Send + Sync + 'static) -> Self {
        self.work.exhausted = Some(Box::new(exhausted));
        self
    }

    /// The route, for `axum::Router::route`, behind the verifier; and the work behind it, to be
    /// drained before the process ends.
    #[must_use = "the work is to be drained before the process ends"]
    pub fn serve<S>(self, verifier: Verifier) -> (MethodRouter<S>, Drain<M>)
    where
        S: Clone + Send + Sync + 'static,
    {
        let work = Arc::new(self.work);
        let receiving = Arc::clone(&work);
        let receive = move |headers: HeaderMap, body: Bytes| receive(Arc::clone(&receiving), headers, body);
        // The verifier has bounded the body already.
        let unbounded = ServiceBuilder::new().layer(verifier).layer(DefaultBodyLimit::disable());
        let route = post(receive).layer(unbounded);
        (route, Drain { work })
    }
}

impl<M> Work<M> {
    fn new(router: Router, memory: M) -> Self {
        let options = Options::default();
        Self {
            router,
            memory,
            options,
            acknowledge: Acknowledge::First,
            exhausted: None,
            places: Arc::new(Semaphore::new(options.capacity)),
            hands: Semaphore::new(options.concurrency),
            tasks: TaskTracker::new(),
        }
    }
}

/// The work on events that were acknowledged.
#[derive(Debug)]
pub struct Drain<M = InProcess> {
    work: Arc<Work<M>>,
}

impl<M: Memory> Drain<M> {
    /// Ends when everything that was acknowledged is finished, its further attempts included.
    /// Requests that come meanwhile are told to come again. Call it when the server has ended.
    pub async fn finish(self) {
        self.work.drain().await;
    }
}

async fn receive<M: Memory>(
    work: Arc<Work<M>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let json = if is_form(&headers) { payload(&body)? } else { body };
    let body = Body::parse(&json).map_err(|error| Refusal::NotAnEvent(error.to_string()))?;
    let batch = matches!(body, Body::Batch(_));
    let events = body.into_events();
    let count = events.len();
    let Receipt { new } = work.take(events).await?;
    let mut answer = json!({ "received": true });
    if batch {
        answer["count"] = json!(count);
    }
    if new < count {
        answer["duplicates"] = json!(count - new);
    }
    Ok(Json(answer))
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|it| it.trim_start().starts_with("application/x-www-form-urlencoded"))
}

/// The JSON that a form carries.
fn payload(form: &[u8]) -> Result<Bytes, Refusal> {
    let field = form_urlencoded::parse(form).find(|(name, _)| name == "payload");
    let missing = || Refusal::NotAnEvent("the form has no field 'payload'".to_owned());
    field.map(|(_, json)| Bytes::from(json.into_owned())).ok_or_else(missing)
}
