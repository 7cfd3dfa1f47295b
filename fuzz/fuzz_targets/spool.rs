//! A spool whose files were damaged anywhere: what a later run reads was written, once, and in order.
#![no_main]

use libfuzzer_sys::{arbitrary, fuzz_target};
use mona::queue::spool::{Options, Spool, Sync};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(arbitrary::Arbitrary, Debug)]
struct Input {
    /// Lengths of messages, and how many of them are acknowledged.
    lengths: Vec<u8>,
    acknowledged: u8,
    damage: Vec<Damage>,
}

#[derive(arbitrary::Arbitrary, Debug)]
struct Damage {
    acks: bool,
    at: u16,
    what: What,
}

#[derive(arbitrary::Arbitrary, Debug)]
enum What {
    Byte(u8),
    Word([u8; 8]),
    Truncate,
    Extend(u8),
    CopyTo(u16, u8),
    Remove,
}

fuzz_target!(|input: Input| {
    let folder = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let lengths: Vec<_> = input.lengths.iter().take(32).collect();
    let message = |(number, length): (usize, &&u8)| {
        format!("{number}:{}", "x".repeat(usize::from(**length) * 8)).into_bytes()
    };
    let messages: Vec<Vec<u8>> = lengths.iter().enumerate().map(message).collect();
    {
        let spool = Spool::open(options(folder.path())).unwrap();
        for message in &messages {
            spool.append(&[message]).unwrap();
        }
        let read = spool
            .read(usize::from(input.acknowledged) % 16, usize::MAX)
            .unwrap();
        let tickets: Vec<_> = read
            .iter()
            .step_by(2)
            .map(|message| message.ticket)
            .collect();
        spool.acknowledge(&tickets).unwrap();
    }
    for damage in input.damage.iter().take(16) {
        apply(folder.path(), damage);
    }
    let spool = Spool::open(options(folder.path())).unwrap();
    // A frame that the disk wrote in a second place, too, is delivered once, but perhaps from there.
    let copied = |damage: &Damage| matches!(damage.what, What::CopyTo(..));
    let moved = input.damage.iter().any(copied);
    let mut delivered = BTreeSet::new();
    let mut last = None;
    for _ in 0..4 {
        spool.adopt();
        // Damage is passed over, and nothing fails here.
        let read = spool.read(usize::MAX, usize::MAX).unwrap();
        for message in &read {
            let place = messages
                .iter()
                .position(|written| *written == message.payload);
            assert!(place.is_some(), "something that nobody wrote");
            assert!(delivered.insert(place), "twice");
            assert!(last < place || moved, "out of order");
            last = place;
        }
        let tickets: Vec<_> = read.iter().map(|message| message.ticket).collect();
        spool.acknowledge(&tickets).unwrap();
    }
    assert!(spool.read(1, 1).unwrap().is_empty());
});

fn options(root: &Path) -> Options {
    Options {
        root: root.join("spool"),
        fingerprint: "00112233445566778899aabbccddeeff".into(),
        max_bytes: 1 << 30,
        keep_free_bytes: 0,
        segment_bytes: 2048,
        sync: Sync::Os,
        retention: Duration::from_secs(3600),
        read_again: Duration::from_millis(1),
    }
}

/// The first file of a kind that is there.
fn file(folder: &Path, suffix: &str) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    found.sort();
    found.into_iter().find_map(|path| match path.is_dir() {
        true => file(&path, suffix),
        false => path.to_str()?.ends_with(suffix).then_some(path),
    })
}

fn apply(root: &Path, damage: &Damage) {
    let Some(path) = file(root, if damage.acks { ".ack" } else { ".mq" }) else {
        return;
    };
    let at = u64::from(damage.at);
    let open = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap()
    };
    match &damage.what {
        What::Byte(byte) => open().write_all_at(&[*byte], at).unwrap(),
        What::Word(bytes) => open().write_all_at(bytes, at).unwrap(),
        What::Truncate => open().set_len(at).unwrap(),
        What::Extend(more) => {
            let length = open().metadata().unwrap().len();
            open().set_len(length + u64::from(*more)).unwrap();
        }
        What::CopyTo(to, length) => {
            let mut bytes = vec![0; usize::from(*length) * 8];
            let read = open().read_at(&mut bytes, at).unwrap();
            open().write_all_at(&bytes[..read], u64::from(*to)).unwrap();
        }
        What::Remove => fs::remove_file(&path).unwrap(),
    }
}
