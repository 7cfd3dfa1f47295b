//! How long to leave a server alone after a failure.

use crate::random;
use std::time::{Duration, Instant};

/// A server's `Retry-After` is believed up to this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Full jitter: each wait is a random one between the first and a ceiling that doubles.
pub struct BackOff {
    first: Duration,
    longest: Duration,
    failures: u32,
    until: Option<Instant>,
}

impl BackOff {
    pub fn new(first: Duration, longest: Duration) -> Self {
        BackOff {
            first,
            longest: longest.max(first),
            failures: 0,
            until: None,
        }
    }

    /// Notes a failure; `retry_after` is what the server asked for.
    pub fn failed(&mut self, retry_after: Option<Duration>) {
        let ceiling = self
            .first
            .saturating_mul(1 << self.failures.min(20))
            .min(self.longest);
        let spread = ceiling.saturating_sub(self.first);
        let jittered = self.first + spread.mul_f64(random::unit());
        // A little more than asked for, so that not all clients come back at once.
        let asked = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        let asked = asked.mul_f64(1.0 + random::unit() / 10.0);
        self.failures += 1;
        self.until = Some(Instant::now() + jittered.max(asked));
    }

    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.until = None;
    }

    /// What is left of the wait.
    pub fn left(&self) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(back_off: &BackOff) -> f64 {
        back_off.left().unwrap_or_default().as_secs_f64()
    }

    #[test]
    fn waits_grow_between_the_first_and_a_doubling_ceiling() {
        let mut back_off = BackOff::new(Duration::from_secs(1), Duration::from_secs(60));
        for ceiling in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            back_off.failed(None);
            let wait = seconds(&back_off);
            assert!(wait <= ceiling && wait > 0.9, "{wait} of {ceiling}");
        }
        back_off.succeeded();
        assert_eq!(back_off.left(), None);
        back_off.failed(None);
        assert!(seconds(&back_off) <= 1.0);
    }

    #[test]
    fn a_server_that_asks_for_time_gets_it_within_reason() {
        let mut back_off = BackOff::new(Duration::from_secs(1), Duration::from_secs(60));
        back_off.failed(Some(Duration::from_secs(100)));
        assert!((99.0..=110.0).contains(&seconds(&back_off)));
        back_off.failed(Some(Duration::from_secs(1_000_000_000)));
        assert!((3590.0..=3960.0).contains(&seconds(&back_off)));
    }
}
