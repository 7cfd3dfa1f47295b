//! Counts the calls under way, so that closing can refuse new ones and wait for the rest.
#![forbid(unsafe_code)]

use crate::sync::{Condvar, Deadline, Mutex, lock, wait};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Set in the count of those inside when the gate is closed.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// In cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
pub struct Gate {
    /// Every call changes it, from all threads: no lock, which they would wait for.
    inside: AtomicUsize,
    /// For whoever waits until nobody is inside.
    leaving: Mutex<()>,
    left: Condvar,
}

/// A call that is under way; it ends when this is dropped, by a panic too.
pub struct Pass<'a>(&'a Gate);

impl Gate {
    /// Lets a call in, unless the gate is closed.
    pub fn enter(&self) -> Option<Pass<'_>> {
        // Whoever closes it does not wait for those who come too late.
        if self.closed() {
            return None;
        }
        let before = self.inside.fetch_add(1, SeqCst);
        let pass = Pass(self);
        (before & CLOSED == 0).then_some(pass)
    }

    /// A gate for a process that inherited this one: closed if this is, with nobody inside.
    pub fn inherited(&self) -> Gate {
        Gate {
            inside: AtomicUsize::new(self.inside.load(SeqCst) & CLOSED),
            ..Gate::default()
        }
    }

    pub fn closed(&self) -> bool {
        self.inside.load(SeqCst) & CLOSED != 0
    }

    /// Closes the gate for good; true when nobody is inside any more.
    pub fn close(&self, deadline: Deadline) -> bool {
        let mut leaving = lock(&self.leaving);
        self.inside.fetch_or(CLOSED, SeqCst);
        while self.inside.load(SeqCst) != CLOSED {
            if deadline.passed() {
                return false;
            }
            leaving = wait(&self.left, leaving, deadline);
        }
        true
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let Pass(gate) = self;
        if gate.inside.fetch_sub(1, SeqCst) == CLOSED + 1 {
            // With the lock, so that it does not come between a look at the count and the wait.
            drop(lock(&gate.leaving));
            gate.left.notify_all();
        }
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
