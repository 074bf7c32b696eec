//! What we render and show passes kubeconform, as pipelines run it before anything reaches a cluster. Its schemas are those
//! that the API server publishes, made strict: no field may be unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hookwright_testbed::Folder;
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use crate::support::{self, Cluster};

/// Kinds that are not judged, and why.
const NOT_JUDGED: [(&str, &str); 4] = [
    ("Application", "of Argo CD, whose definitions no package has"),
    ("Component", "a file for kustomize, never an object"),
    (
        "CustomResourceDefinition",
        "the API server says more of one than its schema does, where tests apply it",
    ),
    ("kustomize.config.k8s.io/v1beta1/Kustomization", "a file for kustomize, never an object"),
];

/// Every file of manifests that users may apply as it is, or get from the charts.
fn manifests() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = ["crds", "examples", "tests/it/chart"].map(PathBuf::from).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(hookwright_testbed::project().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if hookwright_testbed::project().join(&path).is_dir() && !path.ends_with("node_modules") {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "yaml") && !path.ends_with("values.yaml") {
                found.push(path);
            }
        }
    }
    found.retain(|path| !path.to_str().unwrap().ends_with(".values.yaml"));
    found
}

/// The kinds of objects in a file, each with its version.
fn kinds(path: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(hookwright_testbed::project().join(path)).unwrap();
    let documents = serde_yaml::Deserializer::from_str(&text).map(|it| Value::deserialize(it).unwrap());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    documents.filter(|it| !it.is_null()).map(|it| (text(&it["apiVersion"]), text(&it["kind"]))).collect()
}

/// The schemas that the API server has, by what they are called there.
async fn published(cluster: &Cluster) -> Map<String, Value> {
    let text = cluster.kubectl(&["get", "--raw", "/openapi/v2"]).await.success();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    let Value::Object(definitions) = document["definitions"].take() else { panic!("{text}") };
    definitions
}

/// The name of each kind's schema.
fn names(definitions: &Map<String, Value>) -> BTreeMap<(String, String), String> {
    let mut names = BTreeMap::new();
    for (name, schema) in definitions {
        // Options of requests belong to every group.
        if let Some([of]) = schema["x-kubernetes-group-version-kind"].as_array().map(Vec::as_slice) {
            let text = |field: &str| of[field].as_str().unwrap().to_owned();
            let version = [text("group"), text("version")].join("/").trim_start_matches('/').to_owned();
            names.insert((version, text("kind")), name.clone());
        }
    }
    names
}

/// Makes a schema refuse what it does not know, and say in the words of JSON Schema what only Kubernetes has words for.
fn strict(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(strict),
        Value::Object(keywords) => {
            keywords.values_mut().for_each(strict);
            let open = ["additionalProperties", "x-kubernetes-preserve-unknown-fields"];
            if keywords.contains_key("properties") && !open.iter().any(|it| keywords.contains_key(*it)) {
                keywords.insert("additionalProperties".to_owned(), false.into());
            }
            let either = keywords.get("format").is_some_and(|it| it == "int-or-string")
                || keywords.contains_key("x-kubernetes-int-or-string");
            if either {
                keywords.insert("type".to_owned(), json!(["integer", "string"]));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Collects what a schema refers to.
fn references(schema: &Value, definitions: &Map<String, Value>, found: &mut BTreeSet<String>) {
    if let Some(name) = schema["$ref"].as_str().and_then(|it| it.strip_prefix("#/definitions/"))
        && found.insert(name.to_owned())
    {
        references(&definitions[name], definitions, found);
    }
    let nested = schema.as_object().into_iter().flat_map(Map::values);
    for nested in nested.chain(schema.as_array().into_iter().flatten()) {
        references(nested, definitions, found);
    }
}

/// Writes the schema of a kind where kubeconform looks for it, with all that it refers to.
fn write(folder: &Path, version: &str, kind: &str, name: &str, definitions: &Map<String, Value>) {
    let mut schema = json!({ "$ref": format!("#/definitions/{name}") });
    let mut used = BTreeSet::new();
    references(&schema, definitions, &mut used);
    schema["definitions"] = used.into_iter().map(|it| (it.clone(), definitions[&it].clone())).collect();
    let (group, version) = version.split_once('/').unwrap_or((version, version));
    let folder = folder.join(group);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{}_{version}.json", kind.to_lowercase())), schema.to_string()).unwrap();
}

/// Whether a kind is judged.
fn is_judged((version, kind): &(String, String)) -> bool {
    NOT_JUDGED.iter().all(|(not, _why)| not != kind && *not != format!("{version}/{kind}"))
}

/// Writes the schemas of these kinds, once the API server publishes all of them.
async fn schemas(folder: &Path, kinds: BTreeSet<(String, String)>) {
    let cluster = support::cluster().await;
    cluster.kubectl(&["apply", "--server-side", "--filename", "bin/definitions/"]).await.success();
    let mut definitions = support::eventually("the schemas of custom resources", async || {
        let definitions = published(cluster).await;
        let names = names(&definitions);
        let missing: Vec<_> = kinds.iter().filter(|it| !names.contains_key(*it)).collect();
        if missing.is_empty() { Ok(definitions) } else { Err(format!("{missing:?}")) }
    })
    .await;
    definitions.values_mut().for_each(strict);
    let names = names(&definitions);
    for it in &kinds {
        write(folder, &it.0, &it.1, &names[it], &definitions);
    }
}

/// Runs kubeconform on files.
async fn judge(schemas: &Path, files: &[&str]) -> support::Output {
    let location = format!(
        "{}/{{{{.Group}}}}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json",
        schemas.display()
    );
    let skipped = NOT_JUDGED.map(|(kind, _why)| kind).join(",");
    let options = ["-strict", "-summary", "-skip", &skipped, "-schema-location", &location];
    support::program("kubeconform", &[&options, files].concat(), "").await
}

#[tokio::test]
async fn kubeconform_takes_every_manifest_and_refuses_a_field_that_is_not_there() {
    let files = manifests();
    let folder = Folder::temporary().unwrap();
    let kinds = files.iter().flat_map(|file| kinds(file)).filter(is_judged).collect();
    schemas(folder.path(), kinds).await;
    let files: Vec<_> = files.iter().map(|file| file.to_str().unwrap()).collect();
    let said = judge(folder.path(), &files).await.success();
    assert!(said.contains("Invalid: 0, Errors: 0"), "{said}");

    let wrong = folder.path().join("wrong.yaml");
    let text = "{apiVersion: hookwright.dev/v1alpha1, kind: Webhook, metadata: {name: a}, spec: {events: [a], \
                url: 'https://a.example', retires: {}}}";
    fs::write(&wrong, text).unwrap();
    let refused = judge(folder.path(), &[wrong.to_str().unwrap()]).await;
    assert!(!refused.status.success() && refused.stdout.contains("retires"), "{refused:?}");
}
