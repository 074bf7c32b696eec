//! A checked request, and what it becomes with the values of Secrets.

use hookwright_engine::endpoint::{
    ContentType, Header, HeaderName, KeepAlive, PreviousKey, Receiver, ReceiverUrl, Schemes, Signing,
    Timeouts,
};
use hookwright_signature::standard;
use secrecy::{ExposeSecret, SecretString};

use super::authorization::{Authorization, AuthorizationPlan};
use super::tls::TlsPlan;
use crate::crd::secret::{SecretKey, Secrets, Unresolved};

/// Longest signing key, in bytes.
pub const MAX_SIGNING_KEY: usize = 1024;

/// A checked request, some of whose values are still in Secrets.
pub(super) struct Plan {
    pub(super) url: UrlPlan,
    pub(super) request: RequestPlan,
    pub(super) schemes: Schemes,
    pub(super) tls: Option<TlsPlan>,
    pub(super) timeouts: Timeouts,
    pub(super) keep_alive: KeepAlive,
}

/// What requests look like.
pub(super) struct RequestPlan {
    pub(super) content_type: ContentType,
    pub(super) headers: Vec<HeaderPlan>,
    pub(super) authorization: Option<AuthorizationPlan>,
}

impl Default for RequestPlan {
    fn default() -> Self {
        Self { content_type: ContentType::Json, headers: Vec::new(), authorization: None }
    }
}

/// Where the URL comes from.
pub(super) enum UrlPlan {
    Given(ReceiverUrl),
    Secret(SecretKey),
}

/// Where the value of a header comes from.
pub(super) enum HeaderPlan {
    Given(Header),
    Secret { name: HeaderName, key: SecretKey, field: String },
}

impl HeaderPlan {
    pub(super) fn name(&self) -> &HeaderName {
        match self {
            Self::Given(header) => &header.name,
            Self::Secret { name, .. } => name,
        }
    }

    /// Bytes of name and value, as far as they are known.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Given(header) => header.size(),
            Self::Secret { name, .. } => name.as_str().len(),
        }
    }
}

impl Plan {
    /// Fills in the values of Secrets.
    pub(super) fn resolve(
        self,
        signing_key: &SecretKey,
        secrets: &Secrets,
        previous: Option<PreviousKey>,
    ) -> Result<Receiver, Unresolved> {
        let Self { url, request, schemes, tls, timeouts, keep_alive } = self;
        let RequestPlan { content_type, headers, authorization } = request;
        let url = match url {
            UrlPlan::Given(url) => url,
            UrlPlan::Secret(key) => {
                const FIELD: &str = "spec.urlFrom";
                let value = secrets.value(&key, FIELD)?;
                let url = ReceiverUrl::parse(value.expose_secret())
                    .map_err(|error| unusable(&key, FIELD, &error))?;
                if tls.as_ref().is_some_and(TlsPlan::needs_https) && !url.is_https() {
                    return Err(unusable(&key, FIELD, &"must be an https URL, as spec.tls needs one"));
                }
                url
            }
        };
        let mut headers = resolve(headers, secrets)?;
        let mut oauth2 = None;
        match authorization.map(|plan| plan.resolve(secrets)).transpose()? {
            Some(Authorization::Header(header)) => headers.push(header),
            Some(Authorization::OAuth2(credentials)) => oauth2 = Some(credentials),
            None => {}
        }
        let current = signing_secret(signing_key, schemes, secrets)?;
        let signing = Signing { schemes, current, previous };
        let tls = tls.map(|tls| tls.resolve(secrets)).transpose()?;
        Ok(Receiver { url, content_type, headers, oauth2, signing, tls, timeouts, keep_alive })
    }
}

fn resolve(plans: Vec<HeaderPlan>, secrets: &Secrets) -> Result<Vec<Header>, Unresolved> {
    let mut room = Header::MAX_TOTAL.saturating_sub(plans.iter().map(HeaderPlan::size).sum());
    let mut headers = Vec::with_capacity(plans.len());
    for plan in plans {
        match plan {
            HeaderPlan::Given(header) => headers.push(header),
            HeaderPlan::Secret { name, key, field } => {
                let value = secrets.value(&key, &field)?.clone();
                let Some(left) = room.checked_sub(value.expose_secret().len()) else {
                    let max = Header::MAX_TOTAL;
                    return Err(unusable(
                        &key,
                        &field,
                        &format_args!("makes all headers longer than {max} bytes"),
                    ));
                };
                room = left;
                headers.push(Header::new(name, value).map_err(|error| unusable(&key, &field, &error))?);
            }
        }
    }
    Ok(headers)
}

fn signing_secret(key: &SecretKey, schemes: Schemes, secrets: &Secrets) -> Result<SecretString, Unresolved> {
    const FIELD: &str = "spec.signing";
    let value = secrets.value(key, FIELD)?;
    let text = value.expose_secret();
    // A line break at the end, as `echo` leaves it, would be part of the key here and not there.
    if text.is_empty() || text.len() > MAX_SIGNING_KEY || text.trim() != text {
        let detail = format_args!(
            "must be 1 to {MAX_SIGNING_KEY} bytes long, without spaces and line breaks at its ends"
        );
        return Err(unusable(key, FIELD, &detail));
    }
    if schemes.standard() {
        standard::check(value).map_err(|error| unusable(key, FIELD, &error))?;
    }
    Ok(value.clone())
}

pub(super) fn unusable(key: &SecretKey, field: &str, detail: &impl ToString) -> Unresolved {
    Unresolved::Unusable { key: key.clone(), field: field.to_owned(), detail: detail.to_string() }
}
