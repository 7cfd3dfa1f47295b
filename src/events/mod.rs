//! Calls that were started, and the events that tell of their end: one bounded queue for each client and process.
//!
//! Everything is under one lock. A started call waits, runs, and ends as exactly one event; the event waits until a poll
//! takes it. What calls do and what their events say is the business of those who start them.
#![forbid(unsafe_code)]

mod calls;
mod notices;
mod polls;
mod state;

#[cfg(test)]
#[cfg(not(loom))]
mod tests;

pub use calls::{Call, Refusal, Turn};
pub use polls::Polled;

use crate::sync::{Condvar, Mutex, lock};
use state::State;
use std::sync::Arc;

/// What a poll takes: the end of a call, or a notice of something else.
#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    /// The caller's, of the call that it tells of; of a notice 0.
    pub tag: u64,
    pub document: String,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many threads run calls.
    pub workers: usize,
    /// How many calls may be started and not collected.
    pub calls: usize,
    /// How many bytes their payloads and documents may have, unless it is a single call's.
    pub bytes: usize,
    /// How many bytes notices may have.
    pub notices: usize,
}

/// A client's calls and events.
pub struct Events {
    limits: Limits,
    pub(super) state: Mutex<State>,
    /// Wakes threads that run calls.
    work: Condvar,
    /// Wakes polls.
    arrival: Condvar,
    /// Wakes those who wait for the end of calls or of polls.
    calm: Condvar,
}

impl Events {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Events {
            limits,
            state: Mutex::new(State::default()),
            work: Condvar::new(),
            arrival: Condvar::new(),
            calm: Condvar::new(),
        })
    }

    /// For a process that inherited a closed client.
    pub fn closed(limits: Limits) -> Arc<Self> {
        let events = Events::new(limits);
        events.refuse();
        events.close();
        events
    }

    /// Polls end as soon as there is nothing left to collect.
    pub fn close(&self) {
        lock(&self.state).closed = true;
        self.arrival.notify_all();
    }
}
