//! The message stage over a real day of loan messages, beside serde_json on the same bytes: skipping them
//! (`IgnoredAny`, the least that any reader of JSON can do) and building them (`Value`) and writing them back.
#![allow(clippy::unwrap_used)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mona::message::{Envelope, Sampling, Stage};
use serde::de::IgnoredAny;
use std::hint::black_box;

const DATA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/examples-c/data/inference.jsonl"
);

fn array_of_messages() -> String {
    let path = std::env::var("MONA_BENCH_DATA").unwrap_or_else(|_| DATA.to_owned());
    let lines = std::fs::read_to_string(path).unwrap();
    format!("[{}]", lines.lines().collect::<Vec<_>>().join(","))
}

fn message_stage(criterion: &mut Criterion) {
    let text = array_of_messages();
    let sampling = Sampling::default();
    let stage = Stage {
        filter_none_fields: false,
        sampling: &sampling,
        now_ms: 1_700_000_000_000,
        complete: None,
        send_timestamp: false,
    };
    let filtering = Stage {
        filter_none_fields: true,
        ..stage
    };
    let envelope = Envelope {
        user_id: "tenant",
        ..Envelope::default()
    };
    for (name, throughput) in [
        ("bytes", Throughput::Bytes(text.len() as u64)),
        (
            "messages",
            Throughput::Elements(stage.run(&text).unwrap().indices.len() as u64),
        ),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(throughput);
        group.bench_function("message_stage", |b| {
            b.iter(|| stage.run(black_box(&text)).unwrap().request_body(&envelope))
        });
        group.bench_function("message_stage, nulls filtered", |b| {
            b.iter(|| {
                filtering
                    .run(black_box(&text))
                    .unwrap()
                    .request_body(&envelope)
            })
        });
        group.bench_function("serde_json IgnoredAny", |b| {
            b.iter(|| serde_json::from_slice::<IgnoredAny>(black_box(text.as_bytes())).unwrap())
        });
        group.bench_function("serde_json Value and back", |b| {
            b.iter_batched(
                || (),
                |()| {
                    let value: serde_json::Value = serde_json::from_slice(text.as_bytes()).unwrap();
                    serde_json::to_vec(&value).unwrap()
                },
                BatchSize::LargeInput,
            )
        });
        group.finish();
    }
}

criterion_group!(benches, message_stage);
criterion_main!(benches);
