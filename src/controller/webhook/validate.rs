//! Step 2: what the webhook comes to, through the one door. Pure.

use hookwright_engine::id::WebhookId;
use hookwright_engine::time::Time;

use super::dereference::{Found, Known};
use super::keys::Keys;
use crate::crd::Webhook;
use crate::crd::endpoint::Built;

/// A webhook with what it refers to, judged.
pub(super) struct Validated {
    /// The endpoint, and why it is held where it is.
    pub(super) built: Built,
    /// The signing keys; `None` where there is no usable one.
    pub(super) keys: Option<Keys>,
}

pub(super) fn validate(webhook: &Webhook, id: WebhookId, found: &Found, now: Time) -> Validated {
    let keys = found.secrets.get(&webhook.signing_key()).map(|current| {
        let known = match &found.known {
            Known::Keys(keys) => Some(keys.clone()),
            Known::Stored(previous) => previous.as_ref().map(|previous| Keys {
                current: current.clone(),
                previous: Some(previous.clone()),
                stored_until: Some(previous.until),
            }),
        };
        Keys::next(known, current, webhook.signing_overlap(), now)
    });
    let previous = keys.as_ref().and_then(|keys| keys.previous.clone());
    let built = webhook.endpoint(id, &found.secrets, previous);
    // A key that cannot be used has replaced nothing yet.
    let keys = keys.filter(|_| built.receiver.is_ok());
    Validated { built, keys }
}
