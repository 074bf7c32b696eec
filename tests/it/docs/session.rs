//! A shell in which the commands of a page are run one after the other, as a reader would.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use hookwright_testbed::{Folder, project};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::stage::Stage;
use crate::support::DEADLINE;

/// What is not there to talk to without containers: the object is looked up in place of it, and commands that a pod runs
/// are run here, on the data of the operator that stands for the pod.
const KUBECTL: &str = r#"
kubectl() {
    local verb= words=() object= namespace=() word
    for word in "$@"; do
        case $verb:$word in
            :logs | :exec | :attach | :port-forward) verb=$word ;;
            *:--) break ;;
        esac
    done
    if [[ -z $verb ]]; then
        "$KUBECTL" "$@"
        return
    fi
    while (($#)); do
        case $1 in
            -n | --namespace) namespace=(--namespace "$2"); shift ;;
            --namespace=*) namespace=("$1") ;;
            --) shift; words=("$@"); break ;;
            -*) ;;
            "$verb") ;;
            *) object=${object:-$1} ;;
        esac
        shift
    done
    [[ $object == */* ]] || object=pod/$object
    "$KUBECTL" "${namespace[@]}" get "$object" >/dev/null
    if [[ $verb == exec ]]; then
        HOOKWRIGHT_DATA=$DATA "${words[@]}"
    fi
}
"#;

/// Stands after the output of a step.
const END: &str = "end of step";

/// The shell.
pub struct Session {
    _shell: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    folder: Arc<Folder>,
}

impl Session {
    /// Starts it in a folder of its own, which has the examples and charts of the project.
    pub async fn start(stage: &Stage) -> Self {
        let folder = Folder::temporary().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        for program in ["hookwright", "kubectl-hookwright"] {
            symlink(env!("CARGO_BIN_EXE_hookwright"), bin.join(program)).unwrap();
        }
        for program in ["helm", "kubectl"] {
            symlink(project().join("bin").join(program), bin.join(program)).unwrap();
        }
        let work = folder.path().join("work");
        fs::create_dir(&work).unwrap();
        for shared in ["charts", "crds", "docs", "Makefile"] {
            symlink(project().join(shared), work.join(shared)).unwrap();
        }
        copy(&project().join("examples"), &work.join("examples"), stage);
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("bash");
        shell.current_dir(&work).env("PATH", path).env("HOME", folder.path()).kill_on_drop(true);
        shell.env("KUBECTL", bin.join("kubectl")).env("KUBECONFIG", stage.kubeconfig(&folder).await);
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let commands = shell.stdin.take().unwrap();
        let answers = BufReader::new(shell.stdout.take().unwrap()).lines();
        let mut session = Self { _shell: shell, commands, answers, folder };
        session.run(&format!("set -euo pipefail\n{KUBECTL}")).await.unwrap();
        session.knows(stage).await;
        session
    }

    /// Tells it where the data of the operator are.
    pub async fn knows(&mut self, stage: &Stage) {
        self.run(&format!("DATA='{}'", stage.data().display())).await.unwrap();
    }

    /// Runs commands, which must succeed, and answers what they print. A failure ends the shell.
    pub async fn run(&mut self, commands: &str) -> Result<String, String> {
        let printed = self.folder.path().join("printed");
        let step = format!("{{\n{commands}\n}} </dev/null >'{}' 2>&1\necho '{END}'\n", printed.display());
        let answer = timeout(DEADLINE, async {
            self.commands.write_all(step.as_bytes()).await.ok()?;
            self.answers.next_line().await.unwrap()
        });
        let answer = answer.await;
        let said = String::from_utf8_lossy(&fs::read(&printed).unwrap_or_default()).into_owned();
        match answer {
            Ok(Some(line)) if line == END => Ok(said),
            other => {
                let why = if other.is_err() { "takes too long" } else { "failed" };
                Err(format!("{why}:\n{commands}\n{said}"))
            }
        }
    }

    /// Writes a file beside the examples.
    pub fn save(&self, file: &str, text: &str) {
        fs::write(self.folder.path().join("work").join(file), text).unwrap();
    }
}

/// Copies a folder, with what a page shows put in its place.
fn copy(from: &Path, to: &Path, stage: &Stage) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target, stage);
        } else {
            match fs::read_to_string(entry.path()) {
                Ok(text) => fs::write(target, stage.put_in(&text)).unwrap(),
                Err(_) => drop(fs::copy(entry.path(), target).unwrap()),
            }
        }
    }
}
