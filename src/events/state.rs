//! What is known of a client's calls and events, all of it under one lock.

use super::calls::Call;
use super::{Event, Limits};
use crate::signal::Signal;
use crate::thread::JoinHandle;
use std::collections::VecDeque;

#[derive(Default)]
pub struct State {
    /// Started calls that nobody runs yet.
    pub waiting: VecDeque<Call>,
    /// Calls that are being run or reported.
    pub running: usize,
    /// Calls that were started and not collected: those waiting, running and arrived.
    pub calls: usize,
    /// What their payloads and documents weigh.
    pub bytes: usize,
    /// Events that wait to be collected.
    pub arrived: VecDeque<Event>,
    /// Threads that wait for work.
    pub idle: usize,
    pub threads: Vec<JoinHandle<()>>,
    /// No call can be started any more.
    pub refusing: bool,
    /// No event comes any more, but for those of calls.
    pub closed: bool,
    /// Polls that wait.
    pub blocked: usize,
    /// How many of those are to end without an event; never more than there are.
    pub released: usize,
    /// How many polls to come are not to wait.
    pub wakes: usize,
    pub signal: Option<Signal>,
}

impl State {
    pub fn full(&self, limits: &Limits, bytes: usize) -> bool {
        self.calls >= limits.calls
            || self.calls > 0 && self.bytes.saturating_add(bytes) > limits.bytes
    }

    /// A call of so many bytes has ended as this event.
    pub fn ended(&mut self, bytes: usize, event: Event) {
        self.running -= 1;
        self.bytes = self.bytes - bytes + event.document.len();
        self.arrived.push_back(event);
        self.show();
    }

    pub fn collect(&mut self) -> Option<Event> {
        let event = self.arrived.pop_front()?;
        self.calls -= 1;
        self.bytes -= event.document.len();
        self.show();
        Some(event)
    }

    /// Whether there will never be an event again.
    pub fn over(&self) -> bool {
        self.closed && self.calls == 0
    }

    /// Makes the descriptor readable exactly while a poll has something to take.
    pub fn show(&mut self) {
        let ready = !self.arrived.is_empty() || self.wakes > 0;
        if let Some(signal) = &mut self.signal {
            signal.set(ready);
        }
    }
}
