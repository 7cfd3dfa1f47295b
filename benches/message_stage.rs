//! The message stage over a real day of loan messages, beside serde_json on the same bytes: skipping them
//! (`IgnoredAny`, the least that any reader of JSON can do) and building them (`Value`) and writing them back.
//!
//! Prints one line of JSON: nanoseconds of CPU time for a message, the least of many rounds in turns.
#![allow(clippy::unwrap_used)]

use mona::message::{Envelope, Sampling, Stage};
use nix::time::{ClockId, clock_gettime};
use serde::de::IgnoredAny;
use std::hint::black_box;
use std::time::Duration;

const DATA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/examples-c/data/inference.jsonl"
);
const ROUNDS: usize = 100;
const IN_A_ROW: usize = 3;

fn stage(text: &str, filter_none_fields: bool) {
    let sampling = Sampling::default();
    let stage = Stage {
        filter_none_fields,
        sampling: &sampling,
        now_ms: 1_700_000_000_000,
        complete: None,
        send_timestamp: false,
        room: Vec::with_capacity,
    };
    let envelope = Envelope {
        user_id: "tenant",
        ..Envelope::default()
    };
    black_box(stage.run(text).unwrap().request_body(&envelope));
}

fn skip(text: &str) {
    serde_json::from_slice::<IgnoredAny>(text.as_bytes()).unwrap();
}

fn build_and_write(text: &str) {
    let value: serde_json::Value = serde_json::from_slice(text.as_bytes()).unwrap();
    black_box(serde_json::to_vec(&value).unwrap());
}

fn main() {
    let path = std::env::var("MONA_BENCH_DATA").unwrap_or_else(|_| DATA.to_owned());
    let lines = std::fs::read_to_string(path).unwrap();
    let text = format!("[{}]", lines.lines().collect::<Vec<_>>().join(","));
    // As Python's json.dumps writes it: a space after each comma and colon.
    let spaced = text.replace("\":", "\": ").replace(",\"", ", \"");
    let contenders: [(&str, &dyn Fn()); 6] = [
        ("message_stage", &|| stage(&text, false)),
        ("message_stage_filtering", &|| stage(&text, true)),
        ("ignored_any", &|| skip(&text)),
        ("value_and_back", &|| build_and_write(&text)),
        ("message_stage_spaced", &|| stage(&spaced, false)),
        ("ignored_any_spaced", &|| skip(&spaced)),
    ];
    let mut least = [Duration::MAX; 6];
    for _ in 0..ROUNDS {
        for ((_, run), least) in contenders.iter().zip(&mut least) {
            // The first has to get memory back from the system that the one before it gave away.
            for _ in 0..IN_A_ROW {
                let before = cpu_time();
                run();
                *least = (cpu_time() - before).min(*least);
            }
        }
    }
    let messages = lines.lines().count() as f64;
    let results: serde_json::Map<_, _> = contenders
        .iter()
        .zip(least)
        .map(|((name, _), least)| {
            let nanoseconds = least.as_nanos() as f64 / messages;
            (format!("{name}_ns"), nanoseconds.into())
        })
        .collect();
    println!("{}", serde_json::Value::from(results));
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}
