//! The HTTP endpoint behind a webhook's URL.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::fingerprint::Digest;
use super::{ClientCredentials, Fingerprint, Header, ReceiverUrl, Tls};
use crate::time::Time;

/// The HTTP endpoint behind a webhook, and all that a request to it needs.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Where requests go. The URL may carry credentials: never log it whole.
    pub url: ReceiverUrl,
    /// How the body is written.
    pub content_type: ContentType,
    /// The webhook's own headers.
    pub headers: Vec<Header>,
    /// What its requests get a token by, for the header `Authorization`; that is none of `headers` then.
    pub oauth2: Option<Arc<ClientCredentials>>,
    /// What its requests are signed with.
    pub signing: Signing,
    /// How TLS sessions with it differ from the usual ones, where they do.
    pub tls: Option<Arc<Tls>>,
    /// How long a request may take.
    pub timeouts: Timeouts,
    /// Which connections are kept.
    pub keep_alive: KeepAlive,
}

impl Receiver {
    /// A receiver that is reached in the usual way: JSON, no headers of its own, signed by PCF.
    #[must_use]
    pub fn new(url: ReceiverUrl, secret: SecretString) -> Self {
        Self {
            url,
            content_type: ContentType::Json,
            headers: Vec::new(),
            oauth2: None,
            signing: Signing { schemes: Schemes::Pcf, current: secret, previous: None },
            tls: None,
            timeouts: Timeouts::default(),
            keep_alive: KeepAlive::default(),
        }
    }

    /// Equal where requests are the same to whoever answers them: what one did says what the other will do. How long they
    /// may take, which connections are kept and a key that only signs beside the present one are not part of it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let Self { url, content_type, headers, oauth2, signing, tls, timeouts: _, keep_alive: _ } = self;
        let Signing { schemes, current, previous: _ } = signing;
        let mut digest = Digest::default();
        digest.add(url.as_url().as_str().as_bytes());
        digest.add(match content_type {
            ContentType::Json => b"json",
            ContentType::Form => b"form",
        });
        digest.add(&headers.len().to_be_bytes());
        for Header { name, value } in headers {
            digest.add(name.as_str().as_bytes());
            digest.add(value.expose_secret().as_bytes());
        }
        digest.add(&[u8::from(schemes.pcf()), u8::from(schemes.standard())]);
        digest.add(current.expose_secret().as_bytes());
        if let Some(credentials) = oauth2 {
            digest.add(b"oauth2");
            digest.add_fingerprint(&credentials.fingerprint());
        }
        if let Some(tls) = tls {
            digest.add(b"tls");
            digest.add_fingerprint(tls.fingerprint());
        }
        digest.end()
    }
}

/// Which connections are kept for the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeepAlive {
    /// Most connections that are kept while no request is under way on them; with none, each request
    /// makes its own.
    pub max_idle: u32,
    /// How long one is kept.
    pub idle_timeout: Duration,
}

impl KeepAlive {
    /// Most idle connections that a webhook may ask for, and gets where it does not say otherwise: as
    /// many as may be in use. With fewer, a busy receiver's connections are closed and opened again with
    /// every lull between two requests.
    pub const MAX_IDLE: u32 = 1024;
    /// The time that they are kept for, where a webhook does not say otherwise.
    pub const DEFAULT_IDLE_TIMEOUT_SECONDS: u32 = 60;
    /// The longest time that a webhook may ask for.
    pub const MAX_IDLE_TIMEOUT_SECONDS: u32 = 600;
}

impl Default for KeepAlive {
    fn default() -> Self {
        let idle_timeout = Duration::from_secs(Self::DEFAULT_IDLE_TIMEOUT_SECONDS.into());
        Self { max_idle: Self::MAX_IDLE, idle_timeout }
    }
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// `application/json`: as it is.
    Json,
    /// `application/x-www-form-urlencoded`: `payload=` and the percent-encoded JSON.
    Form,
}

/// The schemes that requests are signed by: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schemes {
    /// PCF alone.
    Pcf,
    /// Standard Webhooks alone.
    Standard,
    /// Both, each with its own headers.
    Both,
}

impl Schemes {
    /// Whether PCF is one of them.
    #[must_use]
    pub const fn pcf(self) -> bool {
        matches!(self, Self::Pcf | Self::Both)
    }

    /// Whether Standard Webhooks is one of them.
    #[must_use]
    pub const fn standard(self) -> bool {
        matches!(self, Self::Standard | Self::Both)
    }
}

/// The keys of a webhook.
#[derive(Clone, Debug)]
pub struct Signing {
    /// By which schemes.
    pub schemes: Schemes,
    /// The secret as the receiver knows it, whole.
    pub current: SecretString,
    /// During a rotation, the secret before this one.
    pub previous: Option<PreviousKey>,
}

/// A secret that signs beside its successor for a while.
#[derive(Clone, Debug)]
pub struct PreviousKey {
    /// The secret.
    pub secret: SecretString,
    /// When it no longer signs.
    pub until: Time,
}

/// How long one attempt may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the begin to the end of the response.
    pub request: Duration,
    /// Of that, for the name lookup, TCP and TLS.
    pub connect: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { request: Duration::from_secs(30), connect: Duration::from_secs(5) }
    }
}
