//! The library's own src/events, src/fork, src/transport/inbox.rs and src/transport/reply.rs, with loom's locks and threads in place of
//! the system's: each test runs in every order that its threads can take, up to `PREEMPTIONS` switches at a place where a thread could
//! have gone on.
//!
//! What the model replaces is small: how a thread is started, the descriptor that a host watches, and the clock, which
//! goes on only when a test says so.
#![cfg(test)]
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../../../src/events/mod.rs"]
mod events;
#[path = "../../../src/fork/mod.rs"]
mod fork;
#[path = "../../../src/transport/inbox.rs"]
mod inbox;
#[path = "../../../src/transport/reply.rs"]
mod reply;
#[path = "../../../src/sync.rs"]
mod sync;

mod instant;
mod signal;
mod thread;

mod calls;
mod commands;
mod forks;
mod polls;
mod replies;

use events::{Call, Event, Events, Limits, Polled, Turn};
use std::sync::Arc;
use sync::Deadline;

const LIMITS: Limits = Limits {
    workers: 1,
    calls: 10,
    bytes: 1000,
    notices: 1000,
};

/// Runs a test in every order.
fn model(test: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions());
    builder.check(test);
}

/// Each more takes ten times as long; nearly all errors of this kind need two.
fn preemptions() -> usize {
    let wanted = std::env::var("MONA_TEST_PREEMPTIONS").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// A call whose event says what it was told.
fn call(tag: u64) -> Call {
    Call {
        tag,
        bytes: 1,
        run: Box::new(|turn: Turn| format!("{turn:?}")),
    }
}

fn now() -> Deadline {
    Deadline::after(Some(0))
}

fn ever() -> Deadline {
    Deadline::after(None)
}

/// As a client is closed and freed: nothing may wait for ever, and no thread is left.
fn end(events: &Events) {
    events.refuse();
    assert!(events.settle(ever()));
    events.close();
    events.deserted();
}

/// Collects until there will never be another event; the tags, in order of arrival.
fn collect(events: &Events) -> Vec<u64> {
    let mut tags = Vec::new();
    loop {
        match events.poll(ever()) {
            Polled::Event(event) => tags.push(event.tag),
            Polled::Closed => return tags,
            Polled::Nothing => panic!("nobody woke this poll"),
        }
    }
}

fn spawn<T: 'static>(
    events: &Arc<Events>,
    run: impl FnOnce(&Arc<Events>) -> T + 'static,
) -> loom::thread::JoinHandle<T> {
    let events = events.clone();
    loom::thread::spawn(move || run(&events))
}
