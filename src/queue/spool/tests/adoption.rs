//! Who may drain whose messages.
#![forbid(unsafe_code)]

use super::*;
use nix::errno::Errno;

#[test]
fn a_living_instance_keeps_its_messages() {
    let root = TempDir::new().unwrap();
    let (first, second) = (open(small(root.path())), open(small(root.path())));
    append(&first, 0..4);
    assert_eq!(second.adopt(), 0);
    assert!(second.read(99, usize::MAX).unwrap().is_empty());
    drop(first);
    assert_eq!(second.adopt(), 4);
    assert_eq!(drain(&second), expected(0..4));
}

#[test]
fn an_orphan_has_one_owner() {
    let root = left_behind(|spool| append(spool, 0..4));
    let (first, second) = (open(small(root.path())), open(small(root.path())));
    assert_eq!((first.adopt(), second.adopt()), (4, 0));
    assert_eq!(drain(&second), expected(0..0));
    assert_eq!(drain(&first), expected(0..4));
}

#[test]
fn orphans_are_drained_one_at_a_time_and_removed() {
    let root = TempDir::new().unwrap();
    let spools = [0, 1, 2].map(|_| open(small(root.path())));
    for (number, spool) in spools.iter().enumerate() {
        append(spool, number * 10..number * 10 + 4);
    }
    drop(spools);
    let spool = open(small(root.path()));
    assert_eq!(spool.adopt(), 4);
    assert_eq!(spool.adopt(), 0);
    let batch = spool.read(99, usize::MAX).unwrap();
    assert_eq!(batch.len(), 4);
    spool.acknowledge(&tickets(&batch)).unwrap();
    let directory = root.path().join(FINGERPRINT);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 3);
    let mut rest = drain(&spool);
    rest.extend(texts(&batch));
    rest.sort();
    let all: Vec<_> = [0, 10, 20]
        .iter()
        .flat_map(|n| expected(*n..n + 4))
        .collect();
    assert_eq!(rest, all);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    assert_eq!(spool.counts().adopted, 12);
}

#[test]
fn an_orphan_half_drained_is_finished_by_the_next_run() {
    let root = left_behind(|spool| append(spool, 0..10));
    let spool = open(small(root.path()));
    spool.adopt();
    let batch = spool.read(5, usize::MAX).unwrap();
    spool.acknowledge(&tickets(&batch)).unwrap();
    drop(spool);
    assert_eq!(drain(&open(small(root.path()))), expected(5..10));
}

#[test]
fn acknowledging_what_is_long_gone_is_no_error() {
    let root = left_behind(|spool| append(spool, 0..4));
    let spool = open(small(root.path()));
    spool.adopt();
    let batch = tickets(&spool.read(99, usize::MAX).unwrap());
    spool.acknowledge(&batch).unwrap();
    spool.acknowledge(&batch).unwrap();
    assert_eq!(spool.counts().messages, 0);
}

#[test]
fn an_empty_directory_of_a_crash_is_removed() {
    let root = TempDir::new().unwrap();
    let spool = open(small(root.path()));
    let orphan = root
        .path()
        .join(FINGERPRINT)
        .join(format!("{}.q", "a".repeat(32)));
    disk_directory(&orphan);
    assert_eq!(spool.adopt(), 0);
    assert!(!orphan.exists());
}

fn disk_directory(path: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path).unwrap();
}

#[test]
fn another_endpoints_directory_is_not_touched() {
    let root = left_behind(|spool| append(spool, 0..4));
    let before = files(root.path());
    let other = open(Options {
        fingerprint: "f".repeat(32),
        ..small(root.path())
    });
    assert_eq!(other.adopt(), 0);
    drop(other);
    assert_eq!(files(root.path()), before);
}

#[test]
fn acknowledgements_of_several_runs_add_up() {
    let root = left_behind(|spool| {
        append(spool, 0..3);
        let batch = tickets(&spool.read(9, usize::MAX).unwrap());
        spool.acknowledge(&batch[..1]).unwrap();
    });
    let spool = open(small(root.path()));
    spool.adopt();
    let batch = tickets(&spool.read(9, usize::MAX).unwrap());
    spool.acknowledge(&batch[1..]).unwrap();
    drop(spool);
    assert_eq!(drain(&open(small(root.path()))), expected(1..2));
}

#[test]
fn a_directory_that_holds_nothing_of_use_is_taken_once() {
    let root = left_behind(|spool| append(spool, 0..1));
    let segment = paths(root.path(), ".mq").remove(0);
    fs::rename(&segment, segment.with_extension("other")).unwrap();
    let spool = open(small(root.path()));
    assert_eq!([0; 3].map(|_| spool.adopt()), [0; 3]);
    assert_eq!(lock(&spool.reader).adoptions, 1);
}

