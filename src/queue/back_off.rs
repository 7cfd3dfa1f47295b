//! How long to leave a server alone after a failure.

use crate::message::random;
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

    /// The wait after a failure that so many went before, where `chance`, in [0, 1), has it.
    fn wait(self, failures: u32, chance: f64) -> Duration {
        let doubled = self.first.saturating_mul(1 << failures.min(20));
        let spread = doubled.min(self.longest).saturating_sub(self.first);
        self.first + spread.mul_f64(chance)
    }
}

/// The wait that a server asked for, and a little more, so that not all clients come back at once.
fn asked(retry_after: Option<Duration>, chance: f64) -> Duration {
    let asked = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
    asked.mul_f64(1.0 + chance / 10.0)
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
        let mut wait = asked(retry_after, random::unit());
        if let Some(left) = self.left() {
            wait = wait.max(left);
        } else {
            wait = wait.max(limits.wait(self.failures, random::unit()));
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

    /// Chances from the least to the greatest.
    const CHANCES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 0.999_999];

    fn is(wait: Duration, seconds: f64) {
        let difference = (wait.as_secs_f64() - seconds).abs();
        assert!(difference < 1e-3, "{wait:?}, not {seconds} s");
    }

    #[test]
    fn each_wait_is_what_the_formula_and_chance_make_it() {
        for failures in 0..40 {
            let ceiling = 2f64.powi(failures).min(60.0);
            for chance in CHANCES {
                let wait = LIMITS.wait(failures as u32, chance);
                is(wait, 1.0 + (ceiling - 1.0) * chance);
            }
        }
        for chance in CHANCES {
            for (seconds, believed) in [(0, 0.0), (7, 7.0), (3600, 3600.0), (u64::MAX, 3600.0)] {
                let wait = asked(Some(Duration::from_secs(seconds)), chance);
                is(wait, believed * (1.0 + chance / 10.0));
            }
            is(asked(None, chance), 0.0);
        }
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
