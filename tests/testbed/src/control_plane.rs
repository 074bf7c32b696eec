//! etcd, API server and controller manager, started together and used through one value.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, Config, ResourceExt,
    api::{Patch, PatchParams},
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
    runtime::{conditions, wait::await_condition},
};
use serde::Deserialize;

use crate::{Error, Folder, Output, Process, Signal, certificates, node::Node, programs::Programs};

/// How long a program may take on a machine that is busy with other things; seconds are usual.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often other ports are tried when somebody else took one between our choice and our use.
const PORT_CLASHES: u32 = 5;

/// The controllers that tests of an operator and its chart feel.
const CONTROLLERS: &str = "namespace-controller,garbage-collector-controller,serviceaccount-controller,\
                           serviceaccount-token-controller,root-ca-certificate-publisher-controller,\
                           clusterrole-aggregation-controller,statefulset-controller,\
                           persistentvolume-binder-controller,disruption-controller";

/// A control plane of its own: nothing is shared with another one. Dropping it ends and removes everything.
#[derive(Debug)]
pub struct ControlPlane {
    // In the order in which they end: who asks ends before who answers.
    node: Option<Node>,
    #[expect(dead_code, reason = "held, so that it runs")]
    controller_manager: Process,
    apiserver: Option<Process>,
    #[expect(dead_code, reason = "held, so that it runs")]
    etcd: Process,
    programs: Programs,
    ports: Ports,
    folder: Arc<Folder>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    etcd: u16,
    etcd_peer: u16,
    apiserver: u16,
}

impl ControlPlane {
    /// Starts one, and returns when it is ready for requests.
    pub async fn start() -> Result<Self, Error> {
        let mut clashes = 0;
        loop {
            match Self::start_once().await {
                Err(Error::Ended { log, .. })
                    if log.contains("address already in use") && clashes < PORT_CLASHES =>
                {
                    clashes += 1;
                }
                result => return result,
            }
        }
    }

    async fn start_once() -> Result<Self, Error> {
        let programs = Programs::find()?;
        let folder = Folder::temporary()?;
        let ports = Ports::free().map_err(Error::io("find free ports"))?;
        certificates::write(folder.path())?;
        for user in ["admin", "controller-manager"] {
            write_kubeconfig(folder.path(), user, ports.apiserver)?;
        }
        let etcd = Process::start(&folder, "etcd", &etcd_command(&programs, &folder, ports), Output::Log)?;
        let apiserver = start_apiserver(&programs, &folder, ports).await?;
        let command = controller_manager_command(&programs, &folder);
        let controller_manager = Process::start(&folder, "kube-controller-manager", &command, Output::Log)?;
        Ok(Self { node: None, controller_manager, apiserver: Some(apiserver), etcd, programs, ports, folder })
    }

    /// The folder with its data, certificates and logs.
    #[must_use]
    pub fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// The kubeconfig of a user who may do everything.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        kubeconfig_path(self.folder.path(), "admin")
    }

    /// A client that may do everything. It works on the async runtime it was made on, and only there.
    pub async fn client(&self) -> Result<Client, Error> {
        admin_client(&self.folder).await
    }

    /// A client that presents a bearer token and nothing else.
    pub async fn client_with_token(&self, token: &str) -> Result<Client, Error> {
        let auth = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
        client(&self.folder, Some(auth)).await
    }

    /// `kubectl` as the user who may do everything, without its arguments. It writes nothing outside the folder.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        let mut command = self.programs.command("kubectl");
        command.env("KUBECONFIG", self.kubeconfig()).env("HOME", self.folder.path());
        command
    }

    /// Applies the custom resource definitions in the `*.yaml` files of a folder, and waits until they are served.
    pub async fn apply_crds(&self, folder: &Path) -> Result<(), Error> {
        let api: Api<CustomResourceDefinition> = Api::all(self.client().await?);
        let crds = read_crds(folder)?;
        for crd in &crds {
            let name = crd.name_any();
            api.patch(&name, &PatchParams::apply("hookwright-testbed"), &Patch::Apply(crd))
                .await
                .map_err(Error::api(format!("apply the custom resource definition {name}")))?;
        }
        for crd in &crds {
            let name = crd.name_any();
            await_condition(api.clone(), &name, conditions::is_crd_established())
                .await
                .map_err(|source| Error::NotEstablished { name, source: Box::new(source) })?;
        }
        Ok(())
    }

    /// Adds a node: pods are scheduled to it and said to run, though nothing does. Volumes are whoever's who makes them.
    pub async fn add_node(&mut self) -> Result<(), Error> {
        let node = Node::start(&self.folder, self.kubeconfig(), self.client().await?).await?;
        self.node = Some(node);
        Ok(())
    }

    /// Kills the API server, as if its machine had failed. Does nothing when it is stopped already.
    pub async fn stop_apiserver(&mut self) -> Result<(), Error> {
        if let Some(mut apiserver) = self.apiserver.take() {
            apiserver.signal(Signal::Kill)?;
            apiserver.ended(PATIENCE).await?;
        }
        Ok(())
    }

    /// Starts the API server again, at the address it had. Does nothing when it runs.
    pub async fn start_apiserver(&mut self) -> Result<(), Error> {
        if self.apiserver.is_none() {
            self.apiserver = Some(start_apiserver(&self.programs, &self.folder, self.ports).await?);
        }
        Ok(())
    }
}

