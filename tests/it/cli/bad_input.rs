//! What nobody should give to the command line, and what it says to that: one line, and no backtrace.

use std::fs;
use std::process::Stdio;

use hookwright_testbed::Folder;

use super::{command, ended, files, listener};
use crate::support::{DEADLINE, Standalone};

#[tokio::test]
async fn each_is_refused_in_one_line_that_says_what_to_do() {
    let (folder, paths) = files(&[
        ("empty", ""),
        ("broken", "{\"type\":\n"),
        ("list", "[1, 2"),
        ("event", r#"{"type":"custom.sale","data":{}}"#),
        ("two", "{}\n{}\n"),
        ("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("binary", "\u{fffd}"),
    ]);
    let [empty, broken, list, event, two, secret, binary] = paths.try_into().unwrap();
    fs::write(&binary, [0xff, 0xfe]).unwrap();
    let nowhere = folder.path().join("nowhere/deep");
    let nowhere = nowhere.to_str().unwrap();
    let away = ["--server", "http://127.0.0.1:1"];
    for (arguments, code, says) in [
        (&["send", &empty] as &[&str], 1, "it is empty: an event (JSON) is expected"),
        (&["send", "-"], 1, "failed to read stdin: it is empty"),
        (&["send", &broken], 1, "broken: an event is a JSON object: "),
        (&["send", &list], 1, "list: an event is a JSON object: "),
        (&["send", nowhere], 1, "No such file"),
        (&["send", folder.path().to_str().unwrap()], 1, "Is a directory"),
        (&["send", &event, "--token-file", nowhere], 1, "nowhere/deep"),
        (&["send", &event, "--token-file", &binary], 1, "it is not UTF-8"),
        (&["send", &event, "--ca-file", &event], 1, "it has no certificate"),
        (&["explain", &two], 1, "one event at a time is explained"),
        (&["explain", &event], 3, "name the address of the API with --server"),
        (&["test", "orders", "--data", "{"], 2, "--data is no JSON"),
        (&["verify", &empty, "--secret-file", &secret], 1, "no empty line"),
        (&["man", nowhere], 1, "failed to write into "),
    ] {
        let mut command = command(arguments);
        if !matches!(arguments[0], "verify" | "man") {
            command.args(away);
        }
        ended(command).await.fails(code, says);
    }
    let listens = command(&["listen", "192.0.2.1:1"]);
    ended(listens).await.fails(1, "failed to listen on 192.0.2.1:1");
}

#[tokio::test]
async fn what_no_flag_means_is_wrong_usage() {
    for arguments in [
        &["deliveries", "orders", "--output", "xml"] as &[_],
        &["deliveries", "orders", "--limit", "0"],
        &["deliveries", "orders", "--server", "::"],
        &["deliveries", "orders", "--server", "http://a.example", "--context", "a"],
        &["deliveries", "orders", "--kubeconfig", "a", "--token-file", "b"],
        &["redrive", "orders", "--follow", "--dry-run"],
        &["send"],
        &["listen", "nonsense"],
        &["completions", "cmd"],
    ] {
        let ended = ended(command(arguments)).await;
        assert!(ended.stderr.starts_with("error: "), "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("backtrace"), "{arguments:?}: {}", ended.stderr);
        ended.code_is(2);
    }
    let kubeconfig = command(&["deliveries", "orders", "--kubeconfig", "/nowhere"]);
    ended(kubeconfig).await.fails(1, "failed to use the kubeconfig: ");
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_what_follows_without_a_word() {
    let folder = Folder::temporary().unwrap();
    let (_receiver, url) = listener(&folder, &["--quiet"]).await;
    let webhook = format!(
        "{{apiVersion: hookwright.dev/v1alpha1, kind: Webhook, metadata: {{name: orders}}, \
         spec: {{url: '{url}', events: ['*'], signing: {{secretRef: {{name: key}}}}}}}}\n---\n\
         {{apiVersion: v1, kind: Secret, metadata: {{name: key}}, stringData: {{secret: whsec_abc}}}}\n"
    );
    let standalone = Standalone::start(&[("a.yaml", &webhook)], &[]).await;
    let api = standalone.url();
    let (_folder, paths) = files(&[("event", r#"{"type":"custom.sale","data":{}}"#)]);
    ended(command(&["send", &paths[0], "--server", &api])).await.success();
    let mut follow = command(&["deliveries", "orders", "--follow", "--server", &api]);
    follow.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = tokio::process::Command::from(follow).kill_on_drop(true).spawn().unwrap();
    drop(child.stdout.take());
    ended(command(&["send", &paths[0], "--server", &api])).await.success();
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
