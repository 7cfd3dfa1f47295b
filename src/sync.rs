//! Locks that a panic elsewhere cannot take away.
#![forbid(unsafe_code)]

#[cfg(loom)]
use crate::instant::Instant;
use std::cell::Cell;
use std::sync::PoisonError;
use std::time::Duration;
#[cfg(not(loom))]
use std::time::Instant;

#[cfg(loom)]
pub use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(loom))]
pub use std::sync::{Condvar, Mutex, MutexGuard};

/// Locks even after a holder panicked: every state kept under these locks is valid at each step.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until woken, or until the deadline; without one, nothing else ever wakes the thread.
pub fn wait<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    deadline: Deadline,
) -> MutexGuard<'a, T> {
    match deadline.0 {
        None => condition
            .wait(guard)
            .unwrap_or_else(PoisonError::into_inner),
        Some(at) => {
            let left = at.saturating_duration_since(Instant::now());
            let woken = condition.wait_timeout(guard, left);
            woken.unwrap_or_else(PoisonError::into_inner).0
        }
    }
}

thread_local! {
    static MUST_NOT_WAIT: Cell<bool> = const { Cell::new(false) };
}

/// Runs the host's code in the middle of ours. What it calls of the library must not wait for other calls to end: this
/// thread may be in the middle of the very one.
pub fn without_waiting(f: impl FnOnce()) {
    let before = MUST_NOT_WAIT.replace(true);
    f();
    MUST_NOT_WAIT.set(before);
}

/// Whether this thread is in the host's code that ours called.
pub fn must_not_wait() -> bool {
    MUST_NOT_WAIT.get()
}

/// When a call must be over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// `timeout_ms` from now; none means that only the configured time-outs count.
    pub fn after(timeout_ms: Option<u64>) -> Self {
        let limit = timeout_ms.map(Duration::from_millis);
        Deadline(limit.and_then(|limit| Instant::now().checked_add(limit)))
    }

    /// As C callers give it: a negative time-out waits as long as it takes. Nothing is waited for inside a callback.
    pub fn of_caller(timeout_ms: i64) -> Self {
        let timeout_ms = if must_not_wait() { 0 } else { timeout_ms };
        Deadline::after(timeout_ms.try_into().ok())
    }

    pub fn at(at: Instant) -> Self {
        Deadline(Some(at))
    }

    /// The sooner of two.
    pub fn min(self, other: Self) -> Self {
        Deadline([self.0, other.0].into_iter().flatten().min())
    }

    /// This deadline, or one so many milliseconds from now if that is sooner.
    pub fn sooner(self, timeout_ms: u64) -> Self {
        self.min(Deadline::after(Some(timeout_ms)))
    }

    /// This deadline, or one so many milliseconds from now if that is later.
    pub fn or_in(self, timeout_ms: u64) -> Self {
        let Deadline(other) = Deadline::after(Some(timeout_ms));
        Deadline(self.0.and_then(|at| Some(at.max(other?))))
    }

    /// Half of what is left of it, but `most` at most: the other half is for what comes next.
    pub fn half(self, most: Duration) -> Self {
        let half = self.left(2 * most).unwrap_or_default() / 2;
        Deadline(Instant::now().checked_add(half))
    }

    pub fn passed(self) -> bool {
        self.0.is_some_and(|at| at <= Instant::now())
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
