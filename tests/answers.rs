//! Answers that would fill the memory: delivery never holds more than 2 MiB of one, whatever the server does.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/background.rs"]
mod background;
#[path = "support/judge.rs"]
mod judge;
mod support;

use background::*;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use support::*;

const CHILD: &str = "MONA_TEST_ANSWERS_CHILD";

/// As many as share a request.
const MESSAGES: usize = 1000;

/// What an answer may cost, in KiB.
const MOST: u64 = 2 << 10;

/// An answer: a head, and something that follows it so many times.
struct Flood {
    name: &'static str,
    head: String,
    part: Vec<u8>,
    times: usize,
}

fn floods() -> Vec<Flood> {
    let zeros = vec![b'0'; 1 << 20];
    let flood = |name, head: &str, part: &[u8], times| Flood {
        name,
        head: format!("HTTP/1.1 {head}\r\n"),
        part: part.to_vec(),
        times,
    };
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    (0..64).for_each(|_| bomb.write_all(&zeros).unwrap());
    let bomb = bomb.finish().unwrap();
    let inflating = format!(
        "200 OK\r\nContent-Encoding: gzip\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        bomb.len()
    );
    let chunk = [b"100000\r\n", zeros.as_slice(), b"\r\n"].concat();
    vec![
        flood("endless", "200 OK\r\n", &zeros, 64),
        flood(
            "of a length that no memory has",
            "200 OK\r\nContent-Length: 9223372036854775807\r\n",
            &zeros,
            64,
        ),
        flood(
            "of endless chunks",
            "200 OK\r\nTransfer-Encoding: chunked\r\n",
            &chunk,
            64,
        ),
        flood("an endless refusal", "400 No\r\n", &zeros, 64),
        flood("an endless failure", "503 No\r\n", &zeros, 64),
        flood(
            "a long promise that is broken",
            "200 OK\r\nContent-Length: 9223372036854775807\r\n",
            &zeros,
            1,
        ),
        flood("that inflates", &inflating, &bomb, 1),
        flood("an endless head", "200 OK\r\nX-Endless: ", &zeros, 64),
        flood("endless headers", "200 OK", b"X-Header: value\r\n", 1 << 20),
        flood(
            "of interim answers only",
            "100 Continue\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            1 << 20,
        ),
    ]
}

/// Floods the second request of each server, and answers all others.
fn serve(flood: Flood) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut number = 0;
        for stream in listener.incoming() {
            answer(stream.unwrap(), &flood, &mut number);
        }
    });
    host
}

fn answer(stream: TcpStream, flood: &Flood, number: &mut usize) {
    let mut reader = BufReader::new(stream);
    while judge::request(&mut reader).is_some() {
        let stream = reader.get_mut();
        *number += 1;
        if *number != 2 {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
            continue;
        }
        let mut sent = stream.write_all(flood.head.as_bytes());
        for _ in 0..flood.times {
            sent = sent.and_then(|()| stream.write_all(&flood.part));
        }
        return;
    }
}

/// A line of what the system says of this process, in KiB.
fn kibibytes(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    found
        .unwrap()
        .trim_matches([':', '\t', ' ', 'k', 'B'])
        .parse()
        .unwrap()
}

/// Another process: how much more memory it has at most while the flood comes.
#[test]
fn child_that_is_flooded() {
    let Ok(host) = std::env::var(CHILD) else {
        return;
    };
    let keys =
        json!({"linger_ms": 60_000, "batch_messages": 2 * MESSAGES, "batch_bytes": 100_000_000});
    let client = client(&config_for(&host, keys));
    let batch: Vec<Value> = ids(MESSAGES).map(|id| message(&id)).collect();
    enqueue_together(&client, &batch);
    flush(&client);
    // The highest so far is forgotten.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = kibibytes("VmRSS");
    enqueue_together(&client, &batch);
    flush(&client);
    let grown = kibibytes("VmHWM").saturating_sub(before);
    println!("grown {grown} {}", statistics(&client));
}

#[test]
fn no_answer_costs_more_than_two_mebibytes() {
    for flood in floods() {
        let name = flood.name;
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_is_flooded", "--nocapture"])
            .env(CHILD, serve(flood))
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success(), "{name}: {printed}");
        let (_, result) = printed.split_once("grown ").unwrap();
        let (grown, statistics) = result.split_once(' ').unwrap();
        println!("{name}: {grown} KiB");
        assert!(grown.parse::<u64>().unwrap() <= MOST, "{name}: {result}");
        assert!(statistics.contains("\"in_memory\":0"), "{statistics}");
    }
}
