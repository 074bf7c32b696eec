//! A webhook as the engine sees it: what it subscribes to and how its receiver is reached.
//! Every part is valid by construction.

mod fingerprint;
mod oauth2;
mod receiver;
mod tls;

use std::sync::Arc;

pub use fingerprint::Fingerprint;
pub use oauth2::{ClientAuthentication, ClientCredentials, InvalidParameter, Parameter, Scope};
pub use receiver::{ContentType, KeepAlive, PreviousKey, Receiver, Schemes, Signing, Timeouts};
use secrecy::{ExposeSecret, SecretString};
pub use tls::{Identity, Tls, Trust};
use url::Url;

use crate::batch;
use crate::breaker;
use crate::filter::Filter;
use crate::id::WebhookId;
use crate::ordering;
use crate::pattern::Pattern;
use crate::rate;
use crate::retry;

/// Most requests of one webhook in flight, where it does not say otherwise.
pub const DEFAULT_MAX_IN_FLIGHT: u32 = 50;
/// The highest limit of requests in flight that a webhook may ask for.
pub const MAX_MAX_IN_FLIGHT: u32 = 1000;

/// A webhook, ready to be matched and, unless it is held, delivered to.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its identity, which survives every change of its object.
    pub id: WebhookId,
    /// The namespace of its object; it gets events of this namespace only.
    pub namespace: Arc<str>,
    /// The name of its object.
    pub name: Arc<str>,
    /// Changes whenever its object's spec does. Compared for equality only.
    pub generation: i64,
    /// The events it subscribes to.
    pub events: Vec<Pattern>,
    /// Which of them it gets; all, where there is none.
    pub filter: Option<Arc<Filter>>,
    /// How often it is tried.
    pub retry: retry::Policy,
    /// How its deliveries are gathered; each goes by itself where there is none.
    pub batch: Option<batch::Policy>,
    /// Most requests in flight at a time.
    pub max_in_flight: u32,
    /// Which of its deliveries go one after the other.
    pub ordering: ordering::Policy,
    /// How many requests it gets in a time, if that is limited.
    pub rate_limit: Option<rate::Limit>,
    /// When its receiver is left alone for a while, if ever.
    pub breaker: Option<breaker::Policy>,
    /// The name of the webhook, in the same namespace, that gets what failed.
    pub dead_letter: Option<Arc<str>>,
    /// Where its events go.
    pub target: Target,
}

impl Endpoint {
    /// Whether it is the same spec with the same receiver: what Secrets hold is part of the receiver, and not of the spec.
    pub(crate) fn is_as_before(&self, other: &Self) -> bool {
        if self.generation != other.generation {
            return false;
        }
        match (&self.target, &other.target) {
            (Target::Receiver(ours), Target::Receiver(theirs)) => ours.fingerprint() == theirs.fingerprint(),
            (Target::Held(ours), Target::Held(theirs)) => ours == theirs,
            (Target::Receiver(_), Target::Held(_)) | (Target::Held(_), Target::Receiver(_)) => false,
        }
    }
}

/// Where the events of a webhook go.
#[derive(Clone, Debug)]
pub enum Target {
    /// To this receiver.
    Receiver(Arc<Receiver>),
    /// Nowhere for now: they wait, and nothing is lost.
    Held(Hold),
}

/// Why a webhook's events wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// The user suspended it.
    Suspended,
    /// The receiver answered 410 Gone; resumes when the object changes.
    Gone,
    /// The receiver did nothing but fail for days; resumes when the object changes.
    Failing,
    /// Its object is invalid.
    Invalid,
    /// A Secret it needs is missing or unusable.
    Unresolved,
}

/// A header of the webhook's own; its value may be secret.
#[derive(Clone, Debug)]
pub struct Header {
    /// Valid, lower case, and none of those that Hookwright sets.
    pub name: HeaderName,
    /// Valid as a header value.
    pub value: SecretString,
}

/// The URL of a receiver, or of its token server: absolute, `http` or `https`, with a host.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiverUrl(Url);

/// Why a URL is refused. Never quotes the URL: it may hold credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// Longer than [`ReceiverUrl::MAX_LEN`].
    #[error("must be at most {} bytes long", ReceiverUrl::MAX_LEN)]
    Length,
    /// Not a URL at all.
    #[error("must be an absolute URL such as https://example.com/webhooks")]
    Syntax(#[source] url::ParseError),
    /// Another scheme.
    #[error("must begin with https:// or http://")]
    Scheme,
    /// `https:///path`
    #[error("must name a host")]
    Host,
    /// A `#fragment`, which no request carries.
    #[error("must not have a #fragment")]
    Fragment,
    /// `user:password@`, which everybody who reads the object would see.
    #[error("must not contain a user or password: use request.headers with a Secret")]
    Credentials,
}

impl ReceiverUrl {
    /// Longest URL, in bytes.
    pub const MAX_LEN: usize = 2048;

