//! A node that plays its part: pods are scheduled to it and said to run, without a container.

use std::{path::PathBuf, process::Command, sync::Arc};

use k8s_openapi::api::core::v1;
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};

use crate::{Error, Folder, Output, Process, programs::Programs};

/// Its name.
const NAME: &str = "node";

/// A scheduler, and kwok in the part of the kubelet.
#[derive(Debug)]
pub(crate) struct Node {
    #[expect(dead_code, reason = "held, so that it runs")]
    scheduler: Process,
    #[expect(dead_code, reason = "held, so that it runs")]
    kubelet: Process,
}

impl Node {
    /// Adds one to the cluster of this kubeconfig.
    pub(crate) async fn start(
        folder: &Arc<Folder>,
        kubeconfig: PathBuf,
        client: Client,
    ) -> Result<Self, Error> {
        let kubeconfig = kubeconfig.display();
        let mut command = Programs::extra("kube-scheduler")?;
        command
            .args(["--secure-port=0", "--leader-elect=false"])
            .arg(format!("--kubeconfig={kubeconfig}"))
            .arg(format!("--authentication-kubeconfig={kubeconfig}"))
            .arg(format!("--authorization-kubeconfig={kubeconfig}"));
        let scheduler = Process::start(folder, "kube-scheduler", &command, Output::Log)?;
        let mut command = Programs::extra("kwok")?;
        let stages = stages(&command)?;
        command
            .args(["--manage-all-nodes=true", "--node-lease-duration-seconds=40"])
            .arg(format!("--kubeconfig={kubeconfig}"))
            .arg(format!("--config={}", stages.display()))
            .env("HOME", folder.path());
        let kubelet = Process::start(folder, "kwok", &command, Output::Log)?;
        let node = v1::Node {
            metadata: ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() },
            ..v1::Node::default()
        };
        let nodes: Api<v1::Node> = Api::all(client);
        nodes.create(&PostParams::default(), &node).await.map_err(Error::api("create the node"))?;
        // The API server keeps pods off a new node until a controller, which is not here, says that it is ready.
        let spec = v1::NodeSpec { taints: Some(Vec::new()), ..v1::NodeSpec::default() };
        let open = Patch::Merge(v1::Node { spec: Some(spec), ..v1::Node::default() });
        nodes.patch(NAME, &PatchParams::default(), &open).await.map_err(Error::api("open the node"))?;
        Ok(Self { scheduler, kubelet })
    }
}

/// What the part consists of: a file that is built beside the program.
fn stages(kwok: &Command) -> Result<PathBuf, Error> {
    let program = std::fs::canonicalize(kwok.get_program()).map_err(Error::io("find kwok"))?;
    Ok(program.with_file_name("kwok-stages.yaml"))
}
