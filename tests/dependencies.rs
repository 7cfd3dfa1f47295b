//! What the library is built from: licences, sources, duplicates, and what must not be in it. Works without a network.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// One of these is to be had from every package that is shipped.
const LICENCES: [&str; 6] = [
    "Apache-2.0",
    "MIT",
    "ISC",
    "BSD-3-Clause",
    "Unicode-3.0",
    "CDLA-Permissive-2.0",
];

/// Packages that are shipped in two versions, and why.
const DUPLICATES: [(&str, &str); 1] = [(
    "getrandom",
    "ring 0.17 has an older one, which uuid and others do not share",
)];

/// What would bring a second implementation of TLS, or compression, which answers must not use.
const BANNED: [&str; 9] = [
    "openssl",
    "openssl-sys",
    "native-tls",
    "aws-lc-rs",
    "aws-lc-sys",
    "flate2",
    "brotli",
    "zstd",
    "async-compression",
];

/// Packages with code in other languages.
const FOREIGN: [&str; 1] = ["ring"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    links: Option<String>,
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

/// All packages of the lock file, and those that are linked into the library.
fn packages() -> (Vec<Package>, Vec<Package>) {
    let metadata =
        format!("metadata --locked --offline --format-version 1 --filter-platform {TARGET}");
    let tree = format!(
        "tree --locked --offline --package mona --edges normal,no-proc-macro --prefix none --target {TARGET} --format {{p}}"
    );
    let tree = cargo(&tree);
    let linked: BTreeSet<&str> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    let all: Metadata = serde_json::from_str(&cargo(&metadata)).unwrap();
    let shipped =
        |package: &Package| linked.contains(&*format!("{} v{}", package.name, package.version));
    let (shipped, others): (Vec<_>, Vec<_>) = all.packages.into_iter().partition(shipped);
    assert!(shipped.len() > 50, "{} packages are shipped", shipped.len());
    (shipped, others)
}

/// Whether the terms can be met by licences of the list alone.
fn permitted(expression: &str) -> bool {
    let parts = expression
        .split(" AND ")
        .map(|part| part.trim_matches(['(', ')']));
    let any = |part: &str| {
        part.replace('/', " OR ")
            .split(" OR ")
            .any(|name| LICENCES.contains(&name))
    };
    parts.into_iter().all(any)
}

#[test]
fn every_licence_is_permissive() {
    for package in packages().0 {
        let expression = package.license.unwrap_or_default();
        assert!(permitted(&expression), "{}: {expression:?}", package.name);
    }
    assert!(
        permitted("(MIT OR GPL-3.0) AND ISC") && !permitted("MIT AND GPL-3.0") && !permitted("")
    );
}

#[test]
fn everything_comes_from_one_registry() {
    let (shipped, others) = packages();
    let sources: BTreeSet<_> = shipped
        .iter()
        .chain(&others)
        .filter_map(|package| package.source.as_ref())
        .collect();
    assert!(
        sources.len() == 1 && sources.iter().all(|source| source.starts_with("registry+")),
        "{sources:?}"
    );
}

#[test]
fn nothing_is_shipped_twice_without_a_reason() {
    let (shipped, _) = packages();
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for package in &shipped {
        *versions.entry(&package.name).or_default() += 1;
    }
    let twice: Vec<_> = versions
        .iter()
        .filter(|(_, count)| **count > 1)
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(twice, DUPLICATES.map(|(name, _)| name));
}

#[test]
fn nothing_banned_is_shipped() {
    for package in packages().0 {
        assert!(!BANNED.contains(&&*package.name), "{}", package.name);
    }
}

#[test]
fn code_of_other_languages_is_known() {
    let (shipped, _) = packages();
    let foreign: Vec<_> = shipped
        .iter()
        .filter(|package| package.links.is_some())
        .map(|package| &*package.name)
        .collect();
    assert_eq!(foreign, FOREIGN);
}