#[test]
fn what_was_delivered_is_not_sent_again_because_descriptors_had_run_out() {
    let root = left_behind(|spool| {
        append(spool, 0..3);
        let batch = tickets(&spool.read(9, usize::MAX).unwrap());
        spool.acknowledge(&batch[..2]).unwrap();
    });
    let spool = open(small(root.path()));
    faults::fail_open_after(0, ".ack", Errno::EMFILE);
    assert_eq!(spool.adopt(), 0);
    assert_eq!(drain(&spool), expected(2..3));
}

#[test]
fn what_was_delivered_is_sent_again_where_a_bad_disk_hides_it() {
    let root = left_behind(|spool| {
        append(spool, 0..3);
        let batch = tickets(&spool.read(9, usize::MAX).unwrap());
        spool.acknowledge(&batch[..2]).unwrap();
    });
    let spool = open(small(root.path()));
    faults::fail_open_after(0, ".ack", Errno::EIO);
    assert_eq!(drain(&spool), expected(0..3));
}

#[test]
fn an_orphan_that_could_not_be_looked_at_for_the_moment_is_adopted_later() {
    use Errno::{EAGAIN, EINTR, EIO, EMFILE, ENFILE, ENOMEM};
    for errno in [EAGAIN, EINTR, EIO, EMFILE, ENFILE, ENOMEM] {
        // Its segment, and the list of its files after that of all directories.
        for (good, end) in [(0, ".mq"), (1, ".")] {
            let root = left_behind(|spool| append(spool, 0..3));
            let spool = open(small(root.path()));
            faults::fail_open_after(good, end, errno);
            assert_eq!(spool.adopt(), 0);
            assert_eq!(lock(&spool.reader).adoptions, 1);
            assert_eq!(drain(&spool), expected(0..3), "{errno} {end}");
        }
    }
}

/// A segment of an ended program of which the disk gives only so many messages, beyond the length of its acknowledgements.
fn half_bad() -> (TempDir, usize) {
    let root = TempDir::new().unwrap();
    append(&open(options(root.path())), 0..2000);
    faults::set_bad_from(Some(70_000));
    (root, (70_000 - 64) / 48)
}

#[test]
fn of_an_orphan_on_a_bad_disk_what_can_be_read_is_delivered_and_the_rest_later() {
    let (root, readable) = half_bad();
    let spool = open(options(root.path()));
    assert_eq!(drain(&spool), expected(0..readable));
    assert!(spool.unadopted().is_some());
    faults::set_bad_from(None);
    assert_eq!(drain(&spool), expected(readable..2000));
    assert_eq!((spool.unadopted(), spool.counts().lost), (None, 0));
    drop(spool);
    assert_eq!(files(root.path()), []);
}

#[test]
fn what_a_bad_disk_takes_no_note_of_is_not_sent_again_and_again() {
    // The acknowledgements are opened to be read, then to be written.
    for good in 0..2 {
        let (root, readable) = half_bad();
        let spool = open(options(root.path()));
        faults::fail_open_after(good, ".ack", Errno::EIO);
        assert_eq!(spool.adopt(), readable);
        let batch = spool.read(2000, usize::MAX).unwrap();
        let acknowledged = spool.acknowledge(&tickets(&batch));
        assert_eq!(acknowledged.is_ok(), good == 0);
        assert!(lock(&spool.reader).orphans.is_empty());
        faults::fail_open_after(good, ".ack", Errno::EIO);
        assert_eq!(spool.adopt(), 0);
        faults::set_bad_from(None);
    }
}

#[test]
fn what_could_not_be_looked_at_for_the_moment_is_told_of_until_it_can() {
    for (good, end) in [(0, "."), (0, ".lock"), (0, ".mq"), (1, ".")] {
        let root = left_behind(|spool| append(spool, 0..3));
        let spool = open(small(root.path()));
        faults::fail_open_after(good, end, Errno::EMFILE);
        assert_eq!(spool.adopt(), 0);
        assert!(spool.unadopted().is_some(), "{good} {end}");
        assert_eq!(spool.adopt(), 3);
        assert_eq!(spool.unadopted(), None);
    }
}

#[test]
fn a_spool_that_cannot_be_opened_leaves_nothing_to_adopt() {
    let failures: [fn(); 2] = [
        || faults::fail_lock(Errno::ENOLCK),
        || faults::fail_sync_of_directory(Errno::EIO),
    ];
    for fail in failures {
        let root = TempDir::new().unwrap();
        fail();
        let always = Options {
            sync: Sync::Always,
            ..options(root.path())
        };
        assert!(Spool::open(always).is_err());
        let mut left = fs::read_dir(root.path().join(FINGERPRINT)).unwrap();
        assert!(left.next().is_none());
    }
}
