//! Files that are missing, doubled, renamed or another's; and the format itself.
#![forbid(unsafe_code)]

use super::format::{Identity, VERSION, id_of};
use super::*;
use crc32c::crc32c;
use std::path::PathBuf;

fn three_segments() -> TempDir {
    left_behind(|spool| append(spool, 0..8))
}

fn drained(root: &TempDir) -> Vec<String> {
    drain(&open(small(root.path())))
}

fn segments(root: &TempDir) -> Vec<PathBuf> {
    paths(root.path(), ".mq")
}

#[test]
fn a_missing_segment_costs_its_own_messages_only() {
    let root = three_segments();
    fs::remove_file(&segments(&root)[1]).unwrap();
    let kept = [0, 1, 2, 6, 7].map(text);
    assert_eq!(drained(&root), kept);
    assert_eq!(files(root.path()), []);
}

#[test]
fn missing_acknowledgements_and_a_missing_lock_cost_nothing() {
    let root = three_segments();
    for ending in [".ack", ".lock"] {
        for path in paths(root.path(), ending) {
            fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(drained(&root), expected(0..8));
    assert_eq!(files(root.path()), []);
}

#[test]
fn a_doubled_segment_is_not_delivered_twice() {
    let root = three_segments();
    let first = &segments(&root)[0];
    let copy = first.with_file_name("0000000000000009.mq");
    fs::copy(first, &copy).unwrap();
    assert_eq!(drained(&root), expected(0..8));
    assert!(copy.exists());
    assert_eq!(drained(&root), expected(0..0));
}

#[test]
fn a_renamed_segment_is_left_alone_until_its_name_is_back() {
    let root = three_segments();
    let first = &segments(&root)[0];
    let other = first.with_file_name("0000000000000009.mq");
    fs::rename(first, &other).unwrap();
    assert_eq!(drained(&root), expected(3..8));
    fs::rename(&other, first).unwrap();
    assert_eq!(drained(&root), expected(0..3));
}

#[test]
fn names_that_are_not_ours_are_left_alone() {
    let root = three_segments();
    let first = &segments(&root)[0];
    for name in [
        "1.mq",
        "000000000000000A.mq",
        "notes.txt",
        "+00000000000001.mq",
    ] {
        fs::copy(first, first.with_file_name(name)).unwrap();
    }
    assert_eq!(drained(&root), expected(0..8));
    assert_eq!(files(root.path()).len(), 5);
}

#[test]
fn a_segment_of_another_version_is_left_alone() {
    for (offset, value) in [(4, VERSION as u8 + 1), (6, 1)] {
        let root = three_segments();
        let path = &segments(&root)[1];
        let mut bytes = fs::read(path).unwrap();
        bytes[offset] = value;
        let crc = crc32c(&bytes[..60]).to_le_bytes();
        bytes[60..64].copy_from_slice(&crc);
        fs::write(path, &bytes).unwrap();
        let kept = [0, 1, 2, 6, 7].map(text);
        assert_eq!(drained(&root), kept);
        assert_eq!(fs::read(path).unwrap(), bytes);
    }
}

#[test]
fn a_planted_segment_of_another_endpoint_or_instance_is_ignored() {
    for fingerprint in ["f".repeat(32), FINGERPRINT.into()] {
        let other = left_behind(|_| {});
        let spool = open(Options {
            fingerprint,
            ..small(other.path())
        });
        append(&spool, 90..93);
        let root = three_segments();
        let planted = segments(&root)[0].with_file_name("0000000000000000.mq");
        fs::copy(&segments(&other)[0], &planted).unwrap();
        assert_eq!(drained(&root), expected(3..8));
        assert!(planted.exists());
        // Not even with a damaged header that no longer tells.
        let mut bytes = fs::read(&planted).unwrap();
        bytes[0] ^= 1;
        fs::write(&planted, bytes).unwrap();
        assert_eq!(drained(&root), expected(0..0));
    }
}

/// The test vector of `docs/spool-format.md`.
#[test]
fn the_format_is_what_its_document_says() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    let identity = Identity {
        instance: id_of("101112131415161718191a1b1c1d1e1f").unwrap(),
        fingerprint: id_of(FINGERPRINT).unwrap(),
    };
    let seal = identity.seal(7);
    let mut frame = Vec::new();
    seal.frame(&mut frame, b"{\"a\":1}", 42, 1_700_000_000_000);
    let shown = [
        hex(&identity.header(7, 1_700_000_000_000)),
        format!("{:08x} {:08x}", seal.seed, seal.marker),
        hex(&frame),
        hex(&seal.record(64, 104)),
    ];
    let document = fs::read_to_string("docs/spool-format.md").unwrap();
    for line in &shown {
        assert!(document.contains(line), "{shown:#?}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_name_in_another_spelling_is_not_ours() {
    let root = left_behind(|spool| append(spool, 0..33));
    let segment = paths(root.path(), "a.mq").remove(0);
    let other = segment.with_file_name("000000000000000A.mq");
    fs::rename(&segment, &other).unwrap();
    // One of ours without its segment would be removed.
    let acks = other.with_extension("ack");
    fs::write(&acks, "").unwrap();
    assert_eq!(drain(&open(small(root.path()))), expected(0..30));
    assert!(other.exists() && acks.exists());
}

#[test]
fn a_record_that_begins_before_the_frames_says_nothing() {
    let seal = some_identity().seal(7);
    assert_eq!(seal.range(&seal.record(64, 104)), Some((64, 104)));
    assert_eq!(seal.range(&seal.record(56, 104)), None);
    assert_eq!(seal.range(&seal.record(104, 104)), None);
}

#[test]
fn a_frame_with_bits_that_this_version_does_not_know_is_none() {
    let seal = some_identity().seal(7);
    let mut frame = Vec::new();
    seal.frame(&mut frame, b"payload8", 0, 0);
    assert!(seal.verifies(&seal.head(&frame).unwrap(), &frame));
    frame[12] = 1;
    let crc = crc32c::crc32c_append(seal.seed, &frame[8..]);
    frame[4..8].copy_from_slice(&crc.to_le_bytes());
    assert!(!seal.verifies(&seal.head(&frame).unwrap(), &frame));
}

fn some_identity() -> Identity {
    Identity {
        instance: [1; 16],
        fingerprint: [2; 16],
    }
}
