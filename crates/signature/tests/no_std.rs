//! The crate needs no std, and so does nothing it depends on.
#![allow(clippy::unwrap_used, clippy::panic)] // A test file as a whole: its own functions fail tests too.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// Has the one panic handler that a program may have: where std is linked, by whatever crate, the compiler finds two.
const PROGRAM: &str = "
#![no_std]
use hookwright_signature as _;

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
";

fn check(folder: &Path, dependency: &str) -> Result<(), String> {
    let package = "[package]\nname = \"bare\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n";
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("Cargo.toml"), format!("{package}{dependency}\n")).unwrap();
    fs::write(folder.join("src/lib.rs"), PROGRAM).unwrap();
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::copy(project.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["check", "--quiet", "--offline", "--target-dir"]).arg(project.join("target/no-std"));
    let output = cargo.current_dir(folder).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    if output.status.success() { Ok(()) } else { Err(said) }
}

#[test]
fn a_program_without_std_can_use_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = format!("hookwright-signature = {{ path = '{}' }}", env!("CARGO_MANIFEST_DIR"));
    check(folder.path(), &here).unwrap_or_else(|said| panic!("{said}"));

    // And one that cannot would be seen.
    let with_std = format!("{here}\nbase64 = {{ version = '0.22', features = ['std'] }}");
    let said = check(folder.path(), &with_std).unwrap_err();
    assert!(said.contains("found duplicate lang item `panic_impl`"), "{said}");
}