    /// Checks and normalises a URL.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        if text.len() > Self::MAX_LEN {
            return Err(InvalidUrl::Length);
        }
        let url = Url::parse(text).map_err(InvalidUrl::Syntax)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidUrl::Scheme);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(InvalidUrl::Host);
        }
        if url.fragment().is_some() {
            return Err(InvalidUrl::Fragment);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidUrl::Credentials);
        }
        Ok(Self(url))
    }

    /// The URL itself.
    #[must_use]
    pub const fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether requests go over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Host and explicit port, fit for logs and status: `example.com`, `127.0.0.1:8080`.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

impl std::fmt::Debug for ReceiverUrl {
    /// The host only: path and query may hold tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReceiverUrl({})", self.host())
    }
}

/// The name of a header that a webhook may set: a token, lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeaderName(String);

/// Why a header is refused. Never quotes the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// Not a token of HTTP.
    #[error("'{0}' is not a header name (1 to 256 letters, digits and !#$%&'*+-.^_`|~)")]
    Name(String),
    /// Set by Hookwright or by HTTP itself.
    #[error("'{0}' is set by Hookwright and cannot be overridden")]
    Reserved(String),
    /// Control characters, or too long.
    #[error("the value of '{0}' must be at most 4096 visible characters, spaces or tabs")]
    Value(String),
}

impl HeaderName {
    /// Names that Hookwright or HTTP itself sets.
    pub const RESERVED: [&str; 14] = [
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "traceparent",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "proxy-connection",
    ];
    /// Begins of names that Hookwright sets.
    pub const RESERVED_PREFIXES: [&str; 2] = ["x-pcf-", "webhook-"];

    /// Checks a name and turns it to lower case.
    pub fn parse(text: &str) -> Result<Self, InvalidHeader> {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if text.is_empty() || text.len() > 256 || !text.bytes().all(token) {
            return Err(InvalidHeader::Name(text.chars().take(80).collect()));
        }
        let name = text.to_ascii_lowercase();
        let reserved = Self::RESERVED.contains(&name.as_str())
            || Self::RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if reserved {
            return Err(InvalidHeader::Reserved(name));
        }
        Ok(Self(name))
    }

    /// The name, lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Header {
    /// Most headers of a webhook.
    pub const MAX: usize = 64;
    /// Most bytes of all names and values of a webhook's headers.
    pub const MAX_TOTAL: usize = 8 * 1024;

    /// Checks a value for its header.
    pub fn new(name: HeaderName, value: SecretString) -> Result<Self, InvalidHeader> {
        let bytes = value.expose_secret().as_bytes();
        let visible = |b: u8| b == b'\t' || (b >= b' ' && b != 0x7f);
        if bytes.len() > 4096 || !bytes.iter().copied().all(visible) {
            return Err(InvalidHeader::Value(name.0));
        }
        Ok(Self { name, value })
    }

    /// Bytes of name and value, which count towards [`Header::MAX_TOTAL`].
    #[must_use]
    pub fn size(&self) -> usize {
        self.name.0.len() + self.value.expose_secret().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_absolute_http_and_carry_no_credentials() {
        for (wrong, why) in [
            ("", InvalidUrl::Syntax(url::ParseError::RelativeUrlWithoutBase)),
            ("/hook", InvalidUrl::Syntax(url::ParseError::RelativeUrlWithoutBase)),
            ("ftp://a.example", InvalidUrl::Scheme),
            ("https://a.example/#x", InvalidUrl::Fragment),
            ("https://u:p@a.example/", InvalidUrl::Credentials),
            (&format!("https://a.example/{}", "x".repeat(2048)), InvalidUrl::Length),
        ] {
            assert_eq!(ReceiverUrl::parse(wrong), Err(why), "{wrong}");
        }
        assert_eq!(ReceiverUrl::parse("http://[::1]:80/x").unwrap().host(), "[::1]");
        assert_eq!(ReceiverUrl::parse("https://a.example:8443/x").unwrap().host(), "a.example:8443");
    }

    #[test]
    fn debug_shows_no_path_and_no_secret() {
        let url = ReceiverUrl::parse("https://a.example/token/s3cr3t").unwrap();
        assert_eq!(format!("{url:?}"), "ReceiverUrl(a.example)");
        let header = Header::new(HeaderName::parse("X-Key").unwrap(), "s3cr3t".into()).unwrap();
        assert!(!format!("{header:?}").contains("s3cr3t"));
    }

    #[test]
    fn headers_of_hookwright_and_of_http_cannot_be_set() {
        for reserved in ["Content-Type", "X-PCF-Signature", "webhook-id", "Host"] {
            assert!(matches!(HeaderName::parse(reserved), Err(InvalidHeader::Reserved(_))));
        }
        assert!(matches!(HeaderName::parse("a b"), Err(InvalidHeader::Name(_))));
        let name = HeaderName::parse("X-Env").unwrap();
        assert!(Header::new(name.clone(), "a\r\nb: c".into()).is_err());
        assert!(Header::new(name, "production".into()).is_ok());
    }
}
