//! The background export with a spool: what was accepted survives the program.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/judge.rs"]
mod judge;
mod support;

use judge::Judge;
use mona::client::Client;
use mona::status::Status;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use support::*;
use tempfile::TempDir;

const CHILD: &str = "MONA_TEST_DURABLE_CHILD";

fn config(host: &str, folder: &TempDir, queue: Value) -> Value {
    let mut keys = json!({
        "spool_dir": folder.path().join("spool").to_str().unwrap(), "spool_keep_free_bytes": 0, "linger_ms": 0,
        "back_off_first_ms": 1, "back_off_longest_ms": 2, "free_timeout_ms": 0,
    });
    keys.as_object_mut()
        .unwrap()
        .extend(queue.as_object().unwrap().clone());
    json!({"auth_mode": "NO_AUTH", "user_id": "u", "should_use_ssl": false, "override_rest_api_host": host, "queue": keys})
}

fn enqueue(client: &Client, ids: impl IntoIterator<Item = String>) {
    for id in ids {
        let message = json!({"message": {"a": 1}, "contextClass": "C", "contextId": id});
        let answer = client.enqueue(&message.to_string(), None, true);
        assert_eq!(answer.status, Status::Ok, "{}", answer.document);
    }
}

fn ids(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("id-{n:05}"))
}

fn statistics(client: &Client) -> Value {
    let statistics = document(&client.statistics());
    let of = |name: &str| statistics[name].as_u64().unwrap();
    let dropped: u64 = statistics["dropped"]
        .as_object()
        .unwrap()
        .values()
        .map(|n| n.as_u64().unwrap())
        .sum();
    let sum = of("delivered")
        + of("rejected")
        + of("expired")
        + dropped
        + of("on_disk")
        + of("in_memory")
        + of("in_flight");
    assert_eq!(of("accepted"), sum, "{statistics}");
    statistics
}

fn flush(client: &Client) {
    let answer = client.flush(PATIENCE.as_millis() as i64);
    assert_eq!(
        answer.status,
        Status::Ok,
        "{}: {}",
        answer.document,
        statistics(client)
    );
}

/// A server that takes everything while it is up, and what it took.
fn service() -> (Judge, Arc<AtomicBool>, Arc<Mutex<Vec<String>>>) {
    let (up, taken) = (
        Arc::new(AtomicBool::new(true)),
        Arc::new(Mutex::new(Vec::new())),
    );
    let (switch, list) = (up.clone(), taken.clone());
    let judge = Judge::start(move |messages, _| {
        if !switch.load(Ordering::SeqCst) {
            return (503, String::new());
        }
        let id = |message: &Value| message["contextId"].as_str().unwrap().to_owned();
        list.lock().unwrap().extend(messages.iter().map(id));
        (200, "{}".into())
    });
    (judge, up, taken)
}

/// All files below a folder, with their contents.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut contents = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            contents.extend(files(&path));
        } else {
            contents.push(std::fs::read(path).unwrap());
        }
    }
    contents
}

#[test]
fn what_was_not_delivered_is_delivered_by_the_next_run() {
    for sync in ["os", "interval", "always"] {
        let folder = tempfile::tempdir().unwrap();
        let (judge, up, taken) = service();
        let config = config(judge.host(), &folder, json!({"spool_sync": sync}));
        up.store(false, Ordering::SeqCst);
        let first = client(&config);
        enqueue(&first, ids(300));
        let closed = document(&first.close(0));
        assert_eq!(
            (&closed["on_disk"], &closed["undelivered"]),
            (&json!(300), &json!(0)),
            "{sync}"
        );
        statistics(&first);
        drop(first);
        up.store(true, Ordering::SeqCst);
        let second = client(&config);
        let start = std::time::Instant::now();
        // The request that was under way when the first client was closed may still have been answered.
        while taken.lock().unwrap().len() < 300 {
            assert!(
                start.elapsed() < PATIENCE,
                "{sync}: {}",
                statistics(&second)
            );
            std::thread::yield_now();
        }
        enqueue(&second, ["new".to_owned()]);
        flush(&second);
        let expected: Vec<_> = ids(300).chain(["new".to_owned()]).collect();
        assert_eq!(*taken.lock().unwrap(), expected, "{sync}");
        second.close(-1);
        drop(second);
        let third = client(&config);
        enqueue(&third, ["last".to_owned()]);
        flush(&third);
        assert_eq!(
            statistics(&third)["recovered"],
            0,
            "{sync}: delivered messages must not come back"
        );
    }
}

#[test]
fn messages_reach_a_service_that_fails_all_the_time_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let list = taken.clone();
    let judge = Judge::start(move |messages, number| match number % 3 {
        0 => (0, String::new()),
        1 => (500, String::new()),
        _ => {
            list.lock().unwrap().extend(
                messages
                    .iter()
                    .map(|m| m["contextId"].as_str().unwrap().to_owned()),
            );
            (200, "{}".into())
        }
    });
    let client = client(&config(
        judge.host(),
        &folder,
        json!({"batch_messages": 100}),
    ));
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let client = &client;
            scope.spawn(move || enqueue(client, (0..500).map(|n| format!("{writer}-{n:04}"))));
        }
    });
    flush(&client);
    let taken = taken.lock().unwrap();
    assert_eq!(taken.len(), 2000);
    for writer in 0..4 {
        let own: Vec<_> = taken
            .iter()
            .filter(|id| id.starts_with(&format!("{writer}-")))
            .collect();
        assert!(own.len() == 500 && own.is_sorted(), "writer {writer}");
    }
    assert_eq!(statistics(&client)["on_disk"], 0);
}