impl Ports {
    /// Ports that nobody used a moment ago.
    fn free() -> io::Result<Self> {
        let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let held = [listen()?, listen()?, listen()?]; // together, so that they differ
        let port = |n: usize| Ok::<_, io::Error>(held[n].local_addr()?.port());
        Ok(Self { etcd: port(0)?, etcd_peer: port(1)?, apiserver: port(2)? })
    }
}

fn etcd_command(programs: &Programs, folder: &Folder, ports: Ports) -> Command {
    let client = format!("http://127.0.0.1:{}", ports.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.etcd_peer);
    let mut command = programs.command("etcd");
    command
        .arg(format!("--data-dir={}", folder.path().join("etcd").display()))
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=default={peer}"))
        .args(["--unsafe-no-fsync", "--log-level=warn"]); // its data outlives no run
    command
}

async fn start_apiserver(programs: &Programs, folder: &Arc<Folder>, ports: Ports) -> Result<Process, Error> {
    let command = apiserver_command(programs, folder, ports);
    let mut apiserver = Process::start(folder, "kube-apiserver", &command, Output::Log)?;
    let client = admin_client(folder).await?;
    apiserver.until("ready", PATIENCE, async |_| is_ready(&client).await).await?;
    Ok(apiserver)
}

fn apiserver_command(programs: &Programs, folder: &Folder, ports: Ports) -> Command {
    let file = |flag: &str, name: &str| format!("--{flag}={}", folder.path().join(name).display());
    let mut command = programs.command("kube-apiserver");
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd))
        .arg(format!("--secure-port={}", ports.apiserver))
        .args(["--bind-address=127.0.0.1", "--advertise-address=10.1.1.1"]) // loopback may not be advertised
        .arg("--service-cluster-ip-range=10.0.0.0/24")
        .args(["--authorization-mode=RBAC", "--allow-privileged=true"])
        .args([file("tls-cert-file", "server.crt"), file("tls-private-key-file", "server.key")])
        .arg(file("client-ca-file", "ca.crt"))
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(file("service-account-key-file", "service-accounts.pub"))
        .arg(file("service-account-signing-key-file", "service-accounts.key"));
    command
}

fn controller_manager_command(programs: &Programs, folder: &Folder) -> Command {
    let file = |flag: &str, name: &str| format!("--{flag}={}", folder.path().join(name).display());
    let kubeconfig = "controller-manager.kubeconfig";
    let mut command = programs.command("kube-controller-manager");
    command
        .args([file("kubeconfig", kubeconfig), file("authentication-kubeconfig", kubeconfig)])
        .arg(file("authorization-kubeconfig", kubeconfig))
        .args(["--secure-port=0", "--leader-elect=false"])
        // Without it the garbage collector may not delete, and tries for minutes.
        .arg("--use-service-account-credentials=true")
        .arg(file("service-account-private-key-file", "service-accounts.key"))
        .arg(file("root-ca-file", "ca.crt"))
        .arg(format!("--controllers={CONTROLLERS}"));
    command
}

/// A kubeconfig that names the files of its user.
fn write_kubeconfig(folder: &Path, user: &str, port: u16) -> Result<(), Error> {
    let path = kubeconfig_path(folder, user);
    let folder = folder.display();
    let text = format!(
        "apiVersion: v1
kind: Config
current-context: testbed
contexts:
  - name: testbed
    context: {{cluster: testbed, user: {user}}}
clusters:
  - name: testbed
    cluster:
      server: https://127.0.0.1:{port}
      certificate-authority: {folder}/ca.crt
users:
  - name: {user}
    user:
      client-certificate: {folder}/{user}.crt
      client-key: {folder}/{user}.key
"
    );
    fs::write(&path, text).map_err(Error::io(format!("write {}", path.display())))
}

fn kubeconfig_path(folder: &Path, user: &str) -> PathBuf {
    folder.join(format!("{user}.kubeconfig"))
}

async fn admin_client(folder: &Folder) -> Result<Client, Error> {
    client(folder, None).await
}

/// A client of the API server whose kubeconfig is in a folder: as its administrator, or as somebody else.
async fn client(folder: &Folder, somebody_else: Option<AuthInfo>) -> Result<Client, Error> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig_path(folder.path(), "admin"))?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    if let Some(auth) = somebody_else {
        config.auth_info = auth;
    }
    Client::try_from(config).map_err(Error::api("make a client of the API server"))
}

async fn is_ready(client: &Client) -> bool {
    match http::Request::get("/readyz").body(Vec::new()) {
        Ok(request) => client.request_text(request).await.is_ok_and(|answer| answer == "ok"),
        Err(_) => false,
    }
}

fn read_crds(folder: &Path) -> Result<Vec<CustomResourceDefinition>, Error> {
    let failed = || Error::io(format!("read the custom resource definitions in {}", folder.display()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed())? {
        paths.push(entry.map_err(failed())?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut crds = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).map_err(failed())?;
        for document in serde_yaml::Deserializer::from_str(&text) {
            let crd = CustomResourceDefinition::deserialize(document);
            crds.push(crd.map_err(|source| Error::Manifest { path: path.clone(), source })?);
        }
    }
    Ok(crds)
}
