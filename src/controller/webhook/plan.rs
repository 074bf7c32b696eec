//! Step 3: what is to be done about it. Pure.

use std::time::Duration;

use hookwright_engine::endpoint::Endpoint;
use hookwright_engine::time::Time;
use k8s_openapi::api::core::v1::Secret;

use super::dereference::Found;
use super::keys::{Keep, Keys};
use super::owned;
use super::status::Report;
use super::validate::Validated;
use crate::crd::{Webhook, WebhookStatus};

/// What is to be done, in this order.
pub(super) struct Plan {
    /// The signing Secret to be created.
    pub(super) create: Option<Secret>,
    /// What the engine is to know.
    pub(super) endpoint: Endpoint,
    /// What to remember of the signing keys.
    pub(super) keys: Option<Keys>,
    /// What to do with the Secret of the key before.
    pub(super) previous: Previous,
    /// What the object's status is to say.
    pub(super) report: Report,
    /// When to look again, though nothing changes: a rotation ends then.
    pub(super) again: Option<Duration>,
}

/// What to do with the Secret of the key before.
pub(super) enum Previous {
    /// Nothing.
    Leave,
    /// Write it.
    Write(Box<Secret>),
    /// Delete it.
    Delete(String),
}

/// `said` is the status written last.
pub(super) fn plan(
    webhook: &Webhook,
    found: Found,
    validated: Validated,
    said: &WebhookStatus,
    now: Time,
) -> Plan {
    let Validated { built, keys } = validated;
    let report = Report::new(webhook, &built, found.no_dead_letter.as_deref(), said, now);
    let previous = match keys.as_ref().map(Keys::keep) {
        None | Some(Keep::AsIs) => Previous::Leave,
        Some(Keep::Store(key)) => Previous::Write(Box::new(owned::previous(webhook, &key))),
        Some(Keep::Remove) => Previous::Delete(owned::previous_name(webhook)),
    };
    let rotation = keys.as_ref().and_then(|keys| keys.previous.as_ref());
    Plan {
        create: found.generated.filter(|_| built.receiver.is_ok()),
        endpoint: built.endpoint,
        again: rotation.map(|previous| previous.until.since(now)),
        keys,
        previous,
        report,
    }
}
