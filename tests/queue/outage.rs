//! A long outage under load, and the recovery. At full scale, ten minutes at 5,000 messages a second with the default bounds and
//! waits: `MONA_TEST_OUTAGE_MESSAGES=3000000 MONA_TEST_OUTAGE_RATE=5000 cargo test --release --test queue -- outage --nocapture`.
#![cfg(target_os = "linux")]

use crate::background::*;
use crate::judge::Judge;
use crate::support::*;
use mona::status::Status;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const CHILD: &str = "MONA_TEST_OUTAGE_CHILD";

/// What memory may grow by beyond what the configuration allows.
const SPARE: u64 = 4 << 20;

/// Messages a second that a full-scale recovery must reach.
const LEAST_DRAINED: f64 = 20_000.0;

/// How much and for how long, and the limits meanwhile.
struct Scale {
    messages: usize,
    /// Messages a second; 0: as many as can be.
    rate: usize,
    memory: u64,
    disk: u64,
    first_wait_ms: u64,
    longest_wait_ms: u64,
}

impl Scale {
    fn new() -> Scale {
        let messages = count_of("MONA_TEST_OUTAGE_MESSAGES", 20_000);
        let rate = count_of("MONA_TEST_OUTAGE_RATE", 0);
        let [memory, disk, first_wait_ms, longest_wait_ms] = match rate {
            0 => [4 << 20, 4 << 20, 20, 100],
            _ => [32 << 20, 256 << 20, 500, 60_000],
        };
        Scale {
            messages,
            rate,
            memory,
            disk,
            first_wait_ms,
            longest_wait_ms,
        }
    }
}

/// Memory that is resident, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
    kibibytes.parse::<u64>().unwrap() * 1024
}

/// Bytes of the files below a folder.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map_while(Result::ok).map(|entry| entry.path());
    paths
        .map(|path| match path.is_dir() {
            true => size(&path),
            false => path.metadata().map_or(0, |metadata| metadata.len()),
        })
        .sum()
}

/// Another process: enqueues for as long as the server is down, and says what it cost.
#[test]
fn child_during_an_outage() {
    let Ok(task) = std::env::var(CHILD) else {
        return;
    };
    let (config, folder, messages, rate): (Value, PathBuf, usize, usize) =
        serde_json::from_str(&task).unwrap();
    let client = client(&config);
    enqueue(&client, ["warm".to_owned()]);
    wait_until(&client, |now| now["state"] == "backing_off");
    let (before, mut grown, mut disk, mut accepted) = (resident(), 0, 0, 1);
    let start = Instant::now();
    for n in 0..messages {
        let text = message(&format!("{n:0400}")).to_string();
        accepted += usize::from(client.enqueue(&text, None, true).status == Status::Ok);
        if n % 1000 == 0 {
            statistics(&client);
            grown = resident().saturating_sub(before).max(grown);
            disk = size(&folder).max(disk);
            if let Some(due) = (n as u64 * 1000).checked_div(rate as u64) {
                std::thread::sleep(Duration::from_millis(due).saturating_sub(start.elapsed()));
            }
        }
    }
    let outage_seconds = start.elapsed().as_secs_f64();
    println!("outage over");
    // The wait that is on may be the longest there is.
    let start = Instant::now();
    while client.flush(100).status != Status::Ok {
        grown = resident().saturating_sub(before).max(grown);
        statistics(&client);
        assert!(start.elapsed() < 10 * PATIENCE);
    }
    let counted = statistics(&client);
    assert_eq!(counted["delivered"], accepted);
    println!(
        "result {}",
        json!({"accepted": accepted, "grown": grown,
            "disk": disk, "requests": counted["requests"], "outage_seconds": outage_seconds})
    );
}

/// When requests arrived during the outage, and when and with how many messages after it.
#[derive(Default)]
struct Arrivals {
    down: Vec<Instant>,
    up: Vec<(Instant, usize)>,
}

fn outage(durable: bool) {
    let scale = Scale::new();
    let down = Arc::new(AtomicBool::new(true));
    let arrivals = Arc::<Mutex<Arrivals>>::default();
    let (is_down, list) = (down.clone(), arrivals.clone());
    let judge = Judge::start(move |messages, _| {
        let mut list = list.lock().unwrap();
        if is_down.load(Ordering::SeqCst) {
            list.down.push(Instant::now());
            return (503, "{}".into());
        }
        list.up.push((Instant::now(), messages.len()));
        (200, "{}".into())
    });
    let folder = tempfile::tempdir().unwrap();
    let keys = json!({"back_off_first_ms": scale.first_wait_ms, "back_off_longest_ms": scale.longest_wait_ms,
        "max_bytes": scale.memory, "spool_max_bytes": scale.disk, "time_to_live_ms": 3_600_000});
    let config = match durable {
        true => durable_config_for(judge.host(), folder.path(), keys),
        false => config_for(judge.host(), keys),
    };
    let task = json!([config, folder.path(), scale.messages, scale.rate]);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "outage::child_during_an_outage", "--nocapture"])
        .env(CHILD, task.to_string())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut result = Value::Null;
    for line in lines.map_while(Result::ok) {
        if line.ends_with("outage over") {
            down.store(false, Ordering::SeqCst);
        } else if let Some((_, document)) = line.split_once("result ") {
            result = serde_json::from_str(document).unwrap();
        }
    }
    assert!(child.wait().unwrap().success());
    check(durable, &scale, &result, &arrivals.lock().unwrap());
}

fn check(durable: bool, scale: &Scale, result: &Value, arrivals: &Arrivals) {
    let number = |name: &str| result[name].as_u64().unwrap();
    assert!(
        number("accepted") < scale.messages as u64,
        "the bound was never met: {result}"
    );
    let bound = if durable { 0 } else { scale.memory };
    assert!(number("grown") <= bound + SPARE, "{result}");
    assert!(number("disk") <= scale.disk, "{result}");
    // No request but one probe after each wait, the last of which finds the server up.
    let probes = arrivals
        .down
        .iter()
        .chain(arrivals.up.first().map(|(at, _)| at));
    let probes: Vec<_> = probes.collect();
    for pair in probes.windows(2) {
        let gap = *pair[1] - *pair[0];
        assert!(
            gap >= Duration::from_millis(scale.first_wait_ms),
            "two requests within {gap:?}"
        );
    }
    let (first, last) = (arrivals.up[0].0, arrivals.up[arrivals.up.len() - 1].0);
    let drained: usize = arrivals.up[1..].iter().map(|(_, messages)| messages).sum();
    let rate = drained as f64 / (last - first).as_secs_f64();
    println!(
        "{result}, {} requests during the outage, drained at {rate:.0} messages a second",
        arrivals.down.len()
    );
    assert!(scale.rate == 0 || rate >= LEAST_DRAINED, "{rate}");
}

#[test]
fn an_outage_costs_no_more_memory_than_the_bound_and_no_burst_of_requests() {
    outage(false);
}

#[test]
fn an_outage_with_a_spool_costs_hardly_any_memory_and_no_more_disk_than_the_cap() {
    outage(true);
}
