//! A long outage under load, and the recovery.
#![cfg(target_os = "linux")]

use crate::background::*;
use crate::judge::Judge;
use crate::support::*;
use mona::status::Status;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const CHILD: &str = "MONA_TEST_OUTAGE_CHILD";
const CAP: u64 = 4 << 20;
const WAIT: u64 = 20;

/// Memory that is resident, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Another process: enqueues for as long as the server is down and longer, and says what it cost.
#[test]
fn child_during_an_outage() {
    let Ok(task) = std::env::var(CHILD) else {
        return;
    };
    let (config, count): (Value, usize) = serde_json::from_str(&task).unwrap();
    let client = client(&config);
    enqueue(&client, ["warm".to_owned()]);
    wait_until(&client, |now| now["state"] == "backing_off");
    let (before, mut most, mut accepted) = (resident(), 0, 1);
    for n in 0..count {
        let text = message(&format!("{n:0400}")).to_string();
        accepted += usize::from(client.enqueue(&text, None, true).status == Status::Ok);
        if n % 1000 == 0 {
            statistics(&client);
            most = most.max(resident());
        }
    }
    println!("outage over");
    flush(&client);
    let counted = statistics(&client);
    assert_eq!(counted["delivered"], accepted);
    let grown = most.saturating_sub(before);
    println!(
        "result {}",
        json!({"accepted": accepted, "grown": grown, "requests": counted["requests"]})
    );
}

fn outage(durable: bool, most: u64) {
    let (down, arrivals) = (
        Arc::new(AtomicBool::new(true)),
        Arc::<Mutex<Vec<Instant>>>::default(),
    );
    let (is_down, list) = (down.clone(), arrivals.clone());
    let judge = Judge::start(move |_, _| {
        let down = is_down.load(Ordering::SeqCst);
        if down {
            list.lock().unwrap().push(Instant::now());
        }
        (if down { 503 } else { 200 }, "{}".into())
    });
    let folder = tempfile::tempdir().unwrap();
    let keys = json!({"back_off_first_ms": WAIT, "back_off_longest_ms": 5 * WAIT, "max_bytes": CAP, "spool_max_bytes": CAP});
    let config = match durable {
        true => durable_config_for(judge.host(), folder.path(), keys),
        false => config_for(judge.host(), keys),
    };
    let count = count_of("MONA_TEST_OUTAGE_MESSAGES", 20_000);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "outage::child_during_an_outage", "--nocapture"])
        .env(CHILD, json!([config, count]).to_string())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut result = Value::Null;
    for line in lines.map_while(Result::ok) {
        if line.ends_with("outage over") {
            assert!(size(folder.path()) <= CAP);
            down.store(false, Ordering::SeqCst);
        } else if let Some((_, document)) = line.split_once("result ") {
            result = serde_json::from_str(document).unwrap();
        }
    }
    assert!(child.wait().unwrap().success());
    let arrivals = arrivals.lock().unwrap();
    for pair in arrivals.windows(2) {
        let gap = pair[1] - pair[0];
        assert!(
            gap >= Duration::from_millis(WAIT),
            "two requests within {gap:?}"
        );
    }
    let accepted = result["accepted"].as_u64().unwrap() as usize;
    assert!(accepted < count, "the bound was never met: {result}");
    assert!(result["grown"].as_u64() <= Some(most), "{result}");
    println!("{result}, {} requests during the outage", arrivals.len());
}

/// Bytes of the files below a folder.
fn size(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map_while(Result::ok);
    entries
        .map(|entry| match entry.path() {
            path if path.is_dir() => size(&path),
            path => path.metadata().map_or(0, |metadata| metadata.len()),
        })
        .sum()
}

#[test]
fn an_outage_costs_no_more_memory_than_the_bound_and_no_burst_of_requests() {
    outage(false, CAP + (4 << 20));
}

#[test]
fn an_outage_with_a_spool_costs_hardly_any_memory_and_no_more_disk_than_the_cap() {
    outage(true, 4 << 20);
}
