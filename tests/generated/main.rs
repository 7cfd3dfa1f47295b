//! Generated files in the tree equal what the sources say. `scripts/generate` mends what this finds.
//! Release builds hold no texts to generate them from.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../support/cargo.rs"]
mod cargo;
mod licences;

use mona::services::{self, SERVICES};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Compares a committed file with what it should be, or writes it when `MONA_GENERATE` is set.
fn check(path: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("MONA_GENERATE").is_some() {
        fs::write(&path, wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{} is out of date: run scripts/generate",
        path.display()
    );
}

#[test]
fn the_header_is_what_the_sources_say() {
    check(
        "include/mona.h",
        &fs::read_to_string(concat!(env!("OUT_DIR"), "/mona.h")).unwrap(),
    );
}

#[test]
fn the_page_of_configuration_keys_is_what_their_table_says() {
    check("docs/configuration.md", &mona::config::markdown());
}

#[test]
fn the_page_of_statistics_is_what_their_table_says() {
    check("docs/statistics.md", &mona::queue::markdown());
}

#[test]
fn the_pages_of_services_are_what_their_table_says() {
    check("docs/services.md", &services::index());
    let pages = SERVICES.iter().map(|service| {
        let file = format!("{}.md", service.name);
        check(&format!("docs/services/{file}"), &services::page(service));
        file
    });
    let pages: BTreeSet<String> = pages.collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/services");
    let files = fs::read_dir(folder).unwrap();
    let found: BTreeSet<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, pages);
}

#[test]
fn the_page_of_licences_is_what_the_dependencies_say() {
    check("THIRD-PARTY-LICENSES.md", &licences::markdown());
}

/// Each text between two of these marks.
fn between(text: &str, mark: char) -> BTreeSet<&str> {
    text.split(mark).skip(1).step_by(2).collect()
}

#[test]
fn the_page_of_errors_has_each_kind_and_no_other() {
    let page = include_str!("../../docs/errors.md");
    let source = include_str!("../../src/error.rs");
    let (_, kinds) = source.split_once("pub fn kind(&self)").unwrap();
    let (kinds, _) = kinds.split_once("\n    }\n").unwrap();
    let (_, table) = page.split_once("| `error_kind` | |\n|---|---|\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let words = table.lines().map(|row| row.split('|').nth(1).unwrap());
    let documented: BTreeSet<&str> = words.flat_map(|words| between(words, '`')).collect();
    assert!(documented.contains("internal"), "{documented:?}");
    assert_eq!(documented, between(kinds, '"'));
}
