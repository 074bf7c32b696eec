//! What the charts render, without a cluster.

use std::ffi::OsString;
use std::fs;
use std::iter::once;
use std::process::{Command, Stdio};

use hookwright::config::Config;
use serde_json::Value;

use super::{helm, read, root, success, template, template_with};

/// Sets of values, each with the manifests that it renders beside it.
pub const SETS: [&str; 3] = ["defaults", "namespaced", "everything"];

/// What kube-score is told not to ask for, and why.
const NOT_ASKED_FOR: [(&str, &str); 4] = [
    ("--ignore-container-cpu-limit", "it would throttle deliveries under load; there is a limit of memory"),
    (
        "--ignore-test=container-ephemeral-storage-request-and-limit",
        "a limit would count the emptyDir of the queue, which has its own",
    ),
    ("--ignore-test=container-image-pull-policy", "a released tag never changes, so that a node may keep it"),
    (
        "--ignore-test=statefulset-has-servicename",
        "it wants a Service without an address; nobody calls the pod by a name of its own",
    ),
];

fn documents(yaml: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(yaml);
    let documents = documents.map(|document| serde::Deserialize::deserialize(document).unwrap());
    documents.filter(|document| *document != Value::Null).collect()
}

fn values(set: &str) -> String {
    format!("tests/it/chart/{set}.values.yaml")
}

#[test]
fn each_set_of_values_renders_the_manifests_beside_it() {
    for set in SETS {
        let rendered = success(template(&["--values", &values(set)]));
        let golden = read(format!("tests/it/chart/{set}.golden.yaml"));
        assert_eq!(rendered, golden, "{set}: make charts writes it anew");
    }
}

#[test]
fn helm_3_renders_the_same() {
    for set in SETS {
        let helm = Command::new(root().join("bin/helm3"));
        let rendered = success(template_with(helm, &["--values", &values(set)]));
        let golden = read(format!("tests/it/chart/{set}.golden.yaml"));
        assert_eq!(documents(&rendered), documents(&golden), "{set}");
    }
}

#[test]
fn lint_finds_nothing() {
    for chart in ["charts/hookwright", "charts/hookwright-crds"] {
        success(helm().args(["lint", "--strict", "--quiet", chart]).current_dir(root()).output().unwrap());
    }
}

