//! What is known of a client's calls and events, all of it under one lock.

use super::calls::Call;
use super::notices::Notices;
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
    /// Ends of calls that wait to be collected, each with its place among all events.
    pub arrived: VecDeque<(u64, Event)>,
    pub notices: Notices,
    /// How many events came so far.
    pub events: u64,
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

    /// The next call to be run; none while what arrived is more than may wait, and is to be collected first.
    pub fn next_call(&mut self, limits: &Limits) -> Option<Call> {
        let room = self.arrived.is_empty() || self.bytes <= limits.bytes;
        room.then(|| self.waiting.pop_front()).flatten()
    }

    /// A call of so many bytes has ended as this event.
    pub fn ended(&mut self, bytes: usize, event: Event) {
        self.running -= 1;
        self.bytes = self.bytes - bytes + event.document.len();
        let place = self.next_place();
        self.arrived.push_back((place, event));
        self.show();
    }

    pub fn next_place(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    /// Takes the oldest event.
    pub fn collect(&mut self) -> Option<Event> {
        let call = self.arrived.front().map(|(place, _)| *place);
        let notice = self.notices.place();
        if notice.is_some_and(|notice| call.is_none_or(|call| notice < call)) {
            let document = self.notices.take()?;
            self.show();
            return Some(Event { tag: 0, document });
        }
        let (_, event) = self.arrived.pop_front()?;
        self.calls -= 1;
        self.bytes -= event.document.len();
        self.show();
        Some(event)
    }

    /// Whether there will never be an event again.
    pub fn over(&self) -> bool {
        self.closed && self.calls == 0 && self.notices.place().is_none()
    }

    /// Makes the descriptor readable exactly while a poll has something to take.
    pub fn show(&mut self) {
        let ready = !self.arrived.is_empty() || self.notices.place().is_some() || self.wakes > 0;
        if let Some(signal) = &mut self.signal {
            signal.set(ready);
        }
    }
}
