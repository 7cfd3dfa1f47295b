//! The normal end of a program whose clients were not closed: what waits in memory is delivered in the time there is.
#![forbid(unsafe_code)]

use super::Queue;
use super::state::State;
use crate::fork::{self, PerProcess};
use crate::log;
use crate::sync::{Deadline, Mutex, MutexGuard, lock, must_not_wait, wait};
use std::sync::{Arc, TryLockError, Weak};
use std::time::Duration;

/// Whoever ends a program may hold any lock, because a signal handler may do so in the middle of a call.
const LOCK_PATIENCE_MS: u64 = 100;

const PAUSE: Duration = Duration::from_millis(1);

/// The queues of this process that were ever used.
static USED: PerProcess<Mutex<Vec<Weak<Queue>>>> = PerProcess::new();

/// To be called when the process ends by `exit` or a return from `main`.
pub fn at_exit() {
    fork::catch_up();
    // The runtime that the host's function belongs to may have ended by now.
    log::callback::silence();
    let Some(used) = USED.current().filter(|_| !must_not_wait()) else {
        return;
    };
    let queues: Vec<Arc<Queue>> = match locked(used) {
        Some(used) => used.iter().filter_map(Weak::upgrade).collect(),
        None => return,
    };
    let closing: Vec<_> = queues
        .iter()
        .filter_map(|queue| Some((queue, queue.hurry()?)))
        .collect();
    for (queue, deadline) in closing {
        queue.wait_for_the_end(deadline);
    }
}

/// The lock, unless it cannot be had.
fn locked<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    let deadline = Deadline::after(Some(LOCK_PATIENCE_MS));
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            // As everywhere, a panic elsewhere takes no lock away.
            Err(TryLockError::Poisoned(error)) => return Some(error.into_inner()),
            Err(_) if deadline.passed() => return None,
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

impl Queue {
    /// Has the end of the program wait for this queue.
    pub(super) fn mark_used(self: &Arc<Self>) {
        let mut used = lock(USED.get(|_| Mutex::default()));
        used.retain(|queue| queue.strong_count() > 0);
        used.push(Arc::downgrade(self));
    }

    /// Accepts nothing more and delivers without lingering; until when, or nothing where nobody has to wait.
    fn hurry(&self) -> Option<Deadline> {
        let mut state = locked(&self.state)?;
        let patience = u64::from(self.config.exit_timeout_ms);
        if patience == 0 || state.closed() || self.is_safe(&state) {
            return None;
        }
        let deadline = Deadline::after(Some(patience));
        state.closing = Some(deadline);
        self.work.notify_one();
        Some(deadline)
    }

    /// Whether what waits survives the program.
    fn is_safe(&self, state: &State) -> bool {
        self.durable() && !state.storage_failed
    }

    fn wait_for_the_end(&self, deadline: Deadline) {
        let Some(mut state) = locked(&self.state) else {
            return;
        };
        while !state.finished {
            if deadline.passed() {
                return;
            }
            state = wait(&self.progress, state, deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_a_panic_poisoned_can_be_had() {
        let mutex = Arc::new(Mutex::new(0));
        let held = mutex.clone();
        let panicked = std::thread::spawn(move || {
            let _guard = held.lock();
            panic!("triggered");
        });
        assert!(panicked.join().is_err());
        assert!(locked(&mutex).is_some());
    }
}
