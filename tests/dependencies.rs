//! What the library is built from: licences, sources, duplicates, and what must not be in it. Works without a network.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/cargo.rs"]
mod cargo;

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

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
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    links: Option<String>,
}

/// The packages of the lock file that are linked into the library, and all others.
fn packages() -> (Vec<Package>, Vec<Package>) {
    let linked = cargo::linked();
    let shipped =
        |package: &Package| linked.contains(&format!("{} v{}", package.name, package.version));
    let (shipped, others): (Vec<_>, Vec<_>) = cargo::packages().into_iter().partition(shipped);
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
