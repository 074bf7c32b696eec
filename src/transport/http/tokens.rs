//! The tokens of OAuth 2.0, each got once for all requests that need it.
//!
//! A slot holds what came of asking a token server, or the asking itself: whoever comes meanwhile
//! waits for the same answer. A token serves until shortly before its end, a failure for some
//! seconds, so that a server that is down is not asked by every delivery.

mod fetch;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use hookwright_engine::attempt::Outcome;
use hookwright_engine::endpoint::{ClientCredentials, Fingerprint};
use http::HeaderValue;
use tokio::time::{Instant, timeout_at};

pub(super) use self::fetch::Refusal;
use super::clients::Clients;
use super::failure;
use super::recent::Recent;

/// Tokens at a time.
const MAX_TOKENS: usize = 1024;
/// How long a token is kept that no request needs.
const IDLE: Duration = Duration::from_hours(1);
/// How long a failure serves.
const FAILURE: Duration = Duration::from_secs(5);
/// How long a token serves that was got because the one before was refused, refused or not.
const SETTLE: Duration = Duration::from_secs(5);

/// A token, as the value of the header `Authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token(HeaderValue);

impl Token {
    pub(super) const fn header(&self) -> &HeaderValue {
        &self.0
    }
}

/// What came of asking for a token.
#[derive(Clone, Debug)]
struct Fetched {
    /// The token, or what it means for the attempt that there is none.
    token: Result<Token, Outcome>,
    /// How long this serves.
    until: Instant,
}

type Fetching = Shared<BoxFuture<'static, Fetched>>;

/// The tokens that were needed lately.
pub(super) struct Tokens(Mutex<Recent<Fingerprint, Slot>>);

struct Slot {
    fetching: Fetching,
    /// Until then its token serves even when it is refused.
    settled: Instant,
}

impl Slot {
    /// Whether another request for a token is due.
    fn is_spent(&self, refused: Option<&Token>, now: Instant) -> bool {
        let Some(fetched) = self.fetching.peek() else { return false };
        let refused = refused.is_some_and(|refused| fetched.token.as_ref().is_ok_and(|it| it == refused));
        fetched.until <= now || (refused && self.settled <= now)
    }
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Recent::new(MAX_TOKENS, IDLE)))
    }

    /// A token, or what it means for the attempt that there is none by the deadline. Another one than
    /// `refused`, unless the server has been asked for it a moment ago.
    pub(super) async fn get(
        &self,
        clients: &Clients,
        credentials: &Arc<ClientCredentials>,
        refused: Option<&Token>,
        deadline: Instant,
    ) -> Result<Token, Outcome> {
        let fetching = self.fetching(clients, credentials, refused);
        match timeout_at(deadline, fetching).await {
            Ok(fetched) => fetched.token,
            Err(_) => Err(failure::no_token_in_time(&credentials.token_url.host())),
        }
    }

    fn fetching(
        &self,
        clients: &Clients,
        credentials: &Arc<ClientCredentials>,
        refused: Option<&Token>,
    ) -> Fetching {
        let (key, now) = (credentials.fingerprint(), Instant::now());
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(&key).filter(|slot| !slot.is_spent(refused, now)) {
            return slot.fetching.clone();
        }
        let fetching = begin(clients, Arc::clone(credentials));
        let settled = if refused.is_some() { now + SETTLE } else { now };
        slots.insert(key, Slot { fetching: fetching.clone(), settled });
        fetching
    }
}

/// Asks for a token, on a task of its own: the request that was first to need it may have less time
/// than others that wait.
fn begin(clients: &Clients, credentials: Arc<ClientCredentials>) -> Fetching {
    let client = clients.get(&fetch::profile(&credentials));
    let asking = tokio::spawn(async move {
        let granted = match client {
            Ok(client) => fetch::fetch(&client, &credentials).await,
            Err(error) => Err(failure::uncertifiable("spec.request.authorization.oauth2.tls", &error)),
        };
        match granted {
            Ok(granted) => Fetched { token: Ok(granted.token), until: Instant::now() + granted.serves },
            Err(outcome) => Fetched { token: Err(outcome), until: Instant::now() + FAILURE },
        }
    });
    let unfinished = || Fetched { token: Err(failure::token_abandoned()), until: Instant::now() };
    asking.map(move |asked| asked.unwrap_or_else(|_| unfinished())).boxed().shared()
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}
