//! Starting calls, and the threads that run them.

use super::{Event, Events};
use crate::sync::{Deadline, lock, wait};
use crate::thread;
use std::sync::Arc;

/// What a call is told when its turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Run,
    /// The client was closed first: only say so.
    Closed,
}

/// A call to be run by a thread of ours.
pub struct Call {
    pub tag: u64,
    /// What its payload weighs.
    pub bytes: usize,
    /// Does it and gives the document of its event. Must not panic.
    pub run: Box<dyn FnOnce(Turn) -> String + Send>,
}

/// Why a call is not started.
#[derive(Debug)]
pub enum Refusal {
    Full,
    Closed,
    NoThread(std::io::Error),
}

impl Events {
    /// Has a call run soon. It ends as exactly one event, unless it is refused here.
    pub fn start(self: &Arc<Self>, call: Call) -> Result<(), Refusal> {
        let mut state = lock(&self.state);
        if state.refusing {
            return Err(Refusal::Closed);
        }
        if state.full(&self.limits, call.bytes) {
            return Err(Refusal::Full);
        }
        if state.idle <= state.waiting.len() && state.threads.len() < self.limits.workers {
            let events = self.clone();
            match thread::start("mona-async", thread::AMPLE_STACK, move || events.work()) {
                Ok(thread) => state.threads.push(thread),
                Err(error) if state.threads.is_empty() => return Err(Refusal::NoThread(error)),
                // The threads that there are will do.
                Err(_) => {}
            }
        }
        state.calls += 1;
        state.bytes += call.bytes;
        state.waiting.push_back(call);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// The life of a thread: runs calls until no more can come.
    fn work(&self) {
        let mut state = lock(&self.state);
        loop {
            if let Some(call) = state.next_call(&self.limits) {
                state.running += 1;
                drop(state);
                self.run(call, Turn::Run);
                state = lock(&self.state);
            } else if state.refusing {
                return;
            } else {
                state.idle += 1;
                state = wait(&self.work, state, Deadline::after(None));
                state.idle -= 1;
            }
        }
    }

    fn run(&self, call: Call, turn: Turn) {
        let Call { tag, bytes, run } = call;
        let document = run(turn);
        let mut state = lock(&self.state);
        state.ended(bytes, Event { tag, document });
        let calm = state.running == 0;
        drop(state);
        self.arrival.notify_one();
        if calm {
            self.calm.notify_all();
        }
    }

    /// Starts no call any more. Those that nobody began yet end now, and say that the client is closed.
    pub fn refuse(&self) {
        let mut state = lock(&self.state);
        state.refusing = true;
        let abandoned = std::mem::take(&mut state.waiting);
        state.running += abandoned.len();
        drop(state);
        self.work.notify_all();
        for call in abandoned {
            self.run(call, Turn::Closed);
        }
    }

    /// Waits until every call that was started has ended, and its thread; false when the time is up first.
    pub fn settle(&self, deadline: Deadline) -> bool {
        let mut state = lock(&self.state);
        while state.running > 0 {
            if deadline.passed() {
                return false;
            }
            state = wait(&self.calm, state, deadline);
        }
        let threads = std::mem::take(&mut state.threads);
        drop(state);
        for thread in threads {
            // It has no call left, and cannot have panicked.
            let _ = thread.join();
        }
        true
    }
}
