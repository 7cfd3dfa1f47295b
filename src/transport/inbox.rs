//! Commands on their way to the thread that carries them out, which is woken in the cheapest way there is.
//!
//! That thread waits in one of two places: here, as long as another command is likely soon and nothing else is to be done, or in
//! its runtime, for sockets. There only a thread with the same table of descriptors can wake it, the forwarder, which costs one switch more.
#![forbid(unsafe_code)]

use crate::sync::{Condvar, Deadline, Mutex, lock, wait};
use std::collections::VecDeque;

pub struct Inbox<C> {
    state: Mutex<State<C>>,
    /// Wakes the reader where it waits here.
    arrived: Condvar,
    /// Wakes the forwarder.
    unseen: Condvar,
}

struct State<C> {
    commands: VecDeque<C>,
    reader: Reader,
    closed: bool,
}

/// What the thread is doing that carries commands out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// It will look here before it waits.
    Awake,
    WaitsHere,
    WaitsElsewhere,
}

/// What the reader finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<C> {
    Command(C),
    Nothing,
    /// Nobody will put anything here any more.
    Closed,
}

impl<C> Default for Inbox<C> {
    fn default() -> Self {
        Inbox {
            state: Mutex::new(State {
                commands: VecDeque::new(),
                reader: Reader::Awake,
                closed: false,
            }),
            arrived: Condvar::new(),
            unseen: Condvar::new(),
        }
    }
}

impl<C> Inbox<C> {
    /// Once closed, it drops what is put here.
    pub fn put(&self, command: C) {
        let mut state = lock(&self.state);
        if state.closed {
            return;
        }
        state.commands.push_back(command);
        let reader = state.reader;
        drop(state);
        match reader {
            Reader::Awake => {}
            Reader::WaitsHere => self.arrived.notify_one(),
            Reader::WaitsElsewhere => self.unseen.notify_one(),
        }
    }

    pub fn closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// Drops what is left; the reader and the forwarder end.
    pub fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let left = std::mem::take(&mut state.commands);
        drop(state);
        self.arrived.notify_one();
        self.unseen.notify_one();
        drop(left);
    }

    /// Waits here for a command; with none until the deadline, the reader goes on to wait elsewhere.
    pub fn wait(&self, deadline: Deadline) -> Found<C> {
        let mut state = lock(&self.state);
        loop {
            let late = deadline.passed();
            let found = state.next(if late {
                Reader::WaitsElsewhere
            } else {
                Reader::WaitsHere
            });
            if late || !matches!(found, Found::Nothing) {
                return found;
            }
            state = wait(&self.arrived, state, deadline);
        }
    }

    /// Looks for a command; with none, the reader comes back to wait here.
    pub fn look(&self) -> Found<C> {
        lock(&self.state).next(Reader::Awake)
    }

    /// Looks for a command; with none, the reader goes on to wait elsewhere.
    pub fn look_and_leave(&self) -> Found<C> {
        lock(&self.state).next(Reader::WaitsElsewhere)
    }

    /// The reader was woken elsewhere, and will look here: nobody needs to wake it.
    pub fn awake(&self) {
        lock(&self.state).reader = Reader::Awake;
    }

    /// Wakes the reader each time that something comes while it waits elsewhere; returns after the last time, for the end.
    pub fn forward(&self, wake: impl Fn()) {
        let mut state = lock(&self.state);
        while !state.closed {
            if state.reader == Reader::WaitsElsewhere && !state.commands.is_empty() {
                state.reader = Reader::Awake;
                drop(state);
                wake();
                state = lock(&self.state);
            } else {
                state = wait(&self.unseen, state, Deadline::default());
            }
        }
        drop(state);
        wake();
    }
}

impl<C> State<C> {
    /// The next command. With none, the reader does as given.
    fn next(&mut self, otherwise: Reader) -> Found<C> {
        self.reader = Reader::Awake;
        if self.closed {
            return Found::Closed;
        }
        let Some(command) = self.commands.pop_front() else {
            self.reader = otherwise;
            return Found::Nothing;
        };
        Found::Command(command)
    }
}
