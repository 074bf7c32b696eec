//! Step 6: say what came of it, in the object's status and, where Ready changes, as an Event.

use hookwright_engine::endpoint::{Receiver, Trust};
use hookwright_engine::id::WebhookId;
use hookwright_engine::time::Time;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::runtime::events;
use kube::{Api, Resource, ResourceExt};
use secrecy::ExposeSecret;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Context, Error, Object};
use crate::controller::FIELD_MANAGER;
use crate::crd::Webhook;
use crate::crd::annotation::{self, REDRIVE_REQUESTED_AT, TEST_REQUESTED_AT};
use crate::crd::condition::{Claim, Holds, Reason, Type};
use crate::crd::endpoint::{Built, Problem};
use crate::crd::secret::Unresolved;
use crate::crd::webhook::{SigningStatus, WebhookStatus};
use crate::metrics::StatusObject;

/// The conditions that this controller writes. Others belong to the projector.
const OURS: [Type; 5] = [Type::Ready, Type::Accepted, Type::ResolvedRefs, Type::Reconciling, Type::Stalled];

/// What is to be said of a webhook.
#[derive(Debug)]
pub(super) struct Report {
    /// Our part of the status.
    status: WebhookStatus,
    /// Whether the object says so already.
    said: bool,
    /// Whether Ready changes: what the Event says.
    transition: Option<Claim>,
}

impl Report {
    /// What is to be said of a webhook that was judged, and whose status said `before`. It may name
    /// a webhook for its dead letters that does not exist.
    pub(super) fn new(
        webhook: &Webhook,
        built: &Built,
        no_dead_letter: Option<&str>,
        before: &WebhookStatus,
        now: Time,
    ) -> Self {
        let receiver = built.receiver.as_ref().ok();
        let status = WebhookStatus {
            id: Some(built.endpoint.id.to_string()),
            url_host: receiver.map(|receiver| receiver.url.host()),
            signing: receiver.map(|receiver| SigningStatus {
                secret_name: webhook.signing_key().name,
                key_id: key_id(built.endpoint.id, receiver.signing.current.expose_secret()),
            }),
            // Said once it is done.
            redrive_requested_at: annotation::requested(webhook, REDRIVE_REQUESTED_AT)
                .or_else(|| before.redrive_requested_at.clone()),
            test_requested_at: annotation::requested(webhook, TEST_REQUESTED_AT)
                .or_else(|| before.test_requested_at.clone()),
            ..WebhookStatus::default()
        };
        let claims = match &built.receiver {
            Ok(receiver) => in_force(webhook.spec.suspend, receiver, no_dead_letter),
            Err(Problem::Invalid(invalid)) => {
                let of_filters = invalid.is_of_filters();
                let reason = if of_filters { Reason::InvalidFilter } else { Reason::InvalidSpec };
                self::invalid(reason, &invalid.to_string())
            }
            Err(Problem::Unresolved(unresolved)) => self::unresolved(unresolved),
        };
        Self::compare(before, status, webhook.metadata.generation, claims, now)
    }

    /// What is to be said of an object that this version of the operator cannot read.
    pub(super) fn unreadable(
        id: WebhookId,
        generation: Option<i64>,
        error: &str,
        before: &WebhookStatus,
        now: Time,
    ) -> Self {
        let status = WebhookStatus {
            id: Some(id.to_string()),
            redrive_requested_at: before.redrive_requested_at.clone(),
            test_requested_at: before.test_requested_at.clone(),
            ..WebhookStatus::default()
        };
        Self::compare(before, status, generation, invalid(Reason::InvalidSpec, error), now)
    }

    fn compare(
        before: &WebhookStatus,
        status: WebhookStatus,
        generation: Option<i64>,
        claims: Vec<Claim>,
        now: Time,
    ) -> Self {
        let conditions = before.conditions.as_deref().unwrap_or_default();
        let ready = claims.iter().find(|claim| claim.about == Type::Ready);
        let transition = ready.filter(|claim| !is_said(conditions, claim)).cloned();
        let claims = claims.into_iter().map(|claim| claim.condition(conditions, generation, now));
        let status =
            WebhookStatus { observed_generation: generation, conditions: Some(claims.collect()), ..status };
        let said = ours(before) == status;
        Self { status, said, transition }
    }
}

/// The part of a status that this controller writes.
fn ours(status: &WebhookStatus) -> WebhookStatus {
    let WebhookStatus {
        observed_generation,
        id,
        url_host,
        signing,
        redrive_requested_at,
        test_requested_at,
        conditions,
        ..
    } = status.clone();
    let mut conditions = conditions.unwrap_or_default();
    conditions.retain(|condition| OURS.iter().any(|ours| ours.as_str() == condition.type_));
    conditions.sort_by_key(|condition| OURS.iter().position(|ours| ours.as_str() == condition.type_));
    WebhookStatus {
        observed_generation,
        id,
        url_host,
        signing,
        redrive_requested_at,
        test_requested_at,
        conditions: Some(conditions),
        ..WebhookStatus::default()
    }
}

