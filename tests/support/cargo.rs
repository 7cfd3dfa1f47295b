//! What cargo tells about this workspace, without a network.
#![allow(clippy::unwrap_used)]

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-gnu";

#[derive(Deserialize)]
struct Metadata<Package> {
    packages: Vec<Package>,
}

/// `NAME vVERSION` of each package that is linked into the library on Linux; those of this workspace have their folder besides.
pub fn linked() -> BTreeSet<String> {
    let tree = format!(
        "tree --locked --offline --package mona --edges normal,no-proc-macro --prefix none --target {TARGET} --format {{p}}"
    );
    let lines = cargo(&tree);
    lines
        .lines()
        .map(|line| line.trim_end_matches(" (*)").to_owned())
        .collect()
}

/// All packages of the lock file for Linux, with what the caller wants to know of each.
pub fn packages<Package: DeserializeOwned>() -> Vec<Package> {
    let metadata =
        format!("metadata --locked --offline --format-version 1 --filter-platform {TARGET}");
    let metadata: Metadata<Package> = serde_json::from_str(&cargo(&metadata)).unwrap();
    metadata.packages
}

fn cargo(arguments: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments.split(' '))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo {arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
