//! Writes `THIRD-PARTY-LICENSES.md`: what libmona is made of besides our own code, and the terms of each.

use crate::cargo;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a package leaves the choice, in this order: the first has one text for all.
const PREFERRED: [&str; 5] = ["Apache-2.0", "MIT", "ISC", "BSD-3-Clause", "Unicode-3.0"];

const HEAD: &str = "\
# Licences of what libmona contains

<!-- Generated from Cargo.lock and the packages' own files: run `scripts/generate` when dependencies change. -->

`libmona.so` and `libmona.a` contain the packages listed here, each under the licence named, and Rust's standard library
(Apache-2.0 OR MIT, the Rust project's developers). The text of Apache-2.0 is in `LICENSE`.
";

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: PathBuf,
}

/// The packages that are linked into the library on Linux, without our own.
fn packages() -> Vec<Package> {
    let mut linked = cargo::linked();
    linked.retain(|package| !package.contains('/'));
    let mut packages: Vec<Package> = cargo::packages();
    packages.retain(|package| linked.contains(&format!("{} v{}", package.name, package.version)));
    packages.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    assert_eq!(packages.len(), linked.len());
    packages
}

/// The licences that apply: all of those joined by AND, one of those joined by OR.
fn chosen(expression: &str) -> Vec<String> {
    let expression = expression.replace('/', " OR ");
    if expression.contains(" AND ") {
        let parts = expression.split(" AND ");
        return parts
            .flat_map(|part| chosen(part.trim_matches(['(', ')'])))
            .collect();
    }
    let offered: Vec<&str> = expression.split(" OR ").collect();
    let preferred = PREFERRED.iter().find(|name| offered.contains(name));
    vec![(*preferred.unwrap_or(&offered[0])).to_owned()]
}

/// The files that state a licence: by its name, or where the package has only one licence, all there are.
fn texts(package: &Package, licence: &str) -> Vec<String> {
    let folder: &Path = package.manifest_path.parent().unwrap();
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().to_uppercase();
            name.starts_with("LICENSE") || name.starts_with("LICENCE")
        })
        .collect();
    files.sort();
    let named = |path: &&PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().to_uppercase();
        name.contains(&format!("-{}", licence.to_uppercase()))
    };
    let by_name: Vec<PathBuf> = files.iter().filter(named).cloned().collect();
    let files = if by_name.is_empty() { files } else { by_name };
    assert!(!files.is_empty(), "{} has no licence file", package.name);
    files.iter().map(|path| text(path)).collect()
}

fn text(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

pub fn markdown() -> String {
    let mut page = format!("{HEAD}\n| package | version | licence |\n|---|---|---|\n");
    let mut stated: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for package in packages() {
        let expression = package.license.clone().unwrap_or_default();
        let licences = chosen(&expression);
        page.push_str(&format!(
            "| {} | {} | {} |\n",
            package.name,
            package.version,
            licences.join(" AND ")
        ));
        if licences == ["Apache-2.0"] {
            continue;
        }
        let licence = licences.join(" AND ");
        for text in texts(&package, &licence) {
            let users = stated.entry((licence.clone(), text)).or_default();
            users.push(package.name.clone());
        }
    }
    for ((licence, text), users) in stated {
        page.push_str(&format!(
            "\n## {licence}: {}\n\n```text\n{text}\n```\n",
            users.join(", ")
        ));
    }
    page
}
