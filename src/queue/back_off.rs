//! How long to leave a server alone after a failure.

use crate::random;
use std::time::{Duration, Instant};

/// A server's `Retry-After` is believed up to this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Between which a wait is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub first: Duration,
    pub longest: Duration,
}

impl Limits {
    pub fn of_ms(first: u32, longest: u32) -> Self {
        Limits {
            first: Duration::from_millis(first.into()),
            longest: Duration::from_millis(longest.max(first).into()),
        }
    }
}

/// Full jitter: each wait is a random one between the first and a ceiling that doubles.
#[derive(Debug, Default)]
pub struct BackOff {
    failures: u32,
    until: Option<Instant>,
}

impl BackOff {
    /// Notes a failure; `retry_after` is what the server asked for. One that comes while a wait is on is of
    /// the same trouble, and makes nothing worse.
    pub fn failed(&mut self, limits: Limits, retry_after: Option<Duration>) {
        // A little more than asked for, so that not all clients come back at once.
        let asked = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        let mut wait = asked.mul_f64(1.0 + random::unit() / 10.0);
        if let Some(left) = self.left() {
            wait = wait.max(left);
        } else {
            let doubled = limits.first.saturating_mul(1 << self.failures.min(20));
            let spread = doubled.min(limits.longest).saturating_sub(limits.first);
            wait = wait.max(limits.first + spread.mul_f64(random::unit()));
            self.failures += 1;
        }
        self.until = Some(Instant::now() + wait);
    }

    pub fn succeeded(&mut self) {
        *self = BackOff::default();
    }

    /// Whether the last attempt failed.
    pub fn failing(&self) -> bool {
        self.failures > 0
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

    const LIMITS: Limits = Limits {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(60),
    };

    fn seconds(back_off: &BackOff) -> f64 {
        back_off.left().unwrap_or_default().as_secs_f64()
    }

    /// As if the wait were over.
    fn wait(back_off: &mut BackOff) {
        back_off.until = None;
    }

    #[test]
    fn waits_grow_between_the_first_and_a_doubling_ceiling() {
        let mut back_off = BackOff::default();
        for ceiling in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            let longest = (0..200).map(|_| {
                let mut tried = BackOff {
                    failures: back_off.failures,
                    until: None,
                };
                tried.failed(LIMITS, None);
                let wait = seconds(&tried);
                assert!(wait <= ceiling && wait > 0.9, "{wait} of {ceiling}");
                wait
            });
            let longest = longest.fold(0.0, f64::max);
            assert!(longest > ceiling * 0.8, "{longest} of {ceiling}");
            back_off.failed(LIMITS, None);
            wait(&mut back_off);
        }
        assert!(back_off.failing());
        back_off.succeeded();
        assert_eq!((back_off.left(), back_off.failing()), (None, false));
        back_off.failed(LIMITS, None);
        assert!(seconds(&back_off) <= 1.0);
    }

    #[test]
    fn a_failure_during_the_wait_is_of_the_same_trouble() {
        let mut back_off = BackOff::default();
        for _ in 0..10 {
            back_off.failed(LIMITS, None);
        }
        assert!(seconds(&back_off) <= 1.0);
        back_off.failed(LIMITS, Some(Duration::from_secs(100)));
        assert!(seconds(&back_off) > 99.0);
        back_off.failed(LIMITS, None);
        assert!(seconds(&back_off) > 99.0);
    }

    #[test]
    fn a_server_that_asks_for_time_gets_it_within_reason() {
        for (asked, low, high) in [(100, 99.0, 110.0), (1_000_000_000, 3590.0, 3960.0)] {
            let mut back_off = BackOff::default();
            back_off.failed(LIMITS, Some(Duration::from_secs(asked)));
            assert!((low..=high).contains(&seconds(&back_off)));
        }
    }
}
