//! Step 5: what the object's user asks for by annotation, once per value.

use hookwright_engine::event::Draft;
use hookwright_engine::id::WebhookId;
use kube::ResourceExt;
use uuid::Uuid;

use super::{Context, Error, Object, status};
use crate::crd::WebhookStatus;
use crate::crd::annotation::{self, REDRIVE_REQUESTED_AT, TEST_REQUESTED_AT};
use crate::crd::condition::{Claim, Holds, Reason, Type};
use crate::metrics::By;
use crate::store::Selection;

/// The event that a test sends.
const PING: &[u8] = br#"{"type":"test.ping","data":{}}"#;

/// Does what is asked for and was not done `before`. The store knows each request, so that one that
/// is read again, as its echo in the status was lost, does nothing again.
pub(super) async fn obey(
    context: &Context,
    object: &Object,
    id: WebhookId,
    before: &WebhookStatus,
) -> Result<(), Error> {
    let new = |annotation, handled: &Option<String>| {
        annotation::requested(object, annotation).filter(|value| Some(value) != handled.as_ref())
    };
    if let Some(value) = new(REDRIVE_REQUESTED_AT, &before.redrive_requested_at) {
        redrive(context, object, id, value).await?;
    }
    if let Some(value) = new(TEST_REQUESTED_AT, &before.test_requested_at) {
        test(context, object, id, before.test_requested_at.as_deref(), &value).await?;
    }
    Ok(())
}

async fn redrive(context: &Context, object: &Object, id: WebhookId, value: String) -> Result<(), Error> {
    let asked = annotation::asked(id.uid(), REDRIVE_REQUESTED_AT, value.clone());
    let count =
        context.engine.redrive(id, Selection::default(), Some(asked)).await.map_err(Error::Redrive)?;
    context.metrics.redriven(By::Annotation, count);
    tracing::info!(webhook = %id, count, value, by = REDRIVE_REQUESTED_AT, "failed deliveries are retried");
    let message = format!("{count} failed deliveries are retried, as {value} asks");
    tell(context, object, Reason::Redriven, message).await;
    Ok(())
}

async fn test(
    context: &Context,
    object: &Object,
    id: WebhookId,
    before: Option<&str>,
    value: &str,
) -> Result<(), Error> {
    let namespace = object.namespace().unwrap_or_default();
    let draft = Draft::parse(PING).map_err(Error::Ping)?;
    let named = format!("{TEST_REQUESTED_AT}\0{}\0{value}", before.unwrap_or_default());
    let origin = Uuid::new_v5(&id.uid(), named.as_bytes());
    let receipt = context.engine.test(&namespace, id, draft, origin).await.map_err(Error::Test)?;
    if let Some(delivery) = receipt.deliveries.first().filter(|_| !receipt.duplicate) {
        context.metrics.test_sent(By::Annotation);
        tracing::info!(webhook = %id, %delivery, value, by = TEST_REQUESTED_AT, "a test is sent");
        let message = format!("a test.ping is sent as {delivery}, as {value} asks");
        tell(context, object, Reason::TestSent, message).await;
    }
    Ok(())
}

async fn tell(context: &Context, object: &Object, reason: Reason, message: String) {
    let claim = Claim { about: Type::EndpointHealthy, holds: Holds::True, reason, message };
    status::announce(context, object, &claim).await;
}
