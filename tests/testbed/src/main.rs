//! A control plane in the foreground, with the custom resource definitions of the project and a program beside it.
//!
//! `cluster FOLDER [PROGRAM [ARGUMENT]...]` keeps the kubeconfig in FOLDER, which must not exist, and runs PROGRAM
//! with `KUBECONFIG` set. Until Ctrl-C; then the program may end in peace, and all is removed.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program speaks to a person at a terminal"
)]

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    pin::pin,
    process::{Command, ExitCode},
    sync::Arc,
    time::Duration,
};

use hookwright_testbed::{ControlPlane, Error, Folder, Output, Process, Signal};
use tokio::signal::unix::{SignalKind, signal};

/// How long the program has to end in peace.
const PEACE: Duration = Duration::from_secs(30);

/// How long the program may run.
const FOREVER: Duration = Duration::from_hours(1_000_000);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let Some(folder) = arguments.next() else {
        eprintln!("usage: cluster FOLDER [PROGRAM [ARGUMENT]...]");
        return ExitCode::from(2);
    };
    match run(Path::new(&folder), &arguments.collect::<Vec<_>>()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(folder: &Path, program: &[OsString]) -> Result<(), Error> {
    let stop = stop_requested().map_err(io_error("listen for Ctrl-C"))?;
    let mut stop = pin!(stop);
    let cluster = tokio::select! {
        cluster = Cluster::start(folder) => cluster?,
        () = &mut stop => return Ok(()),
    };
    let Some(mut program) = cluster.start_program(program)? else {
        cluster.introduce();
        stop.await;
        return Ok(());
    };
    cluster.introduce();
    tokio::select! {
        ended = program.until("ended", FOREVER, async |_| false) => ended,
        () = stop => {
            program.signal(Signal::Terminate)?;
            program.ended(PEACE).await.map(drop)
        }
    }
}

/// A control plane and where people find it.
struct Cluster {
    plane: ControlPlane,
    folder: Arc<Folder>,
    kubeconfig: PathBuf,
}

impl Cluster {
    async fn start(folder: &Path) -> Result<Self, Error> {
        let folder = std::path::absolute(folder).map_err(io_error("find the current folder"))?;
        if folder.exists() {
            let source =
                io::Error::other("it exists: a cluster runs there, or left it behind in a power cut");
            return Err(io_error(&format!("make the folder {}", folder.display()))(source));
        }
        let folder = Folder::create(&folder)?;
        let plane = ControlPlane::start().await?;
        plane.apply_crds(&hookwright_testbed::project().join("crds")).await?;
        let kubeconfig = folder.path().join("kubeconfig");
        fs::copy(plane.kubeconfig(), &kubeconfig).map_err(io_error("write the kubeconfig"))?;
        Ok(Self { plane, folder, kubeconfig })
    }

    fn start_program(&self, program: &[OsString]) -> Result<Option<Process>, Error> {
        let Some((program, arguments)) = program.split_first() else { return Ok(None) };
        let mut command = Command::new(program);
        command.args(arguments).env("KUBECONFIG", &self.kubeconfig);
        Process::start(&self.folder, "program", &command, Output::Terminal).map(Some)
    }

    fn introduce(&self) {
        println!(
            "A Kubernetes control plane runs, with Hookwright's custom resources. In another terminal:\n"
        );
        println!("  export KUBECONFIG={}", self.kubeconfig.display());
        println!("  alias kubectl={}", Path::new(self.plane.kubectl().get_program()).display());
        println!("  kubectl get webhooks --all-namespaces\n");
        println!("Ctrl-C ends it and leaves nothing behind.");
    }
}

/// The returned future completes when a person or the system asks this process to end.
fn stop_requested() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn io_error(action: &str) -> impl FnOnce(io::Error) -> Error {
    let action = action.to_owned();
    move |source| Error::Io { action, source }
}
