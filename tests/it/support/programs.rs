//! The programs under test.

use std::path::PathBuf;

/// One of the project's programs, which are built beside the tests.
pub fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program =
        tests.parent().and_then(|deps| deps.parent()).expect("tests lie below the target").join(name);
    assert!(program.exists(), "build the programs first: cargo build --workspace");
    program
}
