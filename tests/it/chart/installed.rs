//! The charts in a cluster: what they install is what the operator needs, and no more.

use axum::http::{Method, StatusCode};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::{Api, api::PostParams};
use serde_json::{Value, json};

use crate::support::{self, AUDIENCE, Cluster, Namespace, Operator, Receiver, VOLUME, webhook};

/// Everything that a release may consist of, but for the custom resource definitions.
const KINDS: &str = "statefulsets,services,serviceaccounts,configmaps,secrets,networkpolicies,poddisruptionbudgets,\
                     ingresses,roles,rolebindings,clusterroles,clusterrolebindings";

/// Has helm wait until all is well, for less time than the tests have.
pub const WAIT: [&str; 2] = ["--wait", "--timeout=50s"];

/// The chart, installed as release `hookwright`.
pub struct Release<'a> {
    cluster: &'a Cluster,
    namespace: Namespace<'a>,
    /// The version of helm that is used on it.
    helm: String,
}

impl<'a> Release<'a> {
    /// Installs it with a command of helm, or of helm3.
    pub async fn install(cluster: &'a Cluster, namespace: Namespace<'a>, command: &str) -> Self {
        let command: Vec<_> = command.split_whitespace().collect();
        cluster.program(command[0], &command[1..]).await.success();
        Self { cluster, namespace, helm: command[0].to_owned() }
    }

    /// Its namespace.
    pub const fn namespace(&self) -> &Namespace<'a> {
        &self.namespace
    }

    /// Runs helm on it.
    pub async fn helm(&self, verb: &str, arguments: &[&str]) {
        let on = [verb, "hookwright", "--namespace", self.namespace.name()];
        self.cluster.program(&self.helm, &[&on, &WAIT[..], arguments].concat()).await.success();
    }

    /// Whether its pod is ready.
    pub async fn pod(&self) -> String {
        let ready = r#"--output=jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
        self.namespace.kubectl(&["get", "pod/hookwright-0", ready]).await.success()
    }

    /// How its pod starts the operator.
    pub async fn arguments(&self) -> Vec<String> {
        Operator::released_arguments(&self.namespace).await
    }

    /// The operator as its pod would run it: with its arguments, and the rights of its service account.
    pub async fn operator(&self) -> Operator {
        Operator::start_as_released(self.cluster, &self.namespace).await
    }

    /// What there is of it.
    async fn objects(&self) -> String {
        let label = "--selector=app.kubernetes.io/instance=hookwright";
        let get = ["get", KINDS, label, "--all-namespaces", "--output=name"];
        self.cluster.kubectl(&get).await.success()
    }
}

/// Calls the operator with the token of a service account.
async fn call(
    operator: &Operator,
    ns: &Namespace<'_>,
    account: &str,
    path: &str,
    body: Option<Value>,
) -> StatusCode {
    let client = support::client(&ns.token(account, Some(AUDIENCE)).await);
    let url = format!("{}{path}", operator.url());
    let request = body.map_or_else(|| client.get(&url), |body| client.post(&url).json(&body));
    request.send().await.unwrap().status()
}

