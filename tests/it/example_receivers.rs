//! The receivers of the examples take what the operator sends, each event once, and believe nothing else.

mod program;
mod proxy;
mod stage;

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use hookwright_testbed::Folder;

use stage::Stage;

/// A receiver, and whether it does what all of them do.
async fn does_what_receivers_do(name: &str, program: impl FnOnce(&Folder) -> Command) {
    let folder = Folder::temporary().unwrap();
    let program = program(&folder);
    let mut stage = Stage::set(name, &Arc::clone(&folder), program).await;
    let cases = [
        ("a genuine event reaches the handlers that match", stage.genuine().await),
        ("an event whose answer was lost comes again, and is known", stage.answer_lost().await),
        ("a request that was tampered with is refused", stage.tampered().await),
        ("a request without a signature is refused", stage.unsigned().await),
        ("what another secret signed is refused", stage.foreign().await),
        ("what was signed too long ago is refused", stage.too_old().await),
        ("any of its secrets verifies", stage.several_secrets().await),
        ("a sender that has rotated its secret is believed", stage.rotated().await),
        ("a batch is its events, and known when it comes again", stage.batch().await),
        ("it has done each event once when it ends", stage.end().await),
    ];
    let mut table = String::new();
    for (case, outcome) in &cases {
        let (mark, why) = outcome.as_ref().map_or_else(|why| ("✗", why.as_str()), |()| ("✓", ""));
        writeln!(table, "  {mark} {case}  {why}").unwrap();
    }
    assert!(cases.iter().all(|(_, outcome)| outcome.is_ok()), "{name}:\n{table}it said:\n{}", stage.log());
}

/// Their own tests, as they come with them.
fn tests_itself(name: &str, mut program: Command) {
    program.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/receivers").join(name));
    let output = program.output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{name}: {}", said.concat());
}

#[test]
fn the_ones_on_express_and_flask_try_again_what_fails_and_give_up_in_the_end() {
    let mut node = Command::new("node");
    node.args(["--test", "work.test.mjs"]);
    tests_itself("express", node);
    let mut python = Command::new("python3");
    python.args(["-B", "-m", "unittest", "test_work"]);
    tests_itself("flask", python);
}

#[tokio::test]
async fn the_one_on_axum_does_what_receivers_do() {
    does_what_receivers_do("axum", |_| program::axum()).await;
}

#[tokio::test]
async fn the_one_on_express_does_what_receivers_do() {
    does_what_receivers_do("express", program::express).await;
}

#[tokio::test]
async fn the_one_on_flask_does_what_receivers_do() {
    does_what_receivers_do("flask", |_| program::flask()).await;
}
