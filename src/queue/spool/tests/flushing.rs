//! What a flush that failed, or has yet to come, means for the messages that it is for.
#![forbid(unsafe_code)]

use super::*;
use crate::sync::lock;
use nix::errno::Errno;
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
