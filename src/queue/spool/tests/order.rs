//! Order, acknowledgement and what the next run finds.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn messages_come_back_in_order_across_segments() {
    let root = TempDir::new().unwrap();
    let spool = open(small(root.path()));
    append(&spool, 0..20);
    assert_eq!(paths(root.path(), ".mq").len(), 7);
    let first = spool.read(11, usize::MAX).unwrap();
    let second = spool.read(usize::MAX, usize::MAX).unwrap();
    assert_eq!(texts(&first), expected(0..11));
    assert_eq!(texts(&second), expected(11..20));
    assert!(spool.read(1, 1).unwrap().is_empty());
    append(&spool, 20..21);
    assert_eq!(texts(&spool.read(9, usize::MAX).unwrap()), expected(20..21));
}

#[test]
fn a_batch_keeps_its_limits_but_always_moves() {
    let root = TempDir::new().unwrap();
    let spool = open(options(root.path()));
    append(&spool, 0..5);
    let length = text(0).len();
    assert!(spool.read(0, usize::MAX).unwrap().is_empty());
    assert_eq!(texts(&spool.read(9, 2 * length).unwrap()), expected(0..2));
    assert_eq!(
        texts(&spool.read(9, 2 * length - 1).unwrap()),
        expected(2..3)
    );
    assert_eq!(texts(&spool.read(9, 0).unwrap()), expected(3..4));
    assert_eq!(texts(&spool.read(9, length).unwrap()), expected(4..5));
}

#[test]
fn payloads_of_any_size_come_back_whole() {
    let root = TempDir::new().unwrap();
    let spool = open(small(root.path()));
    let sizes = [0, 1, 7, 8, 9, 500, 200_000, 3];
    let payloads: Vec<Vec<u8>> = sizes.iter().map(|size| vec![b'x'; *size]).collect();
    let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    spool.append(&slices).unwrap();
    append(&spool, 0..1);
    let read = spool.read(99, usize::MAX).unwrap();
    let found: Vec<_> = read.iter().map(|message| message.payload.clone()).collect();
    assert_eq!(found[..8], payloads);
    assert_eq!(found[8], text(0).into_bytes());
}

#[test]
fn an_empty_payload_at_the_end_is_a_message_too() {
    let root = TempDir::new().unwrap();
    let spool = open(options(root.path()));
    spool.append(&[b"x"]).unwrap();
    spool.append(&[b""]).unwrap();
    assert_eq!(spool.read(9, usize::MAX).unwrap().len(), 2);
}

#[test]
fn what_is_acknowledged_before_the_segment_is_full_keeps_it() {
    let root = TempDir::new().unwrap();
    let spool = open(small(root.path()));
    append(&spool, 0..2);
    let batch = tickets(&spool.read(9, usize::MAX).unwrap());
    spool.acknowledge(&batch).unwrap();
    append(&spool, 2..4);
    let batch = spool.read(9, usize::MAX).unwrap();
    assert_eq!(texts(&batch), expected(2..4));
    assert_eq!(paths(root.path(), ".mq").len(), 2);
    spool.acknowledge(&tickets(&batch)[..1]).unwrap();
    assert_eq!(paths(root.path(), ".mq").len(), 1);
}

#[test]
fn each_record_of_acknowledgement_stays() {
    let root = left_behind(|spool| {
        append(spool, 0..3);
        let batch = tickets(&spool.read(9, usize::MAX).unwrap());
        spool.acknowledge(&batch[..1]).unwrap();
        spool.acknowledge(&batch[2..]).unwrap();
    });
    assert_eq!(drain(&open(small(root.path()))), expected(1..2));
}

#[test]
fn a_segment_goes_when_all_of_it_is_acknowledged() {
    let root = TempDir::new().unwrap();
    let spool = open(small(root.path()));
    append(&spool, 0..7);
    let batch = spool.read(99, usize::MAX).unwrap();
    spool.acknowledge(&tickets(&batch)[..2]).unwrap();
    assert_eq!(paths(root.path(), ".mq").len(), 3);
    spool.acknowledge(&tickets(&batch)[2..4]).unwrap();
    assert_eq!(paths(root.path(), ".mq").len(), 2);
    assert_eq!(paths(root.path(), ".ack").len(), 2);
    spool.acknowledge(&tickets(&batch)[4..]).unwrap();
    // The last one still takes frames.
    assert_eq!(paths(root.path(), ".mq").len(), 1);
    assert_eq!(spool.counts().messages, 0);
    drop(spool);
    assert_eq!(files(root.path()), []);
}

