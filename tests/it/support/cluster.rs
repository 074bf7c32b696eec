//! The control plane, with the custom resource definitions of the project.

use std::{
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use hookwright_testbed::{ControlPlane, Error};
use k8s_openapi::api::{
    core::v1::{self, ServiceAccount},
    rbac::v1::{ClusterRoleBinding, RoleRef, Subject},
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::{io::AsyncWriteExt, process::Command, sync::OnceCell, time::timeout};

use super::{DEADLINE, Namespace};

/// The service account that tests call the operator as.
const TESTS: &str = "tests";

/// The service account that the operator runs as.
const OPERATOR: &str = "operator";

/// What the operator wants tokens to be issued for.
pub const AUDIENCE: &str = "hookwright.dev";

/// The volume that the claim of a release's pod is bound to.
pub const VOLUME: &str = "
apiVersion: v1
kind: PersistentVolume
metadata: { name: queue }
spec:
  capacity: { storage: 10Gi }
  accessModes: [ReadWriteOnce]
  claimRef: { namespace: hookwright, name: data-hookwright-0 }
  hostPath: { path: /var/empty }
";

static SHARED: OnceCell<Result<Cluster, String>> = OnceCell::const_new();

/// The control plane that the tests of this binary share, started by whoever asks first.
pub async fn cluster() -> &'static Cluster {
    let cluster = SHARED.get_or_init(async || Cluster::start().await.map_err(|error| error.to_string()));
    match cluster.await {
        Ok(cluster) => cluster,
        Err(error) => panic!("{error}"),
    }
}

/// A control plane.
pub struct Cluster {
    plane: ControlPlane,
    namespaces: AtomicU32,
}

/// What a program said.
#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Cluster {
    /// One that no other test uses, for what would disturb them: two seconds and half a gigabyte.
    pub async fn start_private() -> Self {
        Self::start().await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// One that has nothing of ours, and a node on which pods seem to run.
    pub async fn start_with_node() -> Self {
        let mut cluster = Self::start_bare().await.unwrap_or_else(|error| panic!("{error}"));
        cluster.plane.add_node().await.unwrap_or_else(|error| panic!("{error}"));
        cluster
    }

    async fn start() -> Result<Self, Error> {
        let cluster = Self::start_bare().await?;
        cluster.plane.apply_crds(&hookwright_testbed::project().join("crds")).await?;
        cluster.let_operator_run().await;
        Ok(cluster)
    }

    async fn start_bare() -> Result<Self, Error> {
        let cluster = Self { plane: ControlPlane::start().await?, namespaces: AtomicU32::new(0) };
        cluster.let_tests_call().await;
        Ok(cluster)
    }

    /// Makes the service account that the operator runs as, with the rights that the chart gives it and no others.
    async fn let_operator_run(&self) {
        let name = format!("--set=fullnameOverride={OPERATOR}");
        let render = ["template", OPERATOR, "charts/hookwright", "--namespace=default", &name];
        let only = ["serviceaccount", "rbac-operator", "rbac-reviews"]
            .map(|template| format!("--show-only=templates/{template}.yaml"));
        let only: Vec<_> = only.iter().map(String::as_str).collect();
        let manifests = self.helm(&[&render, &*only].concat()).await.success();
        self.kubectl_with_input(&["apply", "--filename=-"], &manifests).await.success();
    }

    /// Makes the service account that tests call the operator as: it may do everything.
    async fn let_tests_call(&self) {
        let metadata = ObjectMeta { name: Some(TESTS.to_owned()), ..ObjectMeta::default() };
        let account = ServiceAccount { metadata, ..ServiceAccount::default() };
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await, "default");
        accounts.create(&PostParams::default(), &account).await.unwrap();
        self.bind(TESTS, "cluster-admin", "default", TESTS).await;
    }

    /// Gives a service account the rights of a `ClusterRole` in the whole cluster.
    pub async fn bind(&self, name: &str, role: &str, namespace: &str, account: &str) {
        let binding = ClusterRoleBinding {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            role_ref: RoleRef {
                api_group: "rbac.authorization.k8s.io".to_owned(),
                kind: "ClusterRole".to_owned(),
                name: role.to_owned(),
            },
            subjects: Some(vec![Subject {
                kind: "ServiceAccount".to_owned(),
                name: account.to_owned(),
                namespace: Some(namespace.to_owned()),
                ..Subject::default()
            }]),
        };
        Api::all(self.client().await).create(&PostParams::default(), &binding).await.unwrap();
    }

    /// A token of the operator itself.
    pub async fn operator_token(&self) -> String {
        self.existing_namespace("default").token(OPERATOR, None).await
    }

    /// A token of somebody who may do everything, for calls of the operator.
    pub async fn token(&self) -> String {
        self.existing_namespace("default").token(TESTS, Some(AUDIENCE)).await
    }

    /// The file of the key that signs the tokens of service accounts.
    pub fn token_signing_key(&self) -> PathBuf {
        self.plane.folder().path().join("service-accounts.key")
    }

    /// A client that may do everything. It belongs to the runtime of its test, so each test makes its own.
    pub async fn client(&self) -> Client {
        self.plane.client().await.unwrap()
    }

    /// A client that presents this bearer token.
    pub async fn client_with_token(&self, token: &str) -> Client {
        self.plane.client_with_token(token).await.unwrap()
    }

    /// The kubeconfig of a user who may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.plane.kubeconfig()
    }

    /// Makes a namespace that is `purpose` and a number. It goes with the control plane, or when it is told to.
    pub async fn namespace(&self, purpose: &str) -> Namespace<'_> {
        let name = format!("{purpose}-{}", self.namespaces.fetch_add(1, Ordering::Relaxed) + 1);
        let namespace = v1::Namespace {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            ..v1::Namespace::default()
        };
        Api::all(self.client().await).create(&PostParams::default(), &namespace).await.unwrap();
        Namespace::new(self, name)
    }

    /// A namespace that was made before.
    pub fn existing_namespace(&self, name: &str) -> Namespace<'_> {
        Namespace::new(self, name.to_owned())
    }

    /// Runs kubectl, whatever it answers.
    pub async fn kubectl(&self, arguments: &[&str]) -> Output {
        self.kubectl_with_input(arguments, "").await
    }

    /// Runs kubectl with something on its standard input.
    pub async fn kubectl_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::from(self.plane.kubectl());
        command.args(arguments);
        run(command, input).await
    }

    /// Runs helm from the project's folder, whatever it answers.
    pub async fn helm(&self, arguments: &[&str]) -> Output {
        self.program("helm", arguments).await
    }

    /// Runs a program of `bin/` that finds its cluster as helm does, from the project's folder, whatever it answers.
    pub async fn program(&self, name: &str, arguments: &[&str]) -> Output {
        let project = hookwright_testbed::project();
        let mut command = Command::new(project.join("bin").join(name));
        // Its caches and settings are not those of the person who runs the tests.
        command.args(arguments).env("HOME", self.plane.folder().path()).env("KUBECONFIG", self.kubeconfig());
        command.current_dir(project);
        run(command, "").await
    }

    /// Runs a script as a person would who has chosen this cluster and namespace, from the project's folder.
    pub async fn shell(&self, namespace: &Namespace<'_>, script: &str) -> Output {
        let kubectl = self.plane.kubectl();
        let mut command = Command::new("bash");
        let define = r#"kubectl() { "$KUBECTL" "--namespace=$NAMESPACE" "$@"; }"#;
        command.args(["-euo", "pipefail", "-c", &format!("{define}\n{script}")]);
        command.envs(kubectl.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("KUBECTL", kubectl.get_program()).env("KUBECONFIG", self.kubeconfig());
        command.env("NAMESPACE", namespace.name()).current_dir(env!("CARGO_MANIFEST_DIR"));
        run(command, "").await
    }

    /// Kills the API server. Only a private control plane can be borrowed mutably, so no other test notices.
    pub async fn stop_apiserver(&mut self) {
        self.plane.stop_apiserver().await.unwrap();
    }

    /// Starts the API server again, with the same address and data.
    pub async fn start_apiserver(&mut self) {
        self.plane.start_apiserver().await.unwrap();
    }
}

impl Output {
    /// The standard output of a program that must succeed.
    pub fn success(self) -> String {
        assert!(self.status.success(), "{}: {}{}", self.status, self.stdout, self.stderr);
        self.stdout
    }
}

/// Runs a program of `bin/` that needs no cluster.
pub async fn program(name: &str, arguments: &[&str], input: &str) -> Output {
    let project = hookwright_testbed::project();
    let mut command = Command::new(project.join("bin").join(name));
    command.args(arguments).current_dir(project);
    run(command, input).await
}

async fn run(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = timeout(DEADLINE, async {
        let (written, output) = tokio::join!(
            async move { stdin.write_all(input.as_bytes()).await }, // and closes it
            child.wait_with_output()
        );
        written.and(output)
    });
    let output = output.await.unwrap_or_else(|_| panic!("{command:?} took too long")).unwrap();
    Output {
        status: output.status,
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
