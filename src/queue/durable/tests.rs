//! What the queue promises with a spool.
#![forbid(unsafe_code)]

use super::*;
use crate::asynchronous;
use crate::config::Config;
use crate::events::{Events, Polled};
use crate::queue::Reporter;
use crate::queue::buffer::age_ms;
use crate::queue::settle::tests::queue;
use crate::queue::spool::tests::faults;
use nix::errno::Errno;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::mpsc;

/// Longer than any machine takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// With a small spool, and these keys of `queue` besides.
fn config(folder: &Path, more: Value) -> Config {
    let mut keys = json!({"spool_dir": folder, "spool_max_bytes": 65536, "spool_keep_free_bytes": 0, "linger_ms": 3_600_000});
    let more = more.as_object().unwrap().clone();
    keys.as_object_mut().unwrap().extend(more);
    let config = json!({"user_id": "u", "log_events": "warning", "queue": keys});
    Config::from_json(Some(&config.to_string())).unwrap()
}

/// A queue whose spool is small, and whose thread delivers nothing.
fn small_spool(folder: &Path) -> Arc<Queue> {
    queue(&config(folder, json!({}))).0
}

/// One that nothing accesses but the test, and what it tells.
fn quiet(folder: &Path, more: Value) -> (Arc<Queue>, Logger, Arc<Events>) {
    let config = config(folder, more);
    let events = Events::new(asynchronous::limits(&config));
    let logger = Logger::new(&config, events.clone());
    let reporter = Reporter::new(&config, events.clone());
    let url = "http://quiet.test";
    let queue = Queue::new(config.queue.clone(), url, "0".repeat(32), reporter);
    queue.open_spool().unwrap();
    lock(&queue.state).started = true;
    (queue, logger, events)
}

/// How many events there are by now.
fn told(events: &Events) -> usize {
    let next = || match events.poll(Deadline::after(Some(0))) {
        Polled::Event(event) => Some(event),
        _ => None,
    };
    std::iter::from_fn(next).count()
}

/// Waits until this is so.
fn wait_until(so: impl Fn() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
}

fn accept(queue: &Arc<Queue>, bytes: usize) -> Result<(), Error> {
    let message = vec![b'1'; bytes];
    let idle = |_| Ok(std::thread::spawn(|| ()));
    queue.accept([&message[..]].into_iter(), Load::weighing(1, bytes), idle)
}

#[test]
fn calls_that_fail_bring_no_flush_nearer_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let queue = small_spool(folder.path());
    while accept(&queue, 1000).is_ok() {}
    let mark = lock(&queue.state).mark();
    let accepted = lock(&queue.state).counters.accepted;
    for _ in 0..accepted {
        assert!(accept(&queue, 1000).is_err());
    }
    assert_eq!(lock(&queue.state).pending(mark), accepted);
}

#[test]
fn a_call_that_fails_wakes_a_flush_that_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let queue = small_spool(folder.path());
    lock(&queue.state).appending = 1;
    let (flushed, ended) = mpsc::channel();
    let flushing = queue.clone();
    std::thread::spawn(move || flushed.send(flushing.flush(Deadline::default())));
    // With the lock given away again, it waits.
    while lock(&queue.state).flush_to.is_none() {
        std::thread::yield_now();
    }
    lock(&queue.state).appending = 0;
    assert!(accept(&queue, 100_000).is_err());
    assert_eq!(ended.recv_timeout(PATIENCE), Ok((0, false)));
}

#[test]
fn a_call_that_could_never_be_kept_is_refused_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let queue = small_spool(folder.path());
    // In the files, a message takes more than in memory.
    let short = [&b"12345678"[..]; 1700];
    let load = Load::weighing(short.len(), 8 * short.len());
    let idle = |_| Ok(std::thread::spawn(|| ()));
    let results = [
        accept(&queue, 65536),
        accept(&queue, 64500),
        queue.accept(short.into_iter(), load, idle),
    ];
    for result in results {
        assert!(matches!(result, Err(Error::LargerThanQueue)), "{result:?}");
    }
    assert_eq!(lock(&queue.state).counters.refused, 1702);
}

#[test]
fn what_was_read_into_memory_expires_there_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let queue = small_spool(folder.path());
    accept(&queue, 10).unwrap();
    accept(&queue, 10).unwrap();
    let spool = queue.spool.get().unwrap();
    let messages = spool.read(2, 1000).unwrap();
    let mut state = lock(&queue.state);
    let old_ms = queue.now_ms().wrapping_sub(73 * 3_600_000);
    for (message, at_ms) in messages.iter().zip([old_ms, queue.now_ms()]) {
        let mut batch = Batch::default();
        batch.push_kept(&message.payload, at_ms, message.ticket);
        state.on_disk.subtract(Load::of(&batch));
        state.buffer.append(batch);
    }
    let state = queue.expire(state);
    assert_eq!(
        (state.counters.expired, state.buffer.load().messages),
        (1, 1)
    );
    assert_eq!(spool.counts().messages, 1);
}

