//! Locks that a panic elsewhere cannot take away.
#![forbid(unsafe_code)]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Locks even after a holder panicked: every state kept under these locks is valid at each step.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When a call must be over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// `timeout_ms` from now; none means that only the configured time-outs count.
    pub fn after(timeout_ms: Option<u64>) -> Self {
        let limit = timeout_ms.map(Duration::from_millis);
        Deadline(limit.and_then(|limit| Instant::now().checked_add(limit)))
    }

    /// This deadline, or one so many milliseconds from now if that is sooner.
    pub fn sooner(self, timeout_ms: u64) -> Self {
        let Deadline(other) = Deadline::after(Some(timeout_ms));
        Deadline([self.0, other].into_iter().flatten().min())
    }

    /// What is left of it, but `cap` at most; `None` when the time is up.
    pub fn left(self, cap: Duration) -> Option<Duration> {
        match self.0 {
            None => Some(cap),
            Some(at) => {
                let left = at.saturating_duration_since(Instant::now());
                (!left.is_zero()).then_some(left.min(cap))
            }
        }
    }
}