/// Does what people and programs do in a namespace: the operator may do its part of all of it.
async fn use_it(operator: &Operator, ns: &Namespace<'_>) {
    let receiver = Receiver::start().await;
    ns.apply(&webhook("orders", &receiver, json!({}))).await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
    let event = json!({ "type": "resource.created", "data": {} });
    assert_eq!(call(operator, ns, "orders", "/v1/events", Some(event)).await, StatusCode::ACCEPTED);
    receiver.requests(1).await;

    let by_hand = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "WebhookDelivery", "metadata": { "name": "ping" },
        "spec": { "webhookRef": { "name": "orders" }, "event": { "type": "test.ping", "data": {} } },
    });
    ns.apply(&by_hand.to_string()).await;
    ns.kubectl(&["wait", "whd/ping", "--for=condition=Succeeded", "--timeout=60s"]).await.success();
    support::eventually("the operator's own object of the published event", async || {
        let seen = ns.kubectl(&["get", "whd", "--no-headers"]).await.success();
        if seen.contains("resource.created") { Ok(()) } else { Err(seen) }
    })
    .await;

    let body = json!({ "url": receiver.url(), "events": ["*"], "config": { "secret": "chosen" } });
    let (status, made) = operator.call(ns, Method::POST, "/v1/webhooks", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let rotate = format!("{path}/secret/rotate");
    assert_eq!(operator.call(ns, Method::POST, &rotate, None).await.0, StatusCode::OK);
    let suspend = json!({ "active": false });
    assert_eq!(operator.call(ns, Method::PATCH, &path, Some(&suspend)).await.0, StatusCode::OK);
    assert_eq!(operator.call(ns, Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    assert!(!operator.log().contains("forbidden"), "{}", operator.log());
}

/// Does what the chart tells after its installation, but for the way from this machine to the operator.
async fn follow_the_notes(release: &Release<'_>, operator: &Operator) {
    let home = &release.namespace;
    let get = ["get", "notes", "hookwright", "--namespace", home.name()];
    let notes = release.cluster.helm(&get).await.success();
    let commands = notes.lines().filter(|line| line.starts_with("     ") && !line.contains("port-forward"));
    let script = commands.collect::<Vec<_>>().join("\n").replace("http://127.0.0.1:8787", operator.url());
    assert!(script.contains("rollout status") && script.contains("/v1/events"), "{script}");
    let said = release.cluster.shell(home, &script).await.success();
    assert!(said.contains(r#""deliveries":["#), "{said}");
}

/// The command of the README, with further arguments.
fn install(arguments: &str) -> String {
    let readme = super::read("README.md");
    let command = readme.lines().find(|line| line.starts_with("helm install")).unwrap();
    format!("{command} {arguments}")
}

#[tokio::test]
async fn a_release_has_all_that_the_operator_needs_and_leaves_only_the_definitions() {
    let cluster = Cluster::start_with_node().await;
    cluster.kubectl_with_input(&["apply", "--filename", "-"], VOLUME).await.success();
    cluster.kubectl(&["create", "namespace", "hookwright"]).await.success();
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    cluster.kubectl(&["label", "namespace", "hookwright", restricted]).await.success();
    let shop = cluster.namespace("shop").await;
    shop.service_account("prometheus", vec![]).await;
    shop.service_account("orders", vec![]).await;
    let name = shop.name();
    let values = format!(
        "{} {} --set egress.allow[0]=127.0.0.0/8 \
         --set rbac.publishers[0].name=orders,rbac.publishers[0].namespace={name} \
         --set rbac.metricsReaders[0].name=prometheus,rbac.metricsReaders[0].namespace={name}",
        WAIT[0], WAIT[1]
    );
    let release =
        Release::install(&cluster, cluster.existing_namespace("hookwright"), &install(&values)).await;
    assert_eq!(release.pod().await, "True");
    let mut operator = release.operator().await;
    use_it(&operator, &shop).await;
    assert_eq!(call(&operator, &shop, "orders", "/v1/webhooks", None).await, StatusCode::FORBIDDEN);
    assert_eq!(call(&operator, &shop, "orders", "/metrics", None).await, StatusCode::FORBIDDEN);
    assert_eq!(call(&operator, &shop, "prometheus", "/metrics", None).await, StatusCode::OK);
    follow_the_notes(&release, &operator).await;
    operator.sigterm().await;

    let before = release.arguments().await;
    let more = ["charts/hookwright", "--reuse-values", "--set", "operator.maxInFlight=7"];
    release.helm("upgrade", &more).await;
    assert!(release.arguments().await.contains(&"--max-in-flight=7".to_owned()));
    assert_eq!(release.pod().await, "True");
    release.helm("rollback", &["1"]).await;
    assert_eq!((release.arguments().await, release.pod().await), (before, "True".to_owned()));

    release.helm("uninstall", &[]).await;
    assert_eq!(release.objects().await, "");
    let left = shop.kubectl(&["get", "crds,whk", "--output=name"]).await.success();
    assert_eq!(left.lines().count(), 3, "{left}");
    let claim = release.namespace.kubectl(&["get", "pvc", "--output=name"]).await.success();
    assert_eq!(claim.trim(), "persistentvolumeclaim/data-hookwright-0", "the queue outlives the release");
}

#[tokio::test]
async fn the_api_server_takes_every_manifest_and_knows_every_field() {
    let cluster = support::cluster().await;
    let foreign = ["apply", "--server-side", "--filename", "bin/definitions/"];
    cluster.kubectl(&foreign).await.success();
    cluster
        .kubectl(&["wait", "crd", "--all", "--for=condition=Established", "--timeout=50s"])
        .await
        .success();
    for namespace in ["hookwright", "shop", "billing"] {
        cluster.kubectl(&["create", "namespace", namespace]).await.success();
    }
    for set in super::rendered::SETS {
        let manifests = super::read(format!("tests/it/chart/{set}.golden.yaml"));
        let strictly = ["apply", "--dry-run=server", "--validate=strict", "--filename", "-"];
        cluster.kubectl_with_input(&strictly, &manifests).await.success();
    }
}

#[tokio::test]
async fn a_list_of_namespaces_needs_roles_there_and_the_right_to_ask_who_calls() {
    let cluster = support::cluster().await;
    let (ns, home) = (cluster.namespace("released").await, cluster.namespace("release").await);
    ns.service_account("orders", vec![]).await;
    let (name, home_name) = (ns.name(), home.name());
    let command = format!(
        "helm install hookwright charts/hookwright --namespace {home_name} --set namespaces[0]={name} \
         --set crds.enabled=false --set egress.allow[0]=127.0.0.0/8 \
         --set rbac.publishers[0].name=orders,rbac.publishers[0].namespace={name}"
    );
    let release = Release::install(cluster, home, &command).await;
    use_it(&release.operator().await, &ns).await;
    let bindings = release.objects().await;
    let in_cluster = bindings.lines().filter(|it| it.starts_with("clusterrolebinding"));
    assert!(in_cluster.clone().all(|it| it.ends_with("-reviews")), "{bindings}");
    assert_eq!(in_cluster.count(), 1, "{bindings}");
}

#[tokio::test]
async fn viewers_see_webhooks_and_editors_what_they_deliver() {
    let cluster = support::cluster().await;
    let (ns, home) = (cluster.namespace("aggregated").await, cluster.namespace("roles").await);
    let command = format!(
        "helm install hookwright charts/hookwright --namespace {} --set crds.enabled=false",
        home.name()
    );
    Release::install(cluster, home, &command).await;
    for role in ["view", "edit", "admin"] {
        let binding = format!("--clusterrole={role}");
        let user = format!("--user={role}");
        ns.kubectl(&["create", "rolebinding", role, &binding, &user]).await.success();
    }
    let reviews: Api<SubjectAccessReview> = Api::all(cluster.client().await);
    for (role, verb, resource, expected) in [
        ("view", "list", "webhooks", true),
        ("view", "create", "webhooks", false),
        ("view", "get", "webhookdeliveries", false),
        ("view", "create", "webhookevents", false),
        ("edit", "create", "webhooks", true),
        ("edit", "get", "webhookdeliveries", true),
        ("edit", "create", "webhookevents", true),
        ("edit", "patch", "webhooks/status", false),
        ("admin", "delete", "webhooks", true),
        ("admin", "create", "webhookevents", true),
    ] {
        let (object, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let review = json!({ "spec": {
            "user": role,
            "resourceAttributes": {
                "namespace": ns.name(), "group": "hookwright.dev", "verb": verb, "resource": object,
                "subresource": subresource,
            },
        }});
        let review: SubjectAccessReview = serde_json::from_value(review).unwrap();
        // The cluster puts its roles together in its own time.
        support::eventually(&format!("{role} may {verb} {resource}: {expected}"), async || {
            let answer = reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap();
            if answer.allowed == expected { Ok(()) } else { Err(answer) }
        })
        .await;
    }
}
