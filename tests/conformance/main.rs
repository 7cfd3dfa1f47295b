//! What the Python package `mona_sdk` does, scenario by scenario, and whether libmona does the same.
//!
//! `scenarios.jsonl` has one scenario a line: environment, configuration, the server's script, calls, and what
//! the package returned, raised and sent (`golden`, by version). `README.md` describes the form. Each scenario
//! runs in a process of its own, since the environment is read when a client is made, against a sandbox of its
//! own. `differences.rs` lists what differs on purpose: a scenario fails that differs elsewhere, or no longer
//! differs where it is listed.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod child;
#[path = "../support/closed_port.rs"]
mod closed_port;
mod compare;
mod differences;
mod expand;
mod json;
mod process;
mod run;
mod scenario;
mod wire;

use differences::Listed;
use run::Ran;
use scenario::Scenario;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Scenarios that both versions know; one run of them serves both tests.
static COMMON: LazyLock<Vec<Ran>> = LazyLock::new(|| {
    let lines = scenario::lines();
    run::all(lines.iter().filter(|line| line.knows(OLD)))
});

const OLD: &str = "0.0.51";
const NEW: &str = "0.0.58";

#[test]
fn scenarios_end_as_with_mona_sdk_0_0_51() {
    judge(OLD, COMMON.iter());
}

#[test]
fn scenarios_end_as_with_mona_sdk_0_0_58() {
    let lines = scenario::lines();
    let new = run::all(lines.iter().filter(|line| !line.knows(OLD)));
    judge(NEW, COMMON.iter().chain(&new));
}

#[test]
#[ignore = "started by the other tests in a process of its own; does nothing by itself"]
fn child_entry() {
    child::run();
}

/// Holds outcomes against what a version of the package did, and against the list of differences.
fn judge<'a>(version: &str, outcomes: impl Iterator<Item = &'a Ran>) {
    let mut failures = Vec::new();
    let mut listed = differences::of(version);
    let (mut same, mut on_purpose, mut unjudged) = (0, 0, 0);
    for ran in outcomes {
        let Some(golden) = ran.scenario.golden(version) else {
            continue;
        };
        let found = compare::compare(&ran.scenario, golden, &ran.outcome);
        let places: BTreeSet<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        let name = ran.scenario.name.as_str();
        let expected = listed.remove(name).unwrap_or_default();
        if places != expected.places {
            failures.push(report(&ran.scenario, &found, &expected));
        } else if !places.is_empty() {
            on_purpose += 1;
        } else if golden.crashed() {
            unjudged += 1;
        } else {
            same += 1;
        }
    }
    failures.extend(
        listed
            .keys()
            .map(|name| format!("{name}: listed, but there is no such scenario")),
    );
    println!(
        "{version}: {same} same, {on_purpose} differ on purpose, {unjudged} unjudged, {} fail",
        failures.len()
    );
    assert!(
        failures.is_empty(),
        "{} scenarios are not as mona_sdk {version} and differences.rs say:\n\n{}\n",
        failures.len(),
        failures.join("\n")
    );
}

/// One failing scenario: its entry as it would be now, and what differs.
fn report(scenario: &Scenario, found: &[(String, String)], expected: &Listed) -> String {
    let places: BTreeSet<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
    let mut lines = vec![scenario.name.clone()];
    for place in &places {
        lines[0] = format!("{} {place}", lines[0]);
    }
    lines.extend(
        scenario
            .quirk
            .iter()
            .map(|quirk| format!("(package: {quirk})")),
    );
    lines.extend(
        expected
            .reasons
            .iter()
            .map(|why| format!("(listed for {why})")),
    );
    for (place, said) in found {
        let known = expected.places.contains(place.as_str());
        let known = if known { " (listed)" } else { "" };
        lines.push(format!("{place}{known}: {said}"));
    }
    let mended = expected.places.difference(&places);
    lines.extend(mended.map(|place| format!("{place}: listed, but does not differ")));
    lines.join("\n    ")
}
