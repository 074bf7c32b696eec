//! The demo, as a newcomer starts it.

use std::process::Command;

#[test]
fn the_demo_delivers_everything_and_says_so() {
    let make = Command::new("make").arg("demo").current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let printed = String::from_utf8(make.stdout).unwrap();
    let errors = String::from_utf8(make.stderr).unwrap();
    assert!(make.status.success(), "{printed}\n{errors}");
    for row in [
        ["warehouse", "resource.created", "evt_123abc", "Delivered", "1", "200"],
        ["warehouse", "resource.updated", "evt_456def", "Delivered", "1", "200"],
        ["billing", "resource.created", "evt_123abc", "Delivered", "3", "200"],
        ["billing", "resource.updated", "evt_456def", "Delivered", "3", "200"],
    ] {
        let is_row = |line: &str| line.split_whitespace().take(6).eq(row);
        assert!(printed.lines().any(is_row), "no row {row:?} in\n{printed}");
    }
    let attempts = printed.lines().filter(|line| line.contains(" attempt ")).count();
    assert_eq!(attempts, 8, "{printed}");
}
