//! Which handlers an event goes to.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::time::timeout;

use crate::event::Event;
use crate::pattern::{InvalidPattern, Pattern};

/// Whatever went wrong in a handler.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

type Handler = dyn Fn(Arc<Event>) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync;

/// Handlers by the patterns of the events that they take. Every one that matches runs, side by
/// side, and the failure of one, a panic included, keeps no other from running.
///
/// ```
/// use std::sync::Arc;
/// use hookwright_receiver::{BoxError, Change, Event, Router};
///
/// let router = Router::new()
///     .on("resource.created", async |event: Arc<Event>| {
///         let created: Change = event.data()?;
///         println!("{} is new", created.object.id);
///         Ok::<_, BoxError>(())
///     })
///     .on("user.*", async |_| Ok::<_, BoxError>(()))
///     .on("*", async |event: Arc<Event>| Ok::<_, BoxError>(println!("{}", event.event_type)));
/// ```
#[derive(Default)]
pub struct Router {
    routes: Vec<Route>,
    invalid: Option<InvalidPattern>,
}

struct Route {
    pattern: Pattern,
    handler: Box<Handler>,
}

/// What went wrong in a handler.
#[derive(Debug)]
pub struct Failure {
    /// The place of the handler among all, from 0 in the order they were added.
    pub handler: usize,
    /// The pattern that it takes events by.
    pub pattern: String,
    /// What it said.
    pub error: BoxError,
}

/// Why a handler failed that gave no error itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It took too long.
    #[error("the handler took longer than {} seconds", .0.as_secs_f64())]
    TimedOut(Duration),
    /// It panicked.
    #[error("the handler panicked")]
    Panicked,
}

impl Router {
    /// Without any handlers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler for the events of a pattern: a type (`resource.created`), all types below a
    /// prefix (`resource.*`), or all there are (`*`). A pattern that is none is told of by
    /// [`Receiver::new`](crate::Receiver::new).
    #[must_use]
    pub fn on<H, F, E>(mut self, pattern: &str, handler: H) -> Self
    where
        H: Fn(Arc<Event>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        match pattern.parse() {
            Ok(pattern) => {
                let handler =
                    Box::new(move |event| handler(event).map(|done| done.map_err(Into::into)).boxed());
                self.routes.push(Route { pattern, handler });
            }
            Err(invalid) => self.invalid = self.invalid.or(Some(invalid)),
        }
        self
    }

    /// The router, unless a pattern was none.
    pub(crate) fn checked(mut self) -> Result<Self, InvalidPattern> {
        self.invalid.take().map_or(Ok(self), Err)
    }

    /// The handlers that an event is for.
    pub(crate) fn matching(&self, event: &Event) -> Vec<usize> {
        let matches = |route: &Route| route.pattern.matches(&event.event_type);
        self.routes.iter().enumerate().filter(|(_, route)| matches(route)).map(|(index, _)| index).collect()
    }

    /// Runs some of the handlers, each for at most `limit`, and says which failed.
    pub(crate) async fn run(&self, event: &Arc<Event>, handlers: &[usize], limit: Duration) -> Vec<Failure> {
        let run = handlers.iter().map(|&handler| async move {
            let route = self.routes.get(handler)?;
            let work = AssertUnwindSafe(async { (route.handler)(Arc::clone(event)).await }).catch_unwind();
            let error: BoxError = match timeout(limit, work).await {
                Ok(Ok(Ok(()))) => return None,
                Ok(Ok(Err(error))) => error,
                Ok(Err(_)) => Broken::Panicked.into(),
                Err(_) => Broken::TimedOut(limit).into(),
            };
            Some(Failure { handler, pattern: route.pattern.to_string(), error })
        });
        join_all(run).await.into_iter().flatten().collect()
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.routes.iter().map(|route| &route.pattern)).finish()
    }
}
