//! What is left in a process's memory of secrets that it needs no more: what a core dump would show.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use mona::client::Client;
use serde_json::json;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;
use support::*;

const CHILD: &str = "MONA_TEST_MEMORY_CHILD";

/// Bytes looked at together.
const PART: usize = 64 * 1024;

/// A secret as it must not be found. It comes into being at run time, each byte one too high until then.
fn secret() -> Vec<u8> {
    b"TFDSFU.pg.uif.nfnpsz.uftu!"
        .iter()
        .map(|byte| byte - 1)
        .collect()
}

/// A configuration with the secret in it, in memory that the test clears itself.
fn with_secret(before: &str, after: &str) -> zeroize::Zeroizing<String> {
    let mut text = zeroize::Zeroizing::new(String::with_capacity(4096));
    let secret = zeroize::Zeroizing::new(secret());
    text.push_str(before);
    // An allocator writes into what it gets back, at both ends.
    text.push_str(&"(".repeat(100));
    text.push_str(std::str::from_utf8(&secret).unwrap());
    text.push_str(&")".repeat(100));
    text.push_str(after);
    text
}

/// How often the secret stands in memory that this process can write. What the search itself holds is left out.
fn found() -> usize {
    let memory = File::open("/proc/self/mem").unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let wanted = zeroize::Zeroizing::new(secret());
    let mut part = vec![0; PART + wanted.len()];
    let range = |held: &[u8]| held.as_ptr() as u64..held.as_ptr() as u64 + held.len() as u64;
    let own = [range(&wanted), range(&part)];
    let mut count = 0;
    for line in maps.lines().filter(|line| line.contains(" rw-p ")) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|number| u64::from_str_radix(number, 16).unwrap());
        for at in (start..end).step_by(PART) {
            let read = memory.read_at(&mut part, at).unwrap_or(0);
            let matches = part[..read].windows(wanted.len()).take(PART).enumerate();
            count += matches
                .filter(|(_, window)| *window == wanted.as_slice())
                .filter(|(offset, _)| !own.iter().any(|own| own.contains(&(at + *offset as u64))))
                .count();
        }
    }
    count
}

/// Runs in a process of its own: alone in its memory.
#[test]
fn child_that_looks_into_its_memory() {
    let Ok(url) = std::env::var(CHILD) else {
        return;
    };
    let probe = with_secret("", "");
    assert!(found() > 0, "the search finds nothing");
    drop(probe);
    assert_eq!(found(), 0, "the test itself leaves something");

    let wrong = with_secret(r#"{"unknown":1,"secret":""#, "\"}");
    assert!(Client::new(Some(&wrong)).0.is_none());
    drop(wrong);
    assert_eq!(found(), 0, "a configuration that was refused");

    let given = with_secret(r#"{"user_id":"u","access_token":""#, "\"}");
    let (client, _) = Client::new(Some(&given));
    drop(given);
    let client = client.unwrap();
    assert!(client.is_active() && found() > 0);
    drop(client);
    assert_eq!(found(), 0, "a client with a token");

    let login = with_secret(
        r#"{"api_key":"k","num_of_retries_for_authentication":0,"secret":""#,
        &format!(r#"","auth_api_token_url":"{url}"}}"#),
    );
    let (client, answer) = Client::new(Some(&login));
    drop(login);
    assert_eq!(document(&answer)["success"], false);
    drop(client);
    assert_eq!(found(), 0, "a login that failed");
}

#[test]
fn secrets_are_cleared_when_they_are_needed_no_more() {
    let sandbox = canned(json!([{"path": LOGIN, "status": 401, "json": {"errors": ["no"]}}]));
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_looks_into_its_memory"])
        .env(CHILD, format!("{}{LOGIN}", sandbox.url()))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{printed}");
}