fn is_said(conditions: &[Condition], claim: &Claim) -> bool {
    conditions.iter().any(|it| {
        it.type_ == claim.about.as_str()
            && it.status == claim.holds.as_str()
            && it.reason == claim.reason.as_str()
    })
}

fn claim(about: Type, holds: Holds, reason: Reason, message: &str) -> Claim {
    Claim { about, holds, reason, message: message.to_owned() }
}

/// A suspended webhook is Ready: it is just as its owner wants it.
fn in_force(suspended: bool, receiver: &Receiver, no_dead_letter: Option<&str>) -> Vec<Claim> {
    let (reason, message) = if suspended {
        (Reason::Suspended, "events are queued until spec.suspend is false")
    } else {
        (Reason::Active, "events are sent")
    };
    let unchecked = receiver.tls.as_ref().is_some_and(|tls| matches!(tls.trust(), Trust::Anyone));
    let warning = if unchecked { "; the receiver's certificate is not checked" } else { "" };
    let ready = claim(Type::Ready, Holds::True, reason, &format!("{message}{warning}"));
    let resolved = match no_dead_letter {
        None => claim(Type::ResolvedRefs, Holds::True, Reason::Resolved, "all Secrets are there and usable"),
        Some(name) => {
            let message = format!(
                "there is no Webhook '{name}', which spec.deadLetter names: until there is, deliveries that fail end as Failed"
            );
            claim(Type::ResolvedRefs, Holds::False, Reason::DeadLetterNotFound, &message)
        }
    };
    vec![ready, claim(Type::Accepted, Holds::True, Reason::Valid, "the spec is valid"), resolved]
}

fn invalid(reason: Reason, message: &str) -> Vec<Claim> {
    let about = |about, holds| claim(about, holds, reason, message);
    vec![
        about(Type::Ready, Holds::False),
        about(Type::Accepted, Holds::False),
        about(Type::ResolvedRefs, Holds::Unknown),
        about(Type::Stalled, Holds::True),
    ]
}

fn unresolved(why: &Unresolved) -> Vec<Claim> {
    let reason = match why {
        Unresolved::NoSecret(_) => Reason::SecretNotFound,
        Unresolved::NoKey(_) => Reason::SecretKeyNotFound,
        Unresolved::Unusable { .. } => Reason::InvalidSecret,
    };
    let message = why.to_string();
    let about = |about, holds| claim(about, holds, reason, &message);
    vec![
        about(Type::Ready, Holds::False),
        claim(Type::Accepted, Holds::True, Reason::Valid, "the spec is valid"),
        about(Type::ResolvedRefs, Holds::False),
        about(Type::Reconciling, Holds::True),
    ]
}

/// Changes when the key does. Sixteen bits of a hash: enough to see a change, and too few to test
/// guesses of a weak key against.
fn key_id(webhook: WebhookId, key: &str) -> String {
    let digest = Sha256::new()
        .chain_update("hookwright.dev/key-id\0")
        .chain_update(webhook.uid())
        .chain_update(key)
        .finalize();
    format!("{:02x}{:02x}", digest[0], digest[1])
}

/// Writes the status unless it says so already, and publishes the transition.
pub(super) async fn publish(
    context: &Context,
    id: WebhookId,
    object: &Object,
    report: Report,
) -> Result<(), Error> {
    let Report { status, said, transition } = report;
    if !said && !write(context, object, &status).await? {
        return Ok(());
    }
    context.table.say(id, status);
    if let Some(claim) = transition {
        announce(context, object, &claim).await;
    }
    Ok(())
}

/// Applies the status to this very object. Answers whether it still exists.
async fn write(context: &Context, object: &Object, status: &WebhookStatus) -> Result<bool, Error> {
    let name = object.name_any();
    let api: Api<Object> = Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    let apply = json!({
        "apiVersion": Webhook::api_version(&()),
        "kind": Webhook::kind(&()),
        "metadata": { "name": name, "uid": object.uid() },
        "status": status,
    });
    let written =
        api.patch_status(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(apply)).await;
    context.metrics.status_written(StatusObject::Webhook, written.is_ok());
    match written {
        Ok(_) => Ok(true),
        // Deleted, or made anew under this name: its own look says what is to be said.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(false),
        Err(source) => Err(Error::Status(source.into())),
    }
}

/// An Event that cannot be published is only logged: the condition says the same.
pub(super) async fn announce(context: &Context, object: &Object, claim: &Claim) {
    let Claim { about: _, holds, reason, message } = claim;
    let event = events::Event {
        type_: match holds {
            Holds::True => events::EventType::Normal,
            Holds::False | Holds::Unknown => events::EventType::Warning,
        },
        reason: reason.as_str().to_owned(),
        note: Some(message.chars().take(MAX_NOTE).collect()),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    if let Err(error) = context.recorder.publish(&event, &object.object_ref(&())).await {
        tracing::warn!(error = %error, reason = reason.as_str(), "failed to publish an Event");
    }
}

/// Longest note of an Event that the API server takes, in bytes; characters here, at most 4 bytes each.
const MAX_NOTE: usize = 1024 / 4;
