//! Full disks, failing disks and the limits of one's own.
#![forbid(unsafe_code)]

use super::*;
use nix::errno::Errno;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn full(result: Result<(), SpoolError>) {
    assert!(matches!(result, Err(SpoolError::Full { .. })), "{result:?}");
}

fn fill(spool: &Spool, mut number: usize) -> usize {
    while spool.append(&[text(number).as_bytes()]).is_ok() {
        number += 1;
        assert!(number < 100_000);
    }
    number
}

/// Bytes of all files there.
fn size(root: &Path) -> u64 {
    files(root).iter().map(|file| file.1.len() as u64).sum()
}

#[test]
fn the_cap_is_hard_and_a_drained_spool_takes_messages_again() {
    let root = TempDir::new().unwrap();
    let spool = open(Options {
        max_bytes: 10_000,
        ..small(root.path())
    });
    let count = fill(&spool, 0);
    full(spool.append(&[text(count).as_bytes()]));
    assert!(count > 20, "{count}");
    assert!(size(root.path()) <= 10_000);
    assert_eq!(drain(&spool), expected(0..count));
    append(&spool, count..count + 20);
    assert_eq!(drain(&spool), expected(count..count + 20));
}

#[test]
fn the_cap_includes_the_other_directories_of_the_root() {
    let root = left_behind(|spool| append(spool, 0..20));
    let spool = open(Options {
        max_bytes: size(root.path()) + 1000,
        ..small(root.path())
    });
    full(spool.append(&[b"x"]));
    assert_eq!(drain(&spool), expected(0..20));
    append(&spool, 20..30);
}

#[test]
fn a_spool_full_of_what_was_delivered_takes_messages_again() {
    let root = TempDir::new().unwrap();
    let spools = [0, 1].map(|_| {
        let spool = open(Options {
            max_bytes: 2 * (64 + 64 * 1024 + 10 * 48),
            ..options(root.path())
        });
        append(&spool, 0..10);
        spool
    });
    full(spools[1].append(&[b"x"]));
    for spool in &spools {
        assert_eq!(drain(spool), expected(0..10));
    }
    append(&spools[1], 10..11);
    assert_eq!(drain(&spools[1]), expected(10..11));
}

#[test]
fn an_instance_for_which_nothing_waits_leaves_all_room_to_others() {
    for sync in [Sync::Os, Sync::Interval, Sync::Always] {
        let root = TempDir::new().unwrap();
        let spool = open(Options {
            sync,
            ..small(root.path())
        });
        append(&spool, 0..5);
        assert!(!spool.let_go());
        let batch = spool.read(99, usize::MAX).unwrap();
        spool.acknowledge(&tickets(&batch)).unwrap();
        assert!(spool.let_go());
        assert_eq!(size(root.path()), 0);
        append(&spool, 5..7);
        assert_eq!(drain(&spool), expected(5..7));
        assert_eq!(spool.counts().lost, 0);
    }
}

#[test]
fn a_segment_may_be_removed_while_it_is_acknowledged_or_read() {
    let root = TempDir::new().unwrap();
    let spool = open(small(root.path()));
    append(&spool, 0..1);
    let segment = spool.store.segment_from(0, |_| true).unwrap();
    spool.store.withdraw(&segment, 1, text(0).len() as u64);
    assert!(spool.let_go());
    // As a thread has it that found it just before.
    spool.store.record(&segment, &[(64, 112)]).unwrap();
    assert_eq!(size(root.path()), 0);
    lock(&spool.store.segments).insert(0, segment.clone());
    append(&spool, 1..2);
    assert_eq!(texts(&spool.read(9, usize::MAX).unwrap()), expected(1..2));
    assert!(spool.read(9, usize::MAX).unwrap().is_empty());
}

#[test]
fn a_disk_full_of_what_was_delivered_takes_messages_again() {
    let root = TempDir::new().unwrap();
    let spool = open(options(root.path()));
    append(&spool, 0..2);
    assert_eq!(drain(&spool), expected(0..2));
    faults::fail_write(Errno::ENOSPC);
    append(&spool, 2..4);
    assert_eq!(drain(&spool), expected(2..4));
}

#[test]
fn the_file_system_keeps_the_bytes_it_was_promised() {
    let root = left_behind(|spool| append(spool, 0..2));
    let spool = open(Options {
        keep_free_bytes: u64::MAX,
        ..small(root.path())
    });
    full(spool.append(&[b"x"]));
    assert_eq!(paths(root.path(), ".mq").len(), 1);
    assert_eq!(drain(&spool), expected(0..2));
}

