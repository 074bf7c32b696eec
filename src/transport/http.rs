//! Sends requests over HTTP/1.1 and HTTP/2, with or without TLS.
//!
//! ```text
//! request: sign, headers ──► clients: keep-alive pools ──► response: status, Retry-After, 16 KiB of body
//!                                │ a new connection                        │
//!                                ▼                                         ▼
//!                connector: resolver ─► guard ─► TCP ─► TLS ── Error ─► failure ─► Outcome
//! ```
//!
//! A receiver that wants tokens of OAuth 2.0 gets one that [`tokens`] asked its token server for, on the
//! same way through clients and connector.
//!
//! Redirects are not followed, proxies of the environment are not used, and bodies are not decompressed:
//! each would send a request, or take memory, where the guard and the limits do not look.

mod clients;
mod connector;
mod failure;
mod recent;
mod request;
mod resolver;
mod response;
mod tls;
mod tokens;

use std::sync::Arc;

use hookwright_engine::attempt::{Attempt, Outcome};
use hookwright_engine::endpoint::{ReceiverUrl, Tls, Trust};
use hookwright_engine::time::Time;
use http::StatusCode;
use rustls::RootCertStore;
use tokio::time::{Instant, timeout_at};

use self::clients::{Clients, Profile};
use self::tokens::{Token, Tokens};
use super::guard::Policy;
use super::{Request, Transport};
use crate::clock;

/// What requests are sent with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which addresses may be connected to.
    pub policy: Policy,
}

/// Why no requests can be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The DNS client could not be set up.
    #[error("failed to set up the DNS client: {0}")]
    Resolver(String),
    /// The TLS provider could not be set up.
    #[error("failed to set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Sends requests to receivers.
#[derive(Debug)]
pub struct Http {
    clients: Clients,
    tokens: Tokens,
    /// Whether there are any certificates to trust.
    trusts: bool,
}

impl Http {
    /// Reads the system's root certificates, name servers and hosts file.
    pub fn new(options: Options) -> Result<Self, Error> {
        Self::with_roots(options, tls::system_roots())
    }

    fn with_roots(options: Options, roots: RootCertStore) -> Result<Self, Error> {
        let trusts = !roots.is_empty();
        let resolver = resolver::Resolver::system().map_err(|error| Error::Resolver(error.to_string()))?;
        let clients = Clients::new(options.policy, resolver, Arc::new(roots))?;
        Ok(Self { clients, tokens: Tokens::new(), trusts })
    }

    /// Replaces the egress policy. Idle connections are closed; requests under way end as they began.
    pub fn set_policy(&self, policy: Policy) {
        self.clients.set_policy(policy);
    }

    /// Makes the request; with a token where the receiver wants one, and with another one where it
    /// refuses that: once, as one that is refused twice is not outdated.
    async fn exchange(&self, request: &Request, now: Time, deadline: Instant) -> (Outcome, Vec<u8>) {
        let Some(credentials) = &request.receiver.oauth2 else {
            return self.send_once(request, None, now, deadline).await;
        };
        if self.lacks_roots(&credentials.token_url, credentials.tls.as_deref()) {
            return (failure::no_roots(), Vec::new());
        }
        let token = |refused| self.tokens.get(&self.clients, credentials, refused, deadline);
        let first = match token(None).await {
            Ok(token) => token,
            Err(outcome) => return (outcome, Vec::new()),
        };
        let answer = self.send_once(request, Some(&first), now, deadline).await;
        if answer.0.status() != Some(StatusCode::UNAUTHORIZED.as_u16()) {
            return answer;
        }
        match token(Some(&first)).await {
            Ok(second) if second != first => self.send_once(request, Some(&second), now, deadline).await,
            Ok(_) => answer,
            Err(outcome) => (outcome, Vec::new()),
        }
    }

    async fn send_once(
        &self,
        request: &Request,
        token: Option<&Token>,
        now: Time,
        deadline: Instant,
    ) -> (Outcome, Vec<u8>) {
        let receiver = &request.receiver;
        if self.lacks_roots(&receiver.url, receiver.tls.as_deref()) {
            return (failure::no_roots(), Vec::new());
        }
        let message = match request::build(request, token, now) {
            Ok(message) => message,
            Err(error) => return (failure::unbuildable(&error), Vec::new()),
        };
        let profile = Profile {
            tls: receiver.tls.clone(),
            connect: receiver.timeouts.connect,
            keep_alive: receiver.keep_alive,
        };
        let client = match self.clients.get(&profile) {
            Ok(client) => client,
            Err(error) => return (failure::uncertifiable("spec.tls", &error), Vec::new()),
        };
        match timeout_at(deadline, client.request(message)).await {
            Ok(Ok(answer)) => response::read(answer, deadline).await,
            Ok(Err(error)) => (failure::outcome(&error, &receiver.url.host()), Vec::new()),
            Err(_) => (failure::no_answer(&receiver.url.host(), receiver.timeouts.request), Vec::new()),
        }
    }

    /// Whether nobody could vouch for the server behind a URL.
    fn lacks_roots(&self, url: &ReceiverUrl, tls: Option<&Tls>) -> bool {
        let system = tls.is_none_or(|tls| matches!(tls.trust(), Trust::System));
        url.is_https() && system && !self.trusts
    }
}

impl Transport for Http {
    async fn send(&self, request: Request) -> Attempt {
        let (started, begin) = (clock::wall(), Instant::now());
        let deadline = begin + request.receiver.timeouts.request;
        let (outcome, response) = self.exchange(&request, started, deadline).await;
        Attempt { started, elapsed: begin.elapsed(), outcome, response }
    }
}

#[cfg(test)]
mod tests;
