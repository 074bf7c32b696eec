//! What an error means: the receiver's failure, or our own fault. Decided by types, never by text.

use std::error::Error;
use std::io;
use std::time::Duration;

use hickory_resolver::net::NetError;
use hookwright_engine::attempt::{Failure, FailureReason, Fault, Outcome};

use super::tokens::Refusal;
use super::{connector, request, resolver};

/// Longest message, in bytes. Certificates, for one, can have very many names.
const MAX_MESSAGE: usize = 512;

/// What it means that a request got no answer from `host`.
pub(super) fn outcome(error: &(dyn Error + 'static), host: &str) -> Outcome {
    if let Some(ours) = chain(error).find_map(shortage) {
        return Outcome::Fault(Fault::Request(ours.to_string()));
    }
    if let Some(error) = chain(error).find_map(|error| error.downcast_ref::<connector::Error>()) {
        return unconnected(error, host);
    }
    // A receiver may look at our certificate only after the handshake, as TLS 1.3 has it.
    if let Some(error) = chain(error).find_map(alert) {
        return failed(FailureReason::Tls, format!("failed to agree on TLS with {host}: {error}"));
    }
    let message = match chain(error).find_map(|error| error.downcast_ref::<hyper::Error>()) {
        Some(error) if error.is_parse() => {
            format!("failed to read the answer of {host}: it is not HTTP: {error}")
        }
        Some(error) => format!("failed to get an answer of {host}: {}", with_source(error)),
        None => format!("failed to get an answer of {host}: {}", with_source(error)),
    };
    failed(FailureReason::Protocol, message)
}

/// There was no answer within the webhook's timeout.
pub(super) fn no_answer(host: &str, limit: Duration) -> Outcome {
    failed(FailureReason::Timeout, format!("{host} did not answer within {} ms", limit.as_millis()))
}

/// There is nobody to trust.
pub(super) fn no_roots() -> Outcome {
    let message = "no root certificates: install the system's ca-certificates or set SSL_CERT_FILE";
    Outcome::Fault(Fault::Request(message.to_owned()))
}

/// The request has no valid form.
pub(super) fn unbuildable(error: &request::Error) -> Outcome {
    Outcome::Fault(Fault::Request(error.to_string()))
}

/// The certificates of a field of the webhook cannot be used.
pub(super) fn uncertifiable(field: &str, error: &rustls::Error) -> Outcome {
    Outcome::Fault(Fault::Request(format!("the certificates of {field} cannot be used: {error}")))
}

/// What it means for an attempt that a token server failed so.
pub(super) fn no_token(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed(Failure { reason: _, message }) => unauthorized(&message),
        Outcome::Responded { .. } | Outcome::Fault(_) => outcome,
    }
}

/// The token server answered, but with no token.
pub(super) fn no_grant(refusal: &Refusal, host: &str) -> Outcome {
    failed(FailureReason::Authorization, format!("{host} answered {refusal}"))
}

/// The token server takes longer than the request has time.
pub(super) fn no_token_in_time(host: &str) -> Outcome {
    unauthorized(&format!("{host} did not answer within the time of the request"))
}

/// The request for a token was not ended.
pub(super) fn token_abandoned() -> Outcome {
    Outcome::Fault(Fault::Request("the request for a token was not ended, see the log".to_owned()))
}

fn unauthorized(message: &str) -> Outcome {
    failed(FailureReason::Authorization, format!("failed to get a token: {message}"))
}

fn unconnected(error: &connector::Error, host: &str) -> Outcome {
    match error {
        connector::Error::Resolve(why) => {
            failed(FailureReason::Dns, format!("failed to resolve {host}: {why}"))
        }
        connector::Error::Denied(kind) => failed(
            FailureReason::EgressDenied,
            format!("{host} is or resolves to {kind}, where the operator's egress policy allows no requests"),
        ),
        connector::Error::Connect(why) => {
            failed(FailureReason::Connect, format!("failed to connect to {host}: {why}"))
        }
        connector::Error::Tls(why) => {
            failed(FailureReason::Tls, format!("failed to agree on TLS with {host}: {why}"))
        }
        connector::Error::Timeout(limit) => failed(
            FailureReason::Timeout,
            format!("failed to connect to {host} within {} ms", limit.as_millis()),
        ),
    }
}

fn failed(reason: FailureReason, mut message: String) -> Outcome {
    message.truncate(message.floor_char_boundary(MAX_MESSAGE));
    Outcome::Failed(Failure { reason, message })
}

/// An error of the operating system that says we are short of something, not the receiver.
fn shortage<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let resolving = error.downcast_ref::<resolver::Error>().and_then(|error| match error {
        resolver::Error::Lookup(NetError::Io(error)) => Some(&**error),
        resolver::Error::Lookup(_)
        | resolver::Error::Name
        | resolver::Error::NotFound
        | resolver::Error::Timeout => None,
    });
    let error = resolving.or_else(|| error.downcast_ref::<io::Error>())?;
    let ours = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS, libc::EADDRNOTAVAIL];
    error.raw_os_error().filter(|number| ours.contains(number)).map(|_| error)
}

/// An error of TLS, within that of the stream.
fn alert<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref::<rustls::Error>()
}

/// The error and what caused it, outermost first.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn with_source(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