#[test]
fn a_full_disk_is_drained_to_the_end_and_then_takes_messages_again() {
    let root = TempDir::new().unwrap();
    let spool = open(small(root.path()));
    faults::set_room(Some(20_000));
    let count = fill(&spool, 0);
    faults::set_room(Some(0));
    full(spool.append(&[&[b'x'; 500]]));
    let pairs = [".mq", ".ack"].map(|ending| paths(root.path(), ending).len());
    assert_eq!(pairs[0], pairs[1]);
    let mut found = Vec::new();
    loop {
        let batch = spool.read(2, usize::MAX).unwrap();
        if batch.is_empty() {
            break;
        }
        found.extend(texts(&batch));
        spool.acknowledge(&tickets(&batch)).unwrap();
    }
    assert_eq!(found, expected(0..count));
    assert_eq!(spool.counts().messages, 0);
    faults::set_room(None);
    append(&spool, count..count + 5);
    assert_eq!(drain(&spool), expected(count..count + 5));
}

#[test]
fn acknowledgements_on_a_full_disk_reach_it() {
    let root = left_behind(|spool| {
        append(spool, 0..3);
        faults::set_room(Some(0));
        let batch = tickets(&spool.read(99, usize::MAX).unwrap());
        spool.acknowledge(&batch[..1]).unwrap();
        spool.acknowledge(&batch[1..2]).unwrap();
        faults::set_room(None);
    });
    assert_eq!(drain(&open(small(root.path()))), expected(2..3));
}

#[test]
fn a_refused_call_leaves_nothing_of_itself() {
    for errno in [Errno::ENOSPC, Errno::EIO] {
        let root = left_behind(|spool| {
            append(spool, 0..1);
            faults::fail_write(errno);
            let refused = [text(90), text(91), text(92), text(93)];
            let error = spool.append(&refused.each_ref().map(|t| t.as_bytes()));
            assert_eq!(
                matches!(error, Err(SpoolError::Full { .. })),
                errno == Errno::ENOSPC
            );
            assert!(error.is_err());
            append(spool, 1..3);
            assert_eq!(spool.counts().messages, 3);
        });
        assert_eq!(drain(&open(small(root.path()))), expected(0..3));
    }
}

#[test]
fn a_write_that_fails_within_a_segment_takes_nothing_else_with_it() {
    for errno in [Errno::ENOSPC, Errno::EIO] {
        let root = TempDir::new().unwrap();
        let spool = open(options(root.path()));
        append(&spool, 0..2);
        faults::fail_write(errno);
        assert!(spool.append(&[text(9).as_bytes(); 3]).is_err());
        append(&spool, 2..4);
        drop(spool);
        let spool = open(options(root.path()));
        assert_eq!(drain(&spool), expected(0..4));
        assert_eq!(spool.counts().corrupt_bytes, 0);
    }
}

#[test]
fn a_failed_flush_is_reported_and_its_segment_takes_no_more() {
    let root = TempDir::new().unwrap();
    let spool = open(Options {
        sync: Sync::Interval,
        ..options(root.path())
    });
    append(&spool, 0..2);
    faults::fail_sync(Errno::EIO);
    assert!(matches!(
        spool.sync(),
        Err(SpoolError::Storage {
            operation: "flush",
            ..
        })
    ));
    append(&spool, 2..4);
    assert_eq!(paths(root.path(), ".mq").len(), 2);
    // Nothing is asked of the suspect one again.
    spool.sync().unwrap();
    assert_eq!(drain(&spool), expected(0..4));
}

#[test]
fn a_message_whose_flush_failed_is_never_delivered() {
    let always = |root: &Path| Options {
        sync: Sync::Always,
        ..options(root)
    };
    let root = TempDir::new().unwrap();
    let spool = open(always(root.path()));
    append(&spool, 0..2);
    faults::fail_sync(Errno::EIO);
    assert!(matches!(
        spool.append(&[text(9).as_bytes()]),
        Err(SpoolError::Storage {
            operation: "flush",
            ..
        })
    ));
    assert_eq!(spool.counts().messages, 2);
    append(&spool, 2..3);
    assert_eq!(texts(&spool.read(99, usize::MAX).unwrap()), expected(0..3));
    drop(spool);
    assert_eq!(drain(&open(always(root.path()))), expected(0..3));
}

#[test]
fn a_flush_that_fails_fails_for_all_who_waited_for_it() {
    let root = TempDir::new().unwrap();
    let spool = open(Options {
        sync: Sync::Always,
        ..options(root.path())
    });
    append(&spool, 0..1);
    let armed = Arc::new(AtomicBool::new(true));
    let refused = std::thread::scope(|scope| {
        // Nobody flushes until both have written.
        let flushing = lock(&spool.flushing);
        let appends = [8, 9].map(|number| {
            let (spool, armed) = (&spool, &armed);
            scope.spawn(move || {
                faults::share_failing_sync(armed);
                spool.append(&[text(number).as_bytes()])
            })
        });
        while spool.counts().messages < 3 {
            std::thread::yield_now();
        }
        drop(flushing);
        appends.map(|append| append.join().unwrap())
    });
    for result in refused {
        assert!(
            matches!(result, Err(SpoolError::Storage { .. })),
            "{result:?}"
        );
    }
    assert_eq!(drain(&spool), expected(0..1));
    assert_eq!(spool.counts().messages, 0);
}

