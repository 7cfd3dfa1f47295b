//! Counts the calls under way, so that closing can refuse new ones and wait for the rest.
#![forbid(unsafe_code)]

use crate::sync::{Deadline, lock};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

#[derive(Default)]
pub struct Gate {
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    inside: usize,
}

/// A call that is under way; it ends when this is dropped, by a panic too.
pub struct Pass<'a>(&'a Gate);

impl Gate {
    /// Lets a call in, unless the gate is closed.
    pub fn enter(&self) -> Option<Pass<'_>> {
        let mut state = lock(&self.state);
        if state.closed {
            return None;
        }
        state.inside += 1;
        Some(Pass(self))
    }

    pub fn closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// Closes the gate for good; true when nobody is inside any more.
    pub fn close(&self, deadline: Deadline) -> bool {
        let mut state = lock(&self.state);
        state.closed = true;
        while state.inside > 0 {
            let Some(left) = deadline.left(Duration::from_secs(3600)) else {
                return false;
            };
            let woken = self.left.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).inside -= 1;
        self.0.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_waits_for_those_inside_and_lets_nobody_in() {
        let gate = Gate::default();
        let pass = gate.enter();
        assert!(!gate.close(Deadline::after(Some(1))));
        assert!(gate.enter().is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| gate.close(Deadline::after(None)));
            drop(pass);
            assert!(waiting.join().unwrap());
        });
    }
}
