//! What the spool promises.
#![forbid(unsafe_code)]

mod access;
mod adoption;
mod damage;
pub mod effort;
pub mod faults;
mod files;
mod flushing;
mod kill;
mod limits;
mod mixture;
mod order;
mod speed;

use super::*;
use crate::sync::lock;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use tempfile::TempDir;

const FINGERPRINT: &str = "000102030405060708090a0b0c0d0e0f";

fn options(root: &Path) -> Options {
    Options {
        root: root.to_owned(),
        fingerprint: FINGERPRINT.into(),
        max_bytes: 64 << 20,
        keep_free_bytes: 0,
        segment_bytes: 4 << 20,
        sync: Sync::Os,
        retention: Duration::MAX,
        read_again: Duration::ZERO,
    }
}

/// Segments that take three messages of [`text`].
fn small(root: &Path) -> Options {
    Options {
        segment_bytes: 64 + 3 * 48,
        ..options(root)
    }
}

impl Spool {
    /// Whether all that was written is flushed.
    pub fn is_flushed(&self) -> bool {
        let segments = lock(&self.store.segments);
        let flushed = |s: &segment::Segment| s.synced.load(SeqCst) == s.written.load(SeqCst);
        segments.values().all(|segment| flushed(segment))
    }
}

fn open(options: Options) -> Spool {
    Spool::open(options).unwrap()
}

fn text(number: usize) -> String {
    format!("message {number:05}")
}

/// Appends the messages `numbers`, one call each.
fn append(spool: &Spool, numbers: std::ops::Range<usize>) {
    for number in numbers {
        spool.append(&[text(number).as_bytes()]).unwrap();
    }
}

fn texts(messages: &[Message]) -> Vec<String> {
    let text = |m: &Message| String::from_utf8(m.payload.clone()).unwrap();
    messages.iter().map(text).collect()
}

fn expected(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(text).collect()
}

fn tickets(messages: &[Message]) -> Vec<Ticket> {
    messages.iter().map(|message| message.ticket).collect()
}

/// Delivers all there is, orphans included.
fn drain(spool: &Spool) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let batch = spool.read(7, usize::MAX).unwrap();
        if batch.is_empty() {
            if spool.adopt() == 0 {
                return all;
            }
            continue;
        }
        all.extend(texts(&batch));
        spool.acknowledge(&tickets(&batch)).unwrap();
    }
}

/// All files under `root` with their paths relative to it, sorted.
fn files(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap();
                found.push((name.to_str().unwrap().to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The paths of the files with this ending, sorted.
fn paths(root: &Path, ending: &str) -> Vec<std::path::PathBuf> {
    let all = files(root).into_iter();
    all.filter(|(name, _)| name.ends_with(ending))
        .map(|(name, _)| root.join(name))
        .collect()
}

/// A root that holds what `fill` left behind.
fn left_behind(fill: impl FnOnce(&Spool)) -> TempDir {
    let root = TempDir::new().unwrap();
    let spool = open(small(root.path()));
    fill(&spool);
    drop(spool);
    root
}