#[test]
fn messages_beyond_the_room_for_acknowledgements_are_acknowledged_all_the_same() {
    let root = TempDir::new().unwrap();
    let spool = open(options(root.path()));
    append(&spool, 0..6000);
    let batch = tickets(&spool.read(6000, usize::MAX).unwrap());
    for ticket in &batch[..5900] {
        spool.acknowledge(std::slice::from_ref(ticket)).unwrap();
    }
    drop(spool);
    assert_eq!(drain(&open(options(root.path()))), expected(5900..6000));
}

/// On a small file system of one's own, as `unshare -rm` gives it:
/// `mount -t tmpfs -o size=16m,mode=700 none DIRECTORY` and `MONA_TEST_SMALL_FS=DIRECTORY`.
#[test]
fn a_file_system_that_is_really_full_is_drained() {
    let Some(root) = std::env::var_os("MONA_TEST_SMALL_FS") else {
        return;
    };
    let root = Path::new(&root);
    let unlimited = || Options {
        max_bytes: u64::MAX,
        ..options(root)
    };
    let spool = open(unlimited());
    let message = |number: usize| format!("{number} {}", "x".repeat(number % 2000));
    let mut count = 0;
    while spool.append(&[message(count).as_bytes()]).is_ok() {
        count += 1;
        assert!(count < 1_000_000, "that is no small file system");
    }
    full(spool.append(&[message(count).as_bytes()]));
    let found = drain(&spool);
    assert_eq!(found.len(), count);
    assert!((0..count).map(message).eq(found));
    append(&spool, 0..100);
    drop(spool);
    assert_eq!(drain(&open(unlimited())), expected(0..100));
    println!("{count} messages until it was full");
}

#[test]
fn a_segment_goes_on_after_a_full_disk_and_ends_with_a_failing_one() {
    for (errno, segments) in [(Errno::ENOSPC, 1), (Errno::EIO, 2)] {
        let root = TempDir::new().unwrap();
        let spool = open(options(root.path()));
        append(&spool, 0..1);
        faults::fail_write(errno);
        assert!(spool.append(&[b"x"]).is_err());
        append(&spool, 1..2);
        assert_eq!(paths(root.path(), ".mq").len(), segments, "{errno}");
    }
}

#[test]
fn room_for_acknowledgements_is_found_in_spite_of_signals_and_without_allocation() {
    for errno in [Errno::EINTR, Errno::EOPNOTSUPP] {
        let root = TempDir::new().unwrap();
        let spool = open(small(root.path()));
        faults::fail_allocation(errno);
        append(&spool, 0..1);
        assert_eq!(size(root.path()), 64 + 48 + 1024, "{errno}");
    }
}

#[test]
fn a_segment_that_is_still_empty_takes_a_message_of_any_size() {
    let root = TempDir::new().unwrap();
    let spool = open(small(root.path()));
    // The header of the first segment is written; its first frame is not.
    append(&spool, 0..1);
    spool.end_segment();
    // Its segment is removed for its own room, and made once more.
    faults::set_room(Some(2 * (64 + 1024)));
    full(spool.append(&[&[b'x'; 5000]]));
    faults::set_room(None);
    spool.append(&[&[b'x'; 5000]]).unwrap();
    assert_eq!(paths(root.path(), ".mq").len(), 2);
}

fn flushing(root: &Path) -> Spool {
    open(Options {
        sync: Sync::Interval,
        ..small(root)
    })
}

#[test]
fn what_is_flushed_is_not_flushed_again() {
    let root = TempDir::new().unwrap();
    let spool = flushing(root.path());
    append(&spool, 0..2);
    spool.sync().unwrap();
    faults::fail_sync(Errno::EIO);
    spool.sync().unwrap();
    assert!(faults::sync().is_err());
}

#[test]
fn a_flush_that_fails_is_reported_whatever_comes_after_it() {
    for good in 0..3 {
        let root = TempDir::new().unwrap();
        let spool = flushing(root.path());
        append(&spool, 0..7);
        faults::fail_sync_after(good, Errno::EIO);
        assert!(spool.sync().is_err(), "after {good}");
    }
}

#[test]
fn a_spool_that_cannot_be_measured_is_as_full_as_it_was() {
    for good in 0..3 {
        let root = left_behind(|spool| append(spool, 0..20));
        let spool = open(Options {
            max_bytes: size(root.path()) + 1000,
            ..small(root.path())
        });
        faults::fail_open_after(good, ".", Errno::EMFILE);
        full(spool.append(&[b"x"]));
    }
}

#[test]
fn what_would_not_fit_into_an_empty_spool_is_told_apart() {
    let root = TempDir::new().unwrap();
    let spool = open(Options {
        max_bytes: 10_000,
        ..small(root.path())
    });
    let most = 10_000 - 64 - 1024 - 32;
    let larger = spool.append(&[&vec![b'x'; most + 1]]);
    assert_eq!(larger, Err(SpoolError::TooLarge));
    spool.append(&[&vec![b'x'; most]]).unwrap();
    full(spool.append(&[&vec![b'x'; most]]));
}
