//! Real messages, enqueued at full speed at a server that goes down and up at random.

use crate::background::*;
use crate::support::*;
use flate2::read::GzDecoder;
use mona::client::Client;
use mona::status::Status;
use mona_sandbox::Sandbox;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

const BATCH: usize = 200;
const THREADS: usize = 4;

/// How often the server stops to listen for a while.
const OUTAGES: usize = 4;

/// The messages of a folder's files, in the files' order. Without a folder those of the examples, again and again with
/// other context ids, until there are enough.
fn messages() -> Vec<(String, String)> {
    if let Some(folder) = std::env::var_os("MONA_TEST_LOANS") {
        return lines(Path::new(&folder))
            .into_iter()
            .map(|line| (id(&line), line))
            .collect();
    }
    let examples = lines(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples-c/data"));
    let enough = count_of("MONA_TEST_LOAN_COUNT", 6000);
    let again = (0..).flat_map(|round| examples.iter().map(move |line| (round, line)));
    let renamed = again.map(|(round, line)| {
        let (old, new) = (id(line), format!("{}-{round}", id(line)));
        (new.clone(), line.replacen(&old, &new, 1))
    });
    renamed.take(enough).collect()
}

fn lines(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut lines = Vec::new();
    for path in paths {
        let file = File::open(&path).unwrap();
        let reader: Box<dyn Read> = match path.to_str().unwrap() {
            name if name.ends_with(".jsonl.gz") => Box::new(GzDecoder::new(file)),
            name if name.ends_with(".jsonl") => Box::new(file),
            _ => continue,
        };
        lines.extend(BufReader::new(reader).lines().map(Result::unwrap));
    }
    lines
}

fn id(line: &str) -> String {
    let message: Value = serde_json::from_str(line).unwrap();
    id_of(&message)
}

/// Chance that is the same in each run with the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What becomes of so many requests: each is taken in and answered, or not taken in at all.
fn weather(chance: &mut Chance, requests: usize) -> Value {
    let kinds = [
        json!({"handle": true}),
        json!({"handle": true, "close": true}),
        json!({"handle": true, "delay_ms": 5}),
        json!({"status": 503}),
        json!({"status": 500}),
        json!({"status": 429, "headers": {"Retry-After": "0"}}),
        json!({"drop": "before_response"}),
        json!({"drop": "mid_request"}),
        json!({"drop": "reset"}),
        json!({"status": 502, "body": "<html>", "slow_ms_per_byte": 1}),
    ];
    let rule = |_| {
        let kind = kinds[chance.below(kinds.len() as u64) as usize].clone();
        merged(
            json!({"path": "/monaExport", "times": 1 + chance.below(3)}),
            kind,
        )
    };
    (0..requests).map(rule).collect()
}

/// Enqueues messages from several threads, those of one context from one thread.
fn enqueue_all(client: &Client, messages: &[(String, String)]) {
    let thread_of = |id: &str| id.bytes().map(usize::from).sum::<usize>() % THREADS;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for (_, line) in messages.iter().filter(|(id, _)| thread_of(id) == thread) {
                    let answer = client.enqueue(line, None, true);
                    assert_eq!(answer.status, Status::Ok, "{}", answer.document);
                }
            });
        }
    });
}

/// For each context what was said of it, in order.
fn told<'m>(messages: impl Iterator<Item = (String, &'m str)>) -> HashMap<String, Vec<Value>> {
    let mut told: HashMap<String, Vec<Value>> = HashMap::new();
    for (id, message) in messages {
        let message: Value = serde_json::from_str(message).unwrap();
        told.entry(id).or_default().push(message["message"].clone());
    }
    told
}

fn arrive(config: impl Fn(&Sandbox) -> Value) {
    let messages = messages();
    let mut chance = Chance(count_of("MONA_TEST_SEED", 1) as u64);
    let sandbox = sandbox();
    sandbox
        .add_rules(&weather(&mut chance, 2 * messages.len() / BATCH).to_string())
        .unwrap();
    let client = client(&config(&sandbox));
    let start = Instant::now();
    for part in messages.chunks(messages.len().div_ceil(OUTAGES)) {
        // Whoever is answered now is answered before the server goes.
        flush(&client);
        sandbox.set_up(false);
        let retries = statistics(&client)["retries"].as_u64();
        enqueue_all(&client, part);
        wait_until(&client, |now| {
            now["retries"].as_u64() > retries.map(|n| n + 3)
        });
        sandbox.set_up(true);
    }
    flush(&client);
    let counted = statistics(&client);
    assert_eq!(counted["delivered"], messages.len(), "{counted}");
    let sent = told(
        messages
            .iter()
            .map(|(id, line)| (id.clone(), line.as_str())),
    );
    let stored = sandbox.messages();
    let texts: Vec<_> = stored
        .iter()
        .map(|stored| (stored.context_id.clone(), stored.raw.as_str()))
        .collect();
    let arrived = told(texts.into_iter());
    let wrong: BTreeMap<_, _> = sent
        .iter()
        .filter(|(id, told)| arrived.get(*id) != Some(told))
        .map(|(id, told)| (id, (told.len(), arrived.get(id).map(Vec::len))))
        .collect();
    assert!(wrong.is_empty() && arrived.len() == sent.len(), "{wrong:?}");
    println!(
        "{} messages of {} contexts in {:?}, each once and in order; {} requests, {} of them in vain",
        messages.len(),
        sent.len(),
        start.elapsed(),
        counted["requests"],
        counted["retries"]
    );
}

#[test]
fn loan_applications_arrive_complete_in_order_and_once() {
    arrive(|sandbox| config_for(&sandbox.host(), json!({"batch_messages": BATCH})));
}

#[test]
fn loan_applications_arrive_complete_in_order_and_once_by_way_of_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    arrive(|sandbox| {
        durable_config_for(
            &sandbox.host(),
            folder.path(),
            json!({"batch_messages": BATCH}),
        )
    });
}