#[test]
fn both_charts_have_the_version_of_the_operator() {
    let chart = |name: &str| documents(&read(format!("charts/{name}/Chart.yaml"))).remove(0);
    for name in ["hookwright", "hookwright-crds"] {
        let chart = chart(name);
        for field in ["version", "appVersion"] {
            assert_eq!(chart[field], env!("CARGO_PKG_VERSION"), "{name}: {field}");
        }
    }
    assert_eq!(chart("hookwright")["dependencies"][0]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_chart_of_the_definitions_has_those_of_the_tree_and_keeps_them_unless_told_otherwise() {
    for (arguments, kept) in [(&[][..], true), (&["--set", "crds.keep=false"], false)] {
        let rendered = documents(&success(template(arguments)));
        let kept_as = kept.then_some("keep");
        for file in fs::read_dir(root().join("crds")).unwrap() {
            let tree = documents(&fs::read_to_string(file.unwrap().path()).unwrap()).remove(0);
            let name = &tree["metadata"]["name"];
            let found = rendered.iter().find(|it| it["metadata"]["name"] == *name).unwrap();
            assert_eq!(found["spec"], tree["spec"], "{name}: make crds writes it anew");
            let policy = found["metadata"]["annotations"]["helm.sh/resource-policy"].as_str();
            assert_eq!(policy, kept_as, "{name}");
        }
    }
    let without = success(template(&["--set", "crds.enabled=false"]));
    assert!(!without.contains("CustomResourceDefinition"));
}

#[test]
fn a_list_of_namespaces_leaves_no_right_in_the_whole_cluster() {
    let rendered = documents(&success(template(&["--values", &values("namespaced")])));
    let kinds: Vec<_> = rendered.iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert!(!kinds.iter().any(|kind| kind.starts_with("Cluster")), "{kinds:?}");
    let roles = rendered.iter().filter(|it| it["kind"] == "Role");
    let namespaces: Vec<_> = roles.map(|role| role["metadata"]["namespace"].as_str().unwrap()).collect();
    assert_eq!(namespaces, ["shop", "billing"]);
}

#[test]
fn secrets_are_not_listed_unless_they_are_watched() {
    let may_list = |arguments: &[&str]| {
        let rendered = documents(&success(template(arguments)));
        let rules = rendered.iter().filter_map(|it| it["rules"].as_array()).flatten();
        let mut of_secrets = rules.filter(|rule| rule["resources"][0] == "secrets");
        of_secrets.any(|rule| rule["verbs"].as_array().unwrap().contains(&"list".into()))
    };
    assert!(!may_list(&[]));
    assert!(may_list(&["--set", "operator.secretChanges=watch"]));
}

#[test]
fn the_operator_understands_how_it_is_started() {
    for set in SETS {
        let golden = documents(&read(format!("tests/it/chart/{set}.golden.yaml")));
        let pod = &golden.iter().find(|it| it["kind"] == "StatefulSet").unwrap()["spec"]["template"]["spec"];
        let arguments =
            pod["containers"][0]["args"].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
        let Config::Operator(settings) =
            Config::read(once("hookwright").chain(arguments).map(OsString::from)).unwrap()
        else {
            panic!("{set} starts something else");
        };
        let grace = settings.service.limits.shutdown_grace().as_secs();
        assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > grace, "{set}");
    }
}

#[test]
fn the_limit_of_the_database_follows_the_volume() {
    let limit = |arguments: &[&str]| {
        let rendered = success(template(arguments));
        let (_, rest) = rendered.split_once("--retention-bytes=").unwrap();
        rest.lines().next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(limit(&[]), (10 << 30) / 4 * 3);
    assert_eq!(limit(&["--set", "persistence.size=1000M"]), 750_000_000);
    assert_eq!(limit(&["--set", "persistence.size=2Ti"]), (2 << 40) / 4 * 3);
    assert_eq!(limit(&["--set", "operator.retentionBytes=1073741824"]), 1 << 30);
}

#[test]
fn values_that_are_wrong_are_refused_and_named() {
    for (set, says) in [
        ("replicas=2", "additional properties 'replicas' not allowed"),
        ("crds.instal=true", "additional properties 'instal' not allowed"),
        ("operator.maxInFlight=0", "/operator/maxInFlight"),
        ("operator.maxEventBytes=2097152", "/operator/maxEventBytes"),
        ("operator.retentionBytes=1024", "/operator/retentionBytes"),
        ("operator.retentionBytes=10737418240", "more than nine tenths of persistence.size (10Gi)"),
        ("operator.secretChanges=never", "/operator/secretChanges"),
        ("operator.audiences=null", "at '/operator': missing property 'audiences'"),
        ("operator.listen=127.0.0.1", "/operator/listen"),
        ("namespaces[0]=Shop", "/namespaces/0"),
        ("egress.allow[0]=10.0.0.1", "/egress/allow/0"),
        ("egress.allow[0]=none", "/egress/allow/0"),
        ("persistence.size=10GB", "/persistence/size"),
        ("persistence.size=10Mi", "less than 16 MiB for the database"),
        ("persistence.accessModes[0]=ReadWriteMany", "/persistence/accessModes/0"),
        ("tls.enabled=true", "/tls/secretName"),
        ("ingress.enabled=true", "/ingress/hosts"),
        ("httpRoute.enabled=true", "/httpRoute/parentRefs"),
        ("serviceMonitor.enabled=true", "set tokenSecret.name or tokenFile"),
        ("image.digest=sha256:abc", "/image/digest"),
        ("podDisruptionBudget.maxUnavailable=2", "/podDisruptionBudget/maxUnavailable"),
        ("serviceAccount.create=false", "serviceAccount.name: needed where serviceAccount.create is false"),
        ("rbac.publishers[0].name=orders", "/rbac/publishers/0"),
        (
            "rbac.roles=false,rbac.metricsReaders[0].name=p,rbac.metricsReaders[0].namespace=m",
            "rbac.roles makes",
        ),
    ] {
        let output = template(&["--set", set]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(says), "{set}: {error}");
    }
}

#[test]
fn kube_score_has_nothing_to_say_but_what_we_decided_otherwise() {
    // Who turns the NetworkPolicy off knows better.
    for set in ["defaults", "everything"] {
        let mut command = Command::new(root().join("bin/kube-score"));
        command.args(["score", "--output-format", "ci", "-"]).args(NOT_ASKED_FOR.map(|(flag, _why)| flag));
        let golden = fs::File::open(root().join(format!("tests/it/chart/{set}.golden.yaml"))).unwrap();
        let output = command.stdin(Stdio::from(golden)).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let fine = |line: &&str| line.starts_with("[OK]") || line.starts_with("[SKIPPED]");
        let complaints: Vec<_> = said.lines().filter(|line| !fine(line)).collect();
        assert!(complaints.is_empty() && said.contains("[OK]"), "{set}: {complaints:#?}");
    }
}

#[test]
fn the_readme_of_each_chart_tells_its_values() {
    let folder = hookwright_testbed::Folder::temporary().unwrap();
    for chart in ["hookwright", "hookwright-crds"] {
        let copy = folder.path().join(chart);
        fs::create_dir(&copy).unwrap();
        for file in ["Chart.yaml", "values.yaml", "README.md.gotmpl"] {
            fs::copy(root().join("charts").join(chart).join(file), copy.join(file)).unwrap();
        }
    }
    let mut docs = Command::new(root().join("bin/helm-docs"));
    success(docs.args(["--chart-search-root", "."]).current_dir(folder.path()).output().unwrap());
    for chart in ["hookwright", "hookwright-crds"] {
        let written = fs::read_to_string(folder.path().join(chart).join("README.md")).unwrap();
        assert_eq!(written, read(format!("charts/{chart}/README.md")), "{chart}: make charts writes it anew");
    }
}

#[test]
fn every_value_is_described() {
    for chart in ["hookwright", "hookwright-crds"] {
        let readme = read(format!("charts/{chart}/README.md"));
        let rows = readme.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Key "));
        for row in rows {
            let description = row.trim_end_matches('|').rsplit('|').next().unwrap().trim();
            assert!(!description.is_empty(), "{chart}: {row}");
        }
    }
}
