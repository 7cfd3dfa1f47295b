//! Collecting events: by a poll that waits, or when the descriptor says that there are any.

use super::state::State;
use super::{Event, Events};
use crate::signal::Signal;
use crate::sync::{Deadline, lock, wait};

/// How a poll ends.
#[derive(Debug, PartialEq, Eq)]
pub enum Polled {
    Event(Event),
    /// None came in time, or the poll was woken.
    Nothing,
    /// None will ever come.
    Closed,
}

impl State {
    /// How any poll ends as soon as it can.
    fn end(&mut self) -> Option<Polled> {
        if let Some(event) = self.collect() {
            return Some(Polled::Event(event));
        }
        if self.over() {
            self.wakes = 0;
            self.show();
            return Some(Polled::Closed);
        }
        None
    }

    /// How a poll ends that has just begun, unless it has to wait.
    fn end_at_once(&mut self, deadline: Deadline) -> Option<Polled> {
        let end = self.end();
        if end.is_some() {
            return end;
        }
        if self.wakes > 0 {
            self.wakes -= 1;
            self.show();
            return Some(Polled::Nothing);
        }
        deadline.passed().then_some(Polled::Nothing)
    }

    /// How a poll ends that waits, if it ends.
    fn end_of_waiting(&mut self, deadline: Deadline) -> Option<Polled> {
        let end = self.end();
        if end.is_some() {
            return end;
        }
        // One whose time is up ends by itself, and leaves the wake to one that waits.
        if deadline.passed() {
            return Some(Polled::Nothing);
        }
        self.released = self.released.checked_sub(1)?;
        Some(Polled::Nothing)
    }

    /// A poll waits no more.
    fn leave(&mut self) {
        self.blocked -= 1;
        if self.released > self.blocked {
            // A wake was meant for this poll, which an event ended: it ends the next one.
            self.released -= 1;
            self.wakes += 1;
            self.show();
        }
    }
}

impl Events {
    /// Takes the next event, waiting for it until the deadline.
    pub fn poll(&self, deadline: Deadline) -> Polled {
        let mut state = lock(&self.state);
        let mut end = state.end_at_once(deadline);
        if end.is_none() {
            state.blocked += 1;
            while end.is_none() {
                state = wait(&self.arrival, state, deadline);
                end = state.end_of_waiting(deadline);
            }
            state.leave();
        }
        let closed = state.closed;
        let others_released = state.released > 0;
        let calls_wait = !state.waiting.is_empty();
        drop(state);
        if calls_wait {
            // Perhaps for this event to be collected, which may make room for several.
            self.work.notify_all();
        }
        if others_released {
            // This one's time was up just when it was woken for another.
            self.arrival.notify_one();
        }
        if closed {
            // Perhaps nothing is left for the other polls, or this was the last of them.
            self.arrival.notify_all();
            self.calm.notify_all();
        }
        end.unwrap_or(Polled::Nothing)
    }

    /// Ends one poll that waits, or the next one that would.
    pub fn wake(&self) {
        let mut state = lock(&self.state);
        if state.released < state.blocked {
            state.released += 1;
        } else {
            state.wakes = state.wakes.saturating_add(1);
            state.show();
        }
        drop(state);
        self.arrival.notify_one();
    }

    /// A descriptor that is readable while a poll has something to take. Made on first use.
    pub fn descriptor(&self) -> Option<i32> {
        let mut state = lock(&self.state);
        if state.signal.is_none() {
            state.signal = Signal::new();
            state.show();
        }
        state.signal.as_ref().map(Signal::descriptor)
    }

    /// Waits until no poll waits any more, and closes the descriptor. To be called after `close`.
    pub fn deserted(&self) {
        let mut state = lock(&self.state);
        while state.blocked > 0 {
            state = wait(&self.calm, state, Deadline::after(None));
        }
        // Threads that still wait for a server have these events, too.
        state.signal = None;
    }
}