#[test]
fn rejected_messages_do_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let judge = Judge::start(|_, _| (400, r#"{"failed":1,"failure_reasons":{"0":"no"}}"#.into()));
    let config = config(judge.host(), &folder, json!({"batch_messages": 1}));
    let first = client(&config);
    enqueue(&first, ids(3));
    flush(&first);
    assert_eq!(statistics(&first)["rejected"], 3);
    first.close(-1);
    drop(first);
    let second = client(&config);
    enqueue(&second, ids(1));
    flush(&second);
    assert_eq!(statistics(&second)["recovered"], 0);
}

#[test]
fn a_full_spool_refuses_calls_drains_and_takes_messages_again() {
    let folder = tempfile::tempdir().unwrap();
    let (judge, up, taken) = service();
    up.store(false, Ordering::SeqCst);
    let client = client(&config(
        judge.host(),
        &folder,
        json!({"spool_max_bytes": 300_000}),
    ));
    let large = json!({"message": {"a": "x".repeat(1000)}, "contextClass": "C", "contextId": "x"})
        .to_string();
    let mut accepted = 0;
    let answer = loop {
        let answer = client.enqueue(&large, None, true);
        if answer.status != Status::Ok {
            break answer;
        }
        accepted += 1;
    };
    assert_eq!(answer.status, Status::QueueFull, "{}", answer.document);
    assert!((50..300).contains(&accepted), "{accepted}");
    assert_eq!(statistics(&client)["accepted"], accepted);
    up.store(true, Ordering::SeqCst);
    flush(&client);
    assert_eq!(taken.lock().unwrap().len(), accepted);
    assert_eq!(client.enqueue(&large, None, true).status, Status::Ok);
    flush(&client);
}

#[test]
fn a_folder_that_others_can_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    std::fs::set_permissions(&spool, std::fs::Permissions::from_mode(0o777)).unwrap();
    let config = config("127.0.0.1:1", &folder, json!({}));
    let (client, answer) = Client::new(Some(&config.to_string()));
    assert!(client.is_none());
    assert_eq!(answer.status, Status::Initialization);
    let message = document(&answer)["error_message"].to_string();
    assert!(message.contains("queue.spool_dir"), "{message}");
}

#[test]
fn neither_secrets_nor_the_endpoint_are_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config("127.0.0.1:1", &folder, json!({}));
    config["auth_mode"] = json!("MONA");
    for key in ["api_key", "secret", "user_id"] {
        config[key] = json!(format!("CANARY-{key}"));
    }
    config["auth_api_token_url"] = json!("http://127.0.0.1:1/");
    config["num_of_retries_for_authentication"] = json!(0);
    let client = client(&config);
    enqueue(&client, ids(10));
    client.close(0);
    let contents = files(folder.path());
    let all: Vec<u8> = contents.concat();
    let has = |text: &[u8]| all.windows(text.len()).any(|window| window == text);
    assert!(has(b"id-00009"));
    for text in [&b"CANARY"[..], b"127.0.0.1", b"http"] {
        assert!(!has(text), "{}", String::from_utf8_lossy(text));
    }
}

/// Another process: enqueues for ever and says what was accepted, until it is killed.
#[test]
fn child_that_is_killed() {
    let Ok(config) = std::env::var(CHILD) else {
        return;
    };
    let (config, round): (Value, usize) = serde_json::from_str(&config).unwrap();
    let client = client(&config);
    for n in 0.. {
        enqueue(&client, [format!("{round}-{n}")]);
        println!("accepted {round}-{n}");
    }
}

#[test]
fn a_killed_program_loses_nothing_that_was_accepted() {
    let rounds: usize =
        std::env::var("MONA_TEST_KILL_ROUNDS").map_or(20, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (judge, up, taken) = service();
    let config = config(judge.host(), &folder, json!({"batch_messages": 50}));
    let mut accepted = BTreeSet::new();
    for round in 0..rounds {
        up.store(round % 2 == 0, Ordering::SeqCst);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_is_killed", "--nocapture"])
            .env(CHILD, json!([config, round]).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = |line: String| line.split_once("accepted ").map(|(_, id)| id.to_owned());
        // Killed after a number of messages that differs from round to round.
        let enough = 1 + round * 37 % 400;
        accepted.extend(
            lines
                .by_ref()
                .map_while(Result::ok)
                .filter_map(said)
                .take(enough),
        );
        child.kill().unwrap();
        accepted.extend(lines.map_while(Result::ok).filter_map(said));
        child.wait().unwrap();
    }
    up.store(true, Ordering::SeqCst);
    let last = client(&config);
    enqueue(&last, ["last".to_owned()]);
    let mut deliveries = BTreeMap::new();
    let start = std::time::Instant::now();
    loop {
        flush(&last);
        deliveries.clear();
        for id in taken.lock().unwrap().iter() {
            *deliveries.entry(id.clone()).or_insert(0) += 1;
        }
        let missing = accepted
            .iter()
            .filter(|id| !deliveries.contains_key(*id))
            .count();
        if missing == 0 {
            break;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "{missing} of {} are missing: {}",
            accepted.len(),
            statistics(&last)
        );
        std::thread::yield_now();
    }
    let repeated = deliveries.values().filter(|times| **times > 1).count();
    assert!(repeated <= 50 * rounds, "{repeated} came twice");
    println!(
        "{rounds} rounds, {} accepted, 0 lost, {repeated} repeated",
        accepted.len()
    );
}
