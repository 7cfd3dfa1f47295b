//! A program that has rights which who started it has not does not believe its environment.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use mona::config::Config;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

const CHILD: &str = "MONA_TEST_PRIVILEGES_CHILD";

/// Runs in a process of its own.
#[test]
fn child_that_reads_its_environment() {
    if std::env::var(CHILD).is_ok() {
        let config = Config::from_json(None).unwrap();
        println!("user_id: {:?}", config.user_id);
    }
}

/// What the child, run from this file, takes from the environment.
fn user_id(program: &Path) -> String {
    let child = Command::new(program)
        .args(["--exact", "child_that_reads_its_environment", "--nocapture"])
        .env(CHILD, "1")
        .env("MONA_SDK_USER_ID", "of the environment")
        .output()
        .unwrap();
    let printed = String::from_utf8(child.stdout).unwrap();
    let line = printed
        .lines()
        .find_map(|line| line.split_once("user_id: "));
    line.unwrap_or_else(|| panic!("{printed}")).1.to_owned()
}

#[test]
fn a_set_user_id_program_ignores_its_environment() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = folder.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    assert_eq!(user_id(&program), "Some(\"of the environment\")");
    // Only root can give a file to somebody else.
    if chown(&program, Some(65534), None).is_err() {
        eprintln!("not tested: this needs root");
        return;
    }
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o4755)).unwrap();
    assert_eq!(user_id(&program), "None");
}
