//! What users ask for by annotation. Any value is a request, unless it is the one handled last.

use kube::ResourceExt;
use uuid::Uuid;

use crate::store::Asked;

/// On a delivery: makes it due now, with a fresh retry budget.
pub const RETRY_REQUESTED_AT: &str = "hookwright.dev/retry-requested-at";
/// On a webhook: makes every failed or dead-lettered delivery of it due now, as a retry of each.
pub const REDRIVE_REQUESTED_AT: &str = "hookwright.dev/redrive-requested-at";
/// On a webhook: sends it a `test.ping`, once, whatever it subscribes to.
pub const TEST_REQUESTED_AT: &str = "hookwright.dev/test-requested-at";
/// Longest value that is told apart from others, in characters.
pub const MAX_REQUEST: usize = 1024;

/// The value of an annotation.
#[must_use]
pub fn requested(object: &impl ResourceExt, annotation: &str) -> Option<String> {
    object.annotations().get(annotation).map(|value| value.chars().take(MAX_REQUEST).collect())
}

/// What the annotation of the object with this UID asks for.
#[must_use]
pub fn asked(uid: Uuid, annotation: &str, value: String) -> Asked {
    Asked { by: Uuid::new_v5(&uid, annotation.as_bytes()), value }
}
