//! As the standard library's type of this name, by a clock that goes on when a test says so.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

loom::lazy_static! {
    /// Milliseconds since this run began. Nothing is ordered by it, so it is no lock of the model.
    static ref CLOCK: AtomicU64 = AtomicU64::new(0);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Duration);

impl Instant {
    pub fn now() -> Self {
        Instant(Duration::from_millis(CLOCK.load(SeqCst)))
    }

    pub fn checked_add(self, more: Duration) -> Option<Self> {
        self.0.checked_add(more).map(Instant)
    }

    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Has so many milliseconds pass. Nobody is woken by it.
pub fn pass(milliseconds: u64) {
    CLOCK.fetch_add(milliseconds, SeqCst);
}