#[test]
fn a_call_that_waits_for_room_takes_what_another_client_makes() {
    let folder = tempfile::tempdir().unwrap();
    let other = small_spool(folder.path());
    while accept(&other, 1000).is_ok() {}
    let keys = json!({"overflow": "block", "block_ms": 3_600_000});
    let (queue, ..) = quiet(folder.path(), keys);
    let (ended, result) = mpsc::channel();
    let blocked = queue.clone();
    std::thread::spawn(move || ended.send(accept(&blocked, 1000)));
    // With the lock given away again, it waits.
    wait_until(|| lock(&queue.state).flush_to.is_some());
    let spool = other.spool.get().unwrap();
    let all = spool.read(1000, usize::MAX).unwrap();
    let tickets: Vec<_> = all.iter().map(|message| message.ticket).collect();
    spool.acknowledge(&tickets).unwrap();
    spool.let_go();
    assert!(matches!(result.recv_timeout(PATIENCE), Ok(Ok(()))));
}

#[test]
fn the_disk_is_flushed_at_intervals_while_the_client_lives() {
    let folder = tempfile::tempdir().unwrap();
    let queue = queue(&config(folder.path(), json!({"spool_sync_interval_ms": 1}))).0;
    accept(&queue, 10).unwrap();
    wait_until(|| queue.spool.get().unwrap().is_flushed());
}

#[test]
fn what_could_not_be_flushed_is_flushed_again_though_nothing_is_enqueued() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, ..) = quiet(folder.path(), json!({"spool_sync_interval_ms": 1}));
    accept(&queue, 10).unwrap();
    let flushing = queue.clone();
    let thread = std::thread::spawn(move || {
        faults::fail_sync_of_directory(Errno::EIO);
        flushing.flush_disk();
    });
    wait_until(|| lock(&queue.state).storage_failed);
    wait_until(|| !lock(&queue.state).storage_failed);
    lock(&queue.state).finished = true;
    queue.unflushed.notify_all();
    thread.join().unwrap();
}

#[test]
fn what_a_batch_leaves_on_disk_has_waited_since_before_it_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, ..) = quiet(folder.path(), json!({"batch_messages": 1}));
    accept(&queue, 10).unwrap();
    accept(&queue, 10).unwrap();
    let accepted_ms = queue.now_ms();
    wait_until(|| age_ms(queue.now_ms(), accepted_ms) > 20);
    queue.fill(queue.spool.get().unwrap());
    let state = lock(&queue.state);
    assert_eq!(state.on_disk.messages, 1);
    assert!(age_ms(queue.now_ms(), state.on_disk_since_ms) >= 20);
}

#[test]
fn who_waited_for_messages_that_were_given_up_finds_the_event() {
    let ways: [fn(&Queue, &Spool); 2] = [Queue::fill, Queue::tidy];
    for give_up in ways {
        let folder = tempfile::tempdir().unwrap();
        let (queue, _, events) = quiet(folder.path(), json!({}));
        accept(&queue, 10).unwrap();
        damage(folder.path());
        let spool = queue.spool.get().unwrap();
        // With its end, the segment is known for damaged.
        queue.fill(spool);
        assert_eq!(told(&events), 0);
        give_up(&queue, spool);
        assert_eq!(lock(&queue.state).counters.dropped_damaged, 1);
        assert_eq!(told(&events), 1);
    }
}

/// Spoils each segment below a folder, but for its header.
fn damage(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damage(&path);
        } else if path.extension().is_some_and(|end| end == "mq") {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[64..].fill(b'x');
            std::fs::write(&path, bytes).unwrap();
        }
    }
}

#[test]
fn what_an_ended_program_left_and_cannot_be_read_is_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let (ended, ..) = quiet(folder.path(), json!({}));
    accept(&ended, 10).unwrap();
    drop(ended);
    let (queue, logger, events) = quiet(folder.path(), json!({}));
    let spool = queue.spool.get().unwrap();
    for _ in 0..2 {
        faults::fail_open_after(0, ".mq", Errno::EIO);
        assert!(!queue.adopt(spool, &logger));
        let state = lock(&queue.state);
        let error = state.last_error.clone().unwrap();
        assert!(state.storage_failed && error.contains("left"), "{error}");
    }
    assert_eq!(told(&events), 1);
    assert!(queue.adopt(spool, &logger));
    assert!(!lock(&queue.state).storage_failed);
    assert_eq!(told(&events), 0);
}
