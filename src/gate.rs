//! Counts the calls under way, so that closing can refuse new ones and wait for the rest.
#![forbid(unsafe_code)]

use crate::sync::{Deadline, lock};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

#[derive(Default)]
pub struct Gate {
    /// Changed under the lock, but read by a forked child without it.
    closed: AtomicBool,
    inside: Mutex<usize>,
    left: Condvar,
}

/// A call that is under way; it ends when this is dropped, by a panic too.
pub struct Pass<'a>(&'a Gate);

impl Gate {
    /// Lets a call in, unless the gate is closed.
    pub fn enter(&self) -> Option<Pass<'_>> {
        let mut inside = lock(&self.inside);
        if self.closed() {
            return None;
        }
        *inside += 1;
        Some(Pass(self))
    }

    /// A gate for a process that inherited this one: closed if this is, with nobody inside.
    pub fn inherited(&self) -> Gate {
        Gate {
            closed: AtomicBool::new(self.closed()),
            ..Gate::default()
        }
    }

    pub fn closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Closes the gate for good; true when nobody is inside any more.
    pub fn close(&self, deadline: Deadline) -> bool {
        let mut inside = lock(&self.inside);
        self.closed.store(true, Ordering::Relaxed);
        while *inside > 0 {
            let Some(left) = deadline.left(Duration::from_secs(3600)) else {
                return false;
            };
            let woken = self.left.wait_timeout(inside, left);
            inside = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        *lock(&self.0.inside) -= 1;
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