#[test]
fn counts_are_exact_whatever_is_acknowledged_twice() {
    let root = TempDir::new().unwrap();
    let spool = open(small(root.path()));
    append(&spool, 0..7);
    let length = text(0).len() as u64;
    let batch = tickets(&spool.read(99, usize::MAX).unwrap());
    for ticket in [&batch[3..5], &batch[..1], &batch[3..5], &batch[4..6]] {
        spool.acknowledge(ticket).unwrap();
    }
    let counts = spool.counts();
    assert_eq!((counts.messages, counts.bytes), (3, 3 * length));
    let size: u64 = files(root.path()).iter().map(|f| f.1.len() as u64).sum();
    assert_eq!(spool.shared.used.load(SeqCst), size);
}

#[test]
fn the_next_run_finds_exactly_what_was_not_acknowledged() {
    let root = left_behind(|spool| {
        append(spool, 0..10);
        let batch = tickets(&spool.read(99, usize::MAX).unwrap());
        spool.acknowledge(&batch[..2]).unwrap();
        spool.acknowledge(&batch[4..5]).unwrap();
        spool.acknowledge(&batch[6..8]).unwrap();
    });
    let spool = open(small(root.path()));
    assert_eq!(spool.adopt(), 5);
    let counts = spool.counts();
    assert_eq!((counts.messages, counts.adopted), (5, 5));
    assert_eq!((counts.corrupt_frames, counts.corrupt_bytes), (0, 0));
    let found = drain(&spool);
    let kept = [2, 3, 5, 8, 9].map(text);
    assert_eq!(found, kept);
    assert_eq!(spool.counts().messages, 0);
    drop(spool);
    assert_eq!(files(root.path()), []);
}

#[test]
fn older_messages_of_an_orphan_come_first() {
    let root = left_behind(|spool| append(spool, 0..4));
    let spool = open(small(root.path()));
    append(&spool, 4..8);
    spool.adopt();
    assert_eq!(texts(&spool.read(99, usize::MAX).unwrap()), expected(0..8));
}

#[test]
fn an_old_message_is_skipped_acknowledged_and_counted() {
    let root = left_behind(|spool| append(spool, 0..4));
    let retention = Duration::ZERO;
    let spool = open(Options {
        retention,
        ..small(root.path())
    });
    assert_eq!(spool.adopt(), 4);
    assert!(spool.read(99, usize::MAX).unwrap().is_empty());
    let counts = spool.counts();
    assert_eq!((counts.expired, counts.messages, counts.bytes), (4, 0, 0));
    drop(spool);
    assert_eq!(files(root.path()), []);
}

#[test]
fn any_number_of_old_messages_ends_in_one_reading() {
    let root = left_behind(|spool| append(spool, 0..2500));
    let options = |retention| Options {
        retention,
        ..small(root.path())
    };
    let spool = open(options(Duration::ZERO));
    assert_eq!(spool.adopt(), 2500);
    assert!(spool.read(10, usize::MAX).unwrap().is_empty());
    assert_eq!(spool.counts().expired, 2500);
    assert_eq!(spool.counts().messages, 0);
}

#[test]
fn a_later_run_never_writes_into_an_earlier_runs_files() {
    let root = left_behind(|spool| append(spool, 0..1));
    let before = files(root.path());
    let spool = open(small(root.path()));
    append(&spool, 1..9);
    spool.adopt();
    spool.read(99, usize::MAX).unwrap();
    let after = files(root.path());
    assert!(before.iter().all(|file| after.contains(file)));
}

#[test]
fn many_threads_append_without_loss_and_each_in_order() {
    let root = TempDir::new().unwrap();
    let spool = open(Options {
        segment_bytes: 4096,
        ..options(root.path())
    });
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let spool = &spool;
            scope.spawn(move || append(spool, thread * 1000..thread * 1000 + 500));
        }
        let mut found = Vec::new();
        while found.len() < 2000 {
            let batch = spool.read(64, usize::MAX).unwrap();
            found.extend(texts(&batch));
            spool.acknowledge(&tickets(&batch)).unwrap();
        }
        for thread in 0..4 {
            let own = expected(thread * 1000..thread * 1000 + 500);
            let of_thread = found.iter().filter(|text| own.contains(text));
            assert!(of_thread.eq(&own));
        }
    });
    assert_eq!(spool.counts().messages, 0);
}

#[test]
fn a_segment_acknowledged_while_it_was_written_goes_when_the_next_one_is_read() {
    let root = TempDir::new().unwrap();
    let spool = open(small(root.path()));
    append(&spool, 0..3);
    let batch = spool.read(9, usize::MAX).unwrap();
    spool.acknowledge(&tickets(&batch)).unwrap();
    append(&spool, 3..4);
    assert_eq!(paths(root.path(), ".mq").len(), 2);
    assert_eq!(spool.read(9, usize::MAX).unwrap().len(), 1);
    assert_eq!(paths(root.path(), ".mq").len(), 1);
}
