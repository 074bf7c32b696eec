//! Manifests of webhooks.

use serde_json::{Value, json};

use super::Receiver;

/// A `Webhook` that sends everything to this receiver, with further fields of its spec.
pub fn webhook(name: &str, receiver: &Receiver, spec: Value) -> String {
    let mut manifest = json!({
        "apiVersion": "hookwright.dev/v1alpha1",
        "kind": "Webhook",
        "metadata": { "name": name },
        "spec": { "url": receiver.url(), "events": ["*"] },
    });
    let Value::Object(spec) = spec else { panic!("a spec is an object") };
    manifest["spec"].as_object_mut().unwrap().extend(spec);
    manifest.to_string()
}
