//! What a flush that failed, or has yet to come, means for the messages that it is for.
#![forbid(unsafe_code)]

use super::*;
use nix::errno::Errno;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{scope, yield_now};

fn with(sync: Sync, root: &Path) -> Spool {
    open(Options {
        sync,
        ..options(root)
    })
}

#[test]
fn a_directory_whose_flush_failed_is_flushed_again() {
    let root = TempDir::new().unwrap();
    let spool = with(Sync::Interval, root.path());
    append(&spool, 0..1);
    for _ in 0..2 {
        faults::fail_sync_of_directory(Errno::EIO);
        assert!(spool.sync().is_err());
    }
    spool.sync().unwrap();
}

#[test]
fn a_message_whose_directory_could_not_be_flushed_is_never_delivered() {
    let root = TempDir::new().unwrap();
    let spool = with(Sync::Always, root.path());
    faults::fail_sync_of_directory(Errno::EIO);
    assert!(spool.append(&[text(9).as_bytes()]).is_err());
    append(&spool, 0..1);
    assert_eq!(drain(&spool), expected(0..1));
    assert_eq!(spool.counts().messages, 0);
}

#[test]
fn what_was_appended_last_is_flushed_at_the_end() {
    for (sync, is_flushed) in [(Sync::Interval, true), (Sync::Os, false)] {
        let root = TempDir::new().unwrap();
        let spool = with(sync, root.path());
        append(&spool, 0..1);
        faults::fail_sync(Errno::EIO);
        drop(spool);
        assert_eq!(faults::sync().is_ok(), is_flushed);
    }
}

/// While a message is written and its flush has yet to come. Then the call that appended it goes on.
fn before_its_flush(spool: &Spool, then: impl FnOnce()) -> Result<(), SpoolError> {
    scope(|scope| {
        let flushing = lock(&spool.flushing);
        let append = scope.spawn(|| spool.append(&[text(0).as_bytes()]));
        while spool.counts().messages == 0 {
            yield_now();
        }
        // The call has it until all is written.
        drop(lock(&spool.writer));
        then();
        drop(flushing);
        append.join().unwrap()
    })
}

#[test]
fn a_message_is_not_read_before_it_is_flushed() {
    let root = TempDir::new().unwrap();
    let spool = with(Sync::Always, root.path());
    let appended = before_its_flush(&spool, || {
        assert_eq!(texts(&spool.read(9, usize::MAX).unwrap()), expected(0..0));
    });
    appended.unwrap();
    assert_eq!(texts(&spool.read(9, usize::MAX).unwrap()), expected(0..1));
}

#[test]
fn a_message_that_waits_for_its_flush_while_another_fails_is_refused_and_not_lost() {
    let root = TempDir::new().unwrap();
    let spool = with(Sync::Always, root.path());
    let appended = before_its_flush(&spool, || {
        let active = lock(&spool.writer).active.clone().unwrap();
        spool.distrust(&active);
        assert_eq!(texts(&spool.read(9, usize::MAX).unwrap()), expected(0..0));
    });
    assert!(matches!(appended, Err(SpoolError::Storage { .. })));
    let counts = spool.counts();
    assert_eq!(
        (counts.messages, counts.lost, counts.corrupt_frames),
        (0, 0, 0)
    );
}

#[test]
fn no_call_waits_while_the_removal_of_segments_is_flushed() {
    let root = TempDir::new().unwrap();
    let spool = Arc::new(with(Sync::Interval, root.path()));
    append(&spool, 0..1);
    assert_eq!(drain(&spool), expected(0..1));
    let (other, (seen, free)) = (spool.clone(), channel());
    faults::during_sync_of_directory(move || {
        let writer = other.writer.try_lock();
        seen.send(writer.is_ok()).unwrap();
    });
    assert!(spool.let_go());
    assert_eq!(free.try_recv(), Ok(true));
}

#[test]
fn a_call_that_removes_segments_for_its_room_leaves_their_flush_to_the_next() {
    let root = TempDir::new().unwrap();
    let spool = open(Options {
        sync: Sync::Interval,
        // Two segments, in the second of which there is one message.
        max_bytes: 2 * (64 + 1024) + 4 * 48,
        ..small(root.path())
    });
    append(&spool, 0..3);
    let batch = spool.read(3, usize::MAX).unwrap();
    spool.acknowledge(&tickets(&batch)).unwrap();
    append(&spool, 3..4);
    spool.sync().unwrap();
    faults::fail_sync_of_directory(Errno::EIO);
    append(&spool, 4..5);
    assert_eq!(paths(root.path(), ".mq").len(), 1);
    assert!(spool.sync().is_err());
}

#[test]
fn what_a_program_did_not_flush_before_its_end_is_flushed_by_who_adopts_it() {
    let modes = [
        (Sync::Os, false),
        (Sync::Interval, true),
        (Sync::Always, true),
    ];
    for (sync, is_flushed) in modes {
        let root = left_behind(|spool| append(spool, 0..1));
        let spool = with(sync, root.path());
        faults::fail_sync(Errno::EIO);
        faults::fail_sync_of_directory(Errno::EIO);
        assert_eq!(spool.adopt(), 1);
        let flushed = [faults::sync(), faults::sync_directory()].map(|armed| armed.is_ok());
        assert_eq!(flushed, [is_flushed; 2], "{sync:?}");
        assert_eq!(drain(&spool), expected(0..1));
    }
}
