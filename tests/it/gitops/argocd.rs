//! The health checks of Argo CD.

use serde_json::Value;

use super::{read, states};
use crate::support;

const FOLDER: &str = "examples/gitops/argocd";
const KINDS: [&str; 2] = ["Webhook", "WebhookDelivery"];

/// The file of the check of a kind.
fn check(kind: &str) -> String {
    format!("{FOLDER}/{}.lua", kind.to_lowercase())
}

#[tokio::test]
async fn argo_cd_takes_every_recorded_object_for_what_its_state_means() {
    for state in states::all() {
        let object = state.recorded();
        let check = check(object["kind"].as_str().unwrap());
        let answer = support::program("gopher-lua", &[&check], &object.to_string()).await.success();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["status"], state.health, "{}: {answer}", state.object);

        let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
        let ready = conditions.filter(|it| it["type"] == "Ready").find_map(|it| it["message"].as_str());
        let stale = object["status"]["observedGeneration"] != object["metadata"]["generation"];
        let expected = ready.filter(|_| !stale).unwrap_or("waits for the operator to look at it");
        let message = answer["message"].as_str().unwrap();
        assert!(message.starts_with(expected), "{}: {message}", state.object);
    }
}

#[test]
fn the_config_map_of_argo_cd_has_the_checks_of_the_files() {
    let config: Value = serde_yaml::from_str(&read(format!("{FOLDER}/argocd-cm.yaml"))).unwrap();
    let data = config["data"].as_object().unwrap();
    assert_eq!(data.len(), KINDS.len());
    for kind in KINDS {
        let key = format!("resource.customizations.health.hookwright.dev_{kind}");
        assert_eq!(data[&key], read(check(kind)), "{key}");
    }
}

#[test]
fn the_application_syncs_a_folder_that_exists() {
    let application: Value = serde_yaml::from_str(&read(format!("{FOLDER}/application.yaml"))).unwrap();
    let path = application["spec"]["source"]["path"].as_str().unwrap();
    assert!(read(format!("{path}/kustomization.yaml")).contains("kind: Kustomization"), "{path}");
}
