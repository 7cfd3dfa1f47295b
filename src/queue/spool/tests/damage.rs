//! Damaged bytes cost the frames they are in, and nothing else.
#![forbid(unsafe_code)]

use super::format::{Identity, id_of};
use super::*;

const MESSAGES: usize = 8;
const HEADER: usize = 64;
const FRAME: usize = 48;

/// Writes the files to a new root.
pub fn restore(files: &[(String, Vec<u8>)]) -> TempDir {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let root = TempDir::new().unwrap();
    for (name, bytes) in files {
        let path = root.path().join(name);
        let mut directory = fs::DirBuilder::new();
        let directory = directory.recursive(true).mode(0o700);
        directory.create(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    root
}

/// What a run delivers that finds these files, and what it counts.
fn delivered(files: &[(String, Vec<u8>)]) -> (Vec<String>, Counts) {
    let root = restore(files);
    let spool = open(small(root.path()));
    let found = drain(&spool);
    assert_eq!(spool.counts().messages, 0);
    (found, spool.counts())
}

/// Acknowledgements begin with a few records, and go on with allocated zeros, of which some stand for all.
const RECORDS: usize = 48;

/// Applies `change` to each byte of the files with that ending and hands over what came of it,
/// with the first message of the segment and the offset.
fn each_byte(
    root: &TempDir,
    ending: &str,
    change: impl Fn(&mut Vec<u8>, usize),
    check: impl Fn(usize, usize, Vec<String>, Counts),
) {
    let all = files(root.path());
    for index in 0..all.len() {
        if !all[index].0.ends_with(ending) {
            continue;
        }
        let name = all[index].0.rsplit_once('/').unwrap().1;
        let number = usize::from_str_radix(&name[..16], 16).unwrap();
        let length = all[index].1.len();
        let zeros = |offset: &usize| ending == ".ack" && *offset >= RECORDS;
        for offset in (0..length).filter(|offset| !zeros(offset) || offset.is_multiple_of(37)) {
            let mut changed = all.clone();
            change(&mut changed[index].1, offset);
            let (found, counts) = delivered(&changed);
            check(number * 3, offset, found, counts);
        }
    }
}

#[test]
fn a_flipped_byte_costs_at_most_its_own_frame() {
    let root = left_behind(|spool| append(spool, 0..MESSAGES));
    assert_eq!(paths(root.path(), ".mq").len(), 3);
    for mask in [0x01, 0x20, 0x80, 0xff] {
        each_byte(
            &root,
            ".mq",
            |bytes, offset| bytes[offset] ^= mask,
            |first, offset, found, counts| {
                let mut all = expected(0..MESSAGES);
                if offset >= HEADER {
                    let touched = first + (offset - HEADER) / FRAME;
                    let padding = (offset - HEADER) % FRAME >= 32 + text(0).len();
                    if !padding {
                        all.remove(touched);
                    }
                }
                assert_eq!(found, all, "segment of {first}, byte {offset}");
                let lost = (MESSAGES - all.len()) as u64;
                assert_eq!(counts.corrupt_frames, lost, "byte {offset}");
                assert_eq!(counts.corrupt_bytes, lost * FRAME as u64, "byte {offset}");
            },
        );
    }
}

#[test]
fn a_flipped_byte_of_an_acknowledgement_loses_nothing() {
    let root = left_behind(|spool| {
        append(spool, 0..MESSAGES);
        let batch = tickets(&spool.read(99, usize::MAX).unwrap());
        for ticket in [&batch[..1], &batch[4..5], &batch[7..]] {
            spool.acknowledge(ticket).unwrap();
        }
    });
    let waiting = [1, 2, 3, 5, 6].map(text);
    each_byte(
        &root,
        ".ack",
        |bytes, offset| bytes[offset] ^= 0xff,
        |first, offset, found, counts| {
            let again = |t: &String| !waiting.contains(t) && expected(first..first + 3).contains(t);
            let rest: Vec<_> = found.iter().filter(|t| !again(t)).cloned().collect();
            assert_eq!(rest, waiting, "byte {offset}");
            assert!(found.is_sorted() && found.len() <= 6, "byte {offset}");
            assert_eq!(found.len() > 5, offset < 12, "byte {offset}");
            assert_eq!(counts.corrupt_frames, 0);
        },
    );
}

#[test]
fn a_file_cut_anywhere_keeps_every_whole_frame() {
    let root = left_behind(|spool| append(spool, 0..MESSAGES));
    each_byte(&root, ".mq", Vec::truncate, |first, offset, found, _| {
        let whole = offset.saturating_sub(HEADER) / FRAME;
        let mut all = expected(0..MESSAGES);
        all.drain(first + whole..MESSAGES.min(first + 3));
        assert_eq!(found, all, "segment of {first} cut at {offset}");
    });
    each_byte(&root, ".ack", Vec::truncate, |_, _, found, _| {
        assert_eq!(found, expected(0..MESSAGES));
    });
}

#[test]
fn a_file_whose_end_became_zeros_anywhere_keeps_every_whole_frame() {
    let root = left_behind(|spool| append(spool, 0..MESSAGES));
    each_byte(
        &root,
        ".mq",
        |bytes, offset| bytes[offset..].fill(0),
        |first, offset, found, _| {
            // The padding of a frame is zeros anyway.
            let whole = (offset + 48 - 32 - text(0).len()).saturating_sub(HEADER) / FRAME;
            let mut all = expected(0..MESSAGES);
            all.drain(MESSAGES.min(first + whole)..MESSAGES.min(first + 3));
            assert_eq!(found, all, "segment of {first}, zeros from {offset}");
        },
    );
}

#[test]
fn a_tail_of_zeros_or_noise_is_passed_over() {
    let root = left_behind(|spool| append(spool, 0..MESSAGES));
    let noise: Vec<u8> = (0..5000u32).map(|n| ((n * n) >> 3) as u8).collect();
    for (tail, frames) in [(vec![0; 5000], 0), (noise, 1)] {
        let mut changed = files(root.path());
        for (name, bytes) in &mut changed {
            if name.ends_with(".mq") {
                bytes.extend(&tail);
            }
        }
        let (found, counts) = delivered(&changed);
        assert_eq!(found, expected(0..MESSAGES));
        assert_eq!((counts.corrupt_frames, counts.lost), (3 * frames, 0));
        assert_eq!(counts.corrupt_bytes, frames * 15_000);
    }
}

#[test]
fn damage_is_passed_over_while_the_file_is_being_written_too() {
    use std::os::unix::fs::FileExt;
    let root = TempDir::new().unwrap();
    let spool = open(options(root.path()));
    append(&spool, 0..5);
    let path = paths(root.path(), ".mq").remove(0);
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(b"damage", (HEADER + FRAME + 40) as u64)
        .unwrap();
    let batch = spool.read(99, usize::MAX).unwrap();
    assert_eq!(texts(&batch), [0, 2, 3, 4].map(text));
    spool.acknowledge(&tickets(&batch)).unwrap();
    // The lost one is known for lost when the segment ends.
    assert_eq!(spool.counts().messages, 1);
    spool.append(&[&vec![b'x'; 4 << 20]]).unwrap();
    assert_eq!(spool.read(99, usize::MAX).unwrap().len(), 1);
    let counts = spool.counts();
    assert_eq!((counts.messages, counts.lost), (1, 1));
}

#[test]
fn a_payload_that_looks_like_frames_is_no_frame() {
    let root = TempDir::new().unwrap();
    let spool = open(options(root.path()));
    let directory = root.path().join(FINGERPRINT);
    let own = fs::read_dir(&directory).unwrap().next().unwrap().unwrap();
    let name = own.file_name().into_string().unwrap();
    let identity = Identity {
        instance: id_of(&name[..32]).unwrap(),
        fingerprint: id_of(FINGERPRINT).unwrap(),
    };
    // As a frame of the next segment, which this one is not.
    let mut fake = Vec::new();
    identity.seal(1).frame(&mut fake, b"forged", 0, 0);
    spool
        .append(&[&fake.repeat(3), text(1).as_bytes()])
        .unwrap();
    drop(spool);
    let mut changed = files(root.path());
    let segment = changed.iter_mut().find(|f| f.0.ends_with(".mq")).unwrap();
    segment.1[HEADER] ^= 1;
    assert_eq!(delivered(&changed).0, expected(1..2));
}

/// Takes a segment's file away and hands over how to put it back.
fn take_away(path: &Path) -> impl Fn() + use<> {
    let (path, away) = (path.to_owned(), path.with_extension("away"));
    fs::rename(&path, &away).unwrap();
    move || fs::rename(&away, &path).unwrap()
}

#[test]
fn a_segment_that_cannot_be_read_is_passed_over_and_read_later() {
    let root = TempDir::new().unwrap();
    let spool = open(small(root.path()));
    append(&spool, 0..7);
    let put_back = take_away(&paths(root.path(), ".mq")[0]);
    let batch = spool.read(9, usize::MAX).unwrap();
    assert_eq!(texts(&batch), expected(3..7));
    spool.acknowledge(&tickets(&batch)).unwrap();
    for _ in 0..3 {
        let error = spool.read(9, usize::MAX).unwrap_err();
        assert!(error.to_string().contains("read a segment"), "{error}");
    }
    let counts = spool.counts();
    assert_eq!(
        (counts.messages, counts.lost, counts.corrupt_frames),
        (3, 0, 0)
    );
    put_back();
    assert_eq!(texts(&spool.read(9, usize::MAX).unwrap()), expected(0..3));
    assert_eq!(texts(&spool.read(9, usize::MAX).unwrap()), expected(0..0));
}

#[test]
fn a_segment_that_fails_in_the_middle_is_read_on_from_there() {
    let root = left_behind(|spool| append(spool, 0..7));
    let spool = open(small(root.path()));
    spool.adopt();
    assert_eq!(texts(&spool.read(4, usize::MAX).unwrap()), expected(0..4));
    let put_back = take_away(&paths(root.path(), ".mq")[2]);
    assert_eq!(texts(&spool.read(9, usize::MAX).unwrap()), expected(4..6));
    assert!(spool.read(9, usize::MAX).is_err());
    put_back();
    assert_eq!(texts(&spool.read(9, usize::MAX).unwrap()), expected(6..7));
}

#[test]
fn what_could_not_be_read_is_left_alone_for_a_while() {
    let root = TempDir::new().unwrap();
    let spool = open(Options {
        read_again: Duration::MAX,
        ..small(root.path())
    });
    append(&spool, 0..4);
    let put_back = take_away(&paths(root.path(), ".mq")[0]);
    assert_eq!(texts(&spool.read(9, usize::MAX).unwrap()), expected(3..4));
    put_back();
    assert!(spool.read(9, usize::MAX).is_err());
    append(&spool, 4..5);
    assert_eq!(texts(&spool.read(9, usize::MAX).unwrap()), expected(4..5));
}

#[test]
fn an_orphan_that_cannot_be_read_does_not_hold_up_the_next() {
    let root = TempDir::new().unwrap();
    let spools = [0, 1].map(|_| open(small(root.path())));
    append(&spools[0], 0..2);
    append(&spools[1], 2..4);
    drop(spools);
    let spool = open(small(root.path()));
    assert_eq!(spool.adopt(), 2);
    let put_back = take_away(&paths(root.path(), ".mq")[0]);
    assert_eq!(spool.adopt(), 0);
    assert!(spool.read(9, usize::MAX).is_err());
    assert_eq!(spool.adopt(), 2);
    let batch = spool.read(9, usize::MAX).unwrap();
    assert_eq!(batch.len(), 2);
    put_back();
    let mut all = texts(&spool.read(9, usize::MAX).unwrap());
    all.extend(texts(&batch));
    all.sort();
    assert_eq!(all, expected(0..4));
}

#[test]
fn what_was_acknowledged_behind_a_damaged_frame_does_not_come_back() {
    let root = left_behind(|spool| {
        append(spool, 0..3);
        let batch = tickets(&spool.read(9, usize::MAX).unwrap());
        spool.acknowledge(&batch[1..2]).unwrap();
    });
    let mut changed = files(root.path());
    let segment = changed.iter_mut().find(|f| f.0.ends_with(".mq")).unwrap();
    segment.1[HEADER + 40] ^= 1;
    assert_eq!(delivered(&changed).0, expected(2..3));
}

#[test]
fn going_back_to_what_could_not_be_read_repeats_nothing() {
    let root = TempDir::new().unwrap();
    let spool = open(small(root.path()));
    append(&spool, 0..7);
    let _put_back = take_away(&paths(root.path(), ".mq")[0]);
    for number in 3..7 {
        let batch = spool.read(1, usize::MAX).unwrap();
        assert_eq!(texts(&batch), expected(number..number + 1));
    }
}

#[test]
fn what_lies_before_the_first_bad_byte_of_a_disk_is_read_and_the_rest_later() {
    let root = TempDir::new().unwrap();
    let spool = open(options(root.path()));
    append(&spool, 0..MESSAGES);
    faults::set_bad_from(Some((HEADER + 5 * FRAME + 40) as u64));
    assert_eq!(texts(&spool.read(99, usize::MAX).unwrap()), expected(0..5));
    assert!(spool.read(99, usize::MAX).is_err());
    faults::set_bad_from(None);
    let rest = spool.read(99, usize::MAX).unwrap();
    assert_eq!(texts(&rest), expected(5..MESSAGES));
}
