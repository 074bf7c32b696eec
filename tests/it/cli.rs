//! The command line of those who send and receive: what it prints, and how it ends.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use hookwright_testbed::{Folder, Output as Printed, Process};
use serde_json::{Value, json};

use crate::support::{DEADLINE, Standalone};

mod bad_input;
mod cluster;
mod terminal;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a command printed and how it ended.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    /// What a command that succeeds printed.
    fn success(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Asserts that it ended with this code, whatever it said.
    fn code_is(self, code: i32) {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
    }

    fn json(self) -> Value {
        serde_json::from_str(&self.success()).unwrap()
    }

    /// Asserts that it failed with this code and one line that says this.
    fn fails(self, code: i32, says: &str) {
        let Self { code: ended, stdout, stderr } = self;
        assert_eq!(ended, code, "{stdout}{stderr}");
        assert!(stderr.starts_with("hookwright: ") && stderr.contains(says), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwright"));
    command.args(arguments).env_remove("HOOKWRIGHT_SERVER").env_remove("HOOKWRIGHT_TOKEN");
    command.env_remove("KUBECONFIG").env("RUST_BACKTRACE", "1").stdin(Stdio::null());
    command
}

async fn ended(command: Command) -> Ended {
    let output = tokio::process::Command::from(command).output().await.unwrap();
    let Output { status, stdout, stderr } = output;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}

async fn hookwright(arguments: &[&str]) -> Ended {
    ended(command(arguments)).await
}

/// Files in a folder of their own.
fn files(files: &[(&str, &str)]) -> (Arc<Folder>, Vec<String>) {
    let folder = Folder::temporary().unwrap();
    let paths = files.iter().map(|(name, text)| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let paths = paths.collect();
    (folder, paths)
}

/// `hookwright listen` on a free port, and where it is.
async fn listener(folder: &Arc<Folder>, arguments: &[&str]) -> (Process, String) {
    let command = command(&[&["listen", "127.0.0.1:0"], arguments].concat());
    let mut process = Process::start(folder, "listen", &command, Printed::Log).unwrap();
    let listens = async |process: &Process| process.log().contains("listening on ");
    process.until("listening", DEADLINE, listens).await.unwrap();
    let log = process.log();
    let url = log.split_once("listening on ").unwrap().1.split([';', '\n', ' ']).next().unwrap().to_owned();
    (process, url)
}

async fn prints(process: &mut Process, text: &str) {
    let printed = async |process: &Process| process.log().contains(text);
    if let Err(error) = process.until("printing", DEADLINE, printed).await {
        panic!("waited for '{text}': {error}");
    }
}

#[tokio::test]
async fn an_event_is_sent_explained_and_followed_to_its_receiver() {
    let (folder, paths) = files(&[
        ("secret", SECRET),
        ("event.json", r#"{"id":"evt_1","type":"user.login","data":{"n":1},"metadata":{"user_id":"u1"}}"#),
    ]);
    let [secret, event] = paths.try_into().unwrap();
    let (mut receiver, url) = listener(&folder, &["--secret-file", &secret]).await;
    let manifest = json!([
        { "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "key" }, "stringData": { "secret": SECRET } },
        { "apiVersion": "hookwright.dev/v1alpha1", "kind": "Webhook", "metadata": { "name": "logins" },
          "spec": { "url": url, "events": ["user.*"], "signing": { "secretRef": { "name": "key" } } } },
        { "apiVersion": "hookwright.dev/v1alpha1", "kind": "Webhook", "metadata": { "name": "orders" },
          "spec": { "url": url, "events": ["order.*"], "signing": { "secretRef": { "name": "key" } } } },
        { "apiVersion": "hookwright.dev/v1alpha1", "kind": "Webhook", "metadata": { "name": "others" },
          "spec": { "url": url, "events": ["*"], "signing": { "secretRef": { "name": "key" } },
                    "filters": { "expressions": [{ "name": "a", "cel": "event.data.n == 2" }] } } },
    ]);
    let manifests: Vec<_> = manifest.as_array().unwrap().iter().map(Value::to_string).collect();
    let standalone = Standalone::start(&[("hooks.yaml", &manifests.join("\n---\n"))], &[]).await;
    let api = standalone.url();
    let call = async |arguments: &[&str]| hookwright(&[arguments, &["--server", &api]].concat()).await;

    let explained = call(&["explain", &event]).await.success();
    let says = |webhook: &str| explained.lines().find(|line| line.starts_with(webhook)).unwrap().to_owned();
    assert!(says("logins").contains("yes") && says("logins").contains("sent at once"), "{explained}");
    assert!(says("orders").contains("none of its patterns selects the event's type: order.*"), "{explained}");
    assert!(says("others").contains("filter expression 1 is false"), "{explained}");
    assert_eq!(call(&["explain", &event, "-o", "name"]).await.success().lines().count(), 1);

    assert!(call(&["send", &event]).await.success().starts_with("evt_1 accepted, for 1 webhook\n"));
    assert!(call(&["send", &event]).await.success().contains("evt_1 accepted, as it was before"));
    prints(&mut receiver, "✓ genuine  user.login  evt_1  attempt 1").await;

    let id = loop {
        let listed = call(&["deliveries", "logins", "--delivered", "true", "-o", "name"]).await.success();
        if let Some(id) = listed.lines().next() {
            break id.to_owned();
        }
    };
    let table = call(&["deliveries", "logins"]).await.success();
    assert!(table.lines().count() == 2 && table.contains(&id) && table.contains("Delivered"), "{table}");
    assert!(!table.contains('\u{1b}'), "no colours where there is no terminal: {table:?}");
    let page = call(&["deliveries", "logins", "-o", "json"]).await.json();
    assert_eq!(page["deliveries"][0]["id"], json!(id));
    assert!(call(&["deliveries", "logins", "-o", "yaml"]).await.success().contains("event_id: evt_1"));

    assert!(call(&["retry", &id]).await.success().contains("is due now, after 1 attempts"));
    prints(&mut receiver, "✓ genuine  user.login  evt_1  attempt 2").await;

    let tested = call(&["test", "logins", "--data", r#"{"n":7}"#]).await.success();
    assert!(tested.starts_with("delivered HTTP 200 in ") && tested.contains("received"), "{tested}");
    prints(&mut receiver, "test.ping").await;
    assert_eq!(call(&["test", "logins", "-o", "json"]).await.json()["delivered"], true);

    call(&["deliveries", "nobody"]).await.fails(5, "there is no webhook 'nobody'");
    call(&["retry", "del_1"]).await.fails(5, "'del_1' is not");
    call(&["rotate", "logins"]).await.fails(1, "change it there");
    call(&["test", "logins", "--data", "{"]).await.fails(2, "--data is no JSON");
    assert_eq!(call(&["redrive", "logins", "--dry-run", "-o", "json"]).await.json(), json!({ "count": 0 }));
    assert!(call(&["redrive", "logins", "--follow"]).await.success().starts_with("0 failed deliveries will"));
}

#[tokio::test]
async fn who_cannot_be_reached_or_does_not_let_us_in_is_told_of_in_one_line() {
    let (_folder, paths) =
        files(&[("event.json", "{}"), ("empty", ""), ("tokens", "ci: 0123456789abcdef0123456789abcdef\n")]);
    let [event, empty, tokens] = paths.try_into().unwrap();
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    let nowhere = ["--server", "http://127.0.0.1:1"];
    hookwright(&[&["send", &event], &nowhere[..]].concat())
        .await
        .fails(3, "name the address of the API with --server");
    hookwright(&[&["send", "/nowhere.json"], &nowhere[..]].concat()).await.fails(1, "/nowhere.json");
    hookwright(&[&["send", &event, "--token-file", &empty], &nowhere[..]].concat())
        .await
        .fails(1, "it is empty");

    let standalone = Standalone::start(&[], &["--token-file", &tokens]).await;
    let api = standalone.url();
    let mut unknown = command(&["deliveries", "orders", "--server", &api]);
    ended(unknown).await.fails(4, "kubectl create token NAME --audience hookwright.dev");
    unknown = command(&["deliveries", "orders", "--server", &api]);
    unknown.env("HOOKWRIGHT_TOKEN", "0123456789abcdef0123456789abcdef");
    ended(unknown).await.fails(5, "there is no webhook 'orders'");
    let mut refused = command(&["send", &event, "--server", &api]);
    refused.env("HOOKWRIGHT_TOKEN", "0123456789abcdef0123456789abcdef");
    ended(refused).await.fails(1, "/type: is required");
}

#[tokio::test]
async fn a_mock_event_reaches_a_listener_and_what_it_forwards_to() {
    let (folder, paths) = files(&[("secret", SECRET), ("other", "another one")]);
    let [secret, other] = paths.try_into().unwrap();
    let behind = Folder::temporary().unwrap();
    let (mut application, url) = listener(&behind, &["--quiet"]).await;
    let (mut listener, front) = listener(&folder, &["--secret-file", &secret, "--forward", &url]).await;
    let mock = async |secret: &str| {
        hookwright(&["mock", "resource.updated", "--send", &front, "--secret-file", secret]).await
    };
    assert!(mock(&secret).await.success().starts_with("delivered resource.updated evt_test_"));
    prints(&mut listener, "✓ genuine  resource.updated  evt_test_").await;
    prints(&mut listener, "\"previous_attributes\"").await;
    prints(&mut listener, "answers 200").await;
    prints(&mut application, "? not verified  resource.updated").await;
    assert!(!application.log().contains("previous_attributes"), "quiet: one line");
    mock(&other).await.fails(1, "401");
    prints(&mut listener, "✗ refused  resource.updated").await;

    let printed: Value =
        serde_json::from_str(&hookwright(&["mock", "custom.anything"]).await.success()).unwrap();
    assert_eq!(printed["type"], "custom.anything");
    hookwright(&["mock", "a..b"]).await.code_is(2);
    hookwright(&["mock", "user.login", "--send", &front]).await.code_is(2);
}

#[tokio::test]
async fn a_captured_request_is_verified_however_old_it_is() {
    let body = r#"{"id":"evt_1"}"#;
    let signature = hookwright_signature::pcf::sign(&SECRET.into(), 1_705_314_600, body.as_bytes());
    let request = format!(
        "POST /hook HTTP/1.1\r\nX-PCF-Timestamp: 1705314600\r\nX-PCF-Signature: {signature}\r\n\r\n{body}"
    );
    let broken = format!("{request}\n");
    let (_folder, paths) = files(&[
        ("secret", &format!("{SECRET}\n")),
        ("other", "another one"),
        ("request", &request),
        ("broken", &broken),
    ]);
    let [secret, other, request, broken] = paths.try_into().unwrap();
    let verify = async |arguments: &[&str]| hookwright(&[&["verify"], arguments].concat()).await;
    assert!(verify(&[&request, "--secret-file", &secret]).await.success().starts_with("genuine, signed "));
    assert!(
        verify(&[&request, "--secret-file", &other, "--secret-file", &secret])
            .await
            .success()
            .starts_with("genuine")
    );
    verify(&[&request, "--secret-file", &other]).await.fails(1, "not genuine: the signature does not match");
    verify(&[&broken, "--secret-file", &secret]).await.fails(1, "perhaps the capture added one");
    verify(&[&request, "--secret-file", &secret, "--tolerance", "300"]).await.fails(1, "seconds old");
    verify(&[&secret, "--secret-file", &secret]).await.fails(1, "no empty line");
}

#[tokio::test]
async fn the_shell_completes_and_the_manual_tells_every_command() {
    let completions = hookwright(&["completions", "bash"]).await.success();
    for command in ["send", "deliveries", "listen", "standalone"] {
        assert!(completions.contains(command), "{command}");
    }
    let folder = Folder::temporary().unwrap();
    hookwright(&["man", folder.path().to_str().unwrap()]).await.success();
    assert!(folder.path().join("hookwright-deliveries.1").exists());
    hookwright(&["man", "/nowhere"]).await.fails(1, "failed to write into /nowhere");
}

#[tokio::test]
async fn under_its_other_name_it_is_a_plugin_of_kubectl() {
    let folder = Folder::temporary().unwrap();
    symlink(env!("CARGO_BIN_EXE_hookwright"), folder.path().join("kubectl-hookwright")).unwrap();
    let mut kubectl = Command::new(hookwright_testbed::project().join("bin/kubectl"));
    kubectl.args(["hookwright", "version"]).env("PATH", folder.path());
    let version = concat!("hookwright ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(ended(kubectl).await.success(), version);
}

/// The commands of the README's chapter, without their comments.
fn shown() -> Vec<String> {
    let readme = fs::read_to_string(hookwright_testbed::project().join("README.md")).unwrap();
    let chapter = readme.split_once("## The command line").unwrap().1;
    let block = chapter.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0;
    block.lines().map(|line| line.split('#').next().unwrap().trim().to_owned()).collect()
}

#[tokio::test]
async fn the_commands_of_the_readme_do_what_it_says() {
    let (folder, _) =
        files(&[("secret", SECRET), ("event.json", r#"{"type":"resource.deleted","data":{}}"#)]);
    let program = folder.path().join("hookwright");
    symlink(env!("CARGO_BIN_EXE_hookwright"), &program).unwrap();
    let (_receiver, url) = listener(&folder, &["--quiet"]).await;
    let webhook = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Webhook", "metadata": { "name": "warehouse" },
        "spec": { "url": url, "events": ["resource.*"], "signing": { "secretRef": { "name": "key" } } },
    });
    let key = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "key" }, "stringData": { "secret": SECRET },
    });
    let standalone = Standalone::start(&[("a.yaml", &format!("{webhook}\n---\n{key}"))], &[]).await;
    let shell = |line: &str| {
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("cd {} && {line}", folder.path().display())]).env("PATH", path);
        shell.env("HOOKWRIGHT_SERVER", standalone.url()).env_remove("HOOKWRIGHT_TOKEN");
        shell
    };
    let commands = shown();
    assert_eq!(commands.len(), 4, "{commands:?}");
    for command in &commands {
        let (name, endless) = if command.contains(" listen ") {
            // The port may be taken on this machine.
            ("shown-listen", Some((command.replace("listen", "listen 127.0.0.1:0"), "listening on http://")))
        } else if command.ends_with("--follow") {
            ("shown-follow", Some((command.clone(), "resource.created")))
        } else {
            ("", None)
        };
        match endless {
            Some((command, text)) => {
                let mut process =
                    Process::start(&folder, name, &shell(&format!("exec {command}")), Printed::Log).unwrap();
                prints(&mut process, text).await;
            }
            None => drop(ended(shell(command)).await.success()),
        }
    }
}
