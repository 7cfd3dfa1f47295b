//! Values that a forked child must not share with its parent.
//!
//! A child inherits locks that a vanished thread may hold, threads that no longer run and connections that are the
//! parent's. So nothing of them is ever touched there: each process makes its own value when it first needs it, and the
//! inherited one is forgotten.
#![forbid(unsafe_code)]

#[cfg(unix)]
mod descriptors;

#[cfg(unix)]
pub use descriptors::{NotInherited, undivided};

use once_cell::race::OnceBox;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How often this process's line of ancestors forked.
static GENERATION: AtomicU64 = AtomicU64::new(0);

#[cfg(not(unix))]
pub fn undivided<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// The process that knows its generation; none before the first call.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// Notices a fork that was not announced because it was made by a raw system call. For calls that take long
/// anyway: asking for the process's number costs a hundred times as much as the generation.
pub fn catch_up() {
    let process = std::process::id();
    let known = PROCESS.swap(process, Ordering::Relaxed);
    if known != process && known != 0 {
        in_child();
    }
}

/// To be called before each fork.
pub fn before() {
    #[cfg(unix)]
    descriptors::before_fork();
}

/// To be called after each fork in the parent.
pub fn in_parent() {
    #[cfg(unix)]
    descriptors::after_fork_in_parent();
}

/// To be called in each child, before anything else of the library. Takes no lock and no memory.
pub fn in_child() {
    PROCESS.store(std::process::id(), Ordering::Relaxed);
    GENERATION.fetch_add(1, Ordering::Relaxed);
    #[cfg(unix)]
    descriptors::after_fork_in_child();
}

fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// One value for each process.
pub struct PerProcess<T> {
    newest: OnceBox<Generation<T>>,
}

struct Generation<T> {
    number: u64,
    value: Arc<T>,
    next: OnceBox<Generation<T>>,
}

impl<T> PerProcess<T> {
    pub const fn new() -> Self {
        PerProcess {
            newest: OnceBox::new(),
        }
    }

    /// With this process's value.
    pub fn of(value: T) -> Self {
        PerProcess {
            newest: OnceBox::with_value(Box::new(Generation {
                number: generation(),
                value: Arc::new(value),
                next: OnceBox::new(),
            })),
        }
    }

    /// This process's value, made on first use from the one that it inherited, if any. Should two threads make
    /// it at once, one of the two is dropped.
    pub fn get(&self, make: impl Fn(Option<&T>) -> T) -> &Arc<T> {
        let Ok(value) = self.get_or_try(|inherited| Ok::<T, Infallible>(make(inherited)));
        value
    }

    /// As [`PerProcess::get`], for what may fail to be made; the next call then tries again.
    pub fn get_or_try<E>(&self, make: impl Fn(Option<&T>) -> Result<T, E>) -> Result<&Arc<T>, E> {
        let current = generation();
        let mut slot = &self.newest;
        let mut inherited = None;
        loop {
            let found = slot.get_or_try_init(|| {
                Ok(Box::new(Generation {
                    number: current,
                    value: Arc::new(make(inherited)?),
                    next: OnceBox::new(),
                }))
            })?;
            if found.number == current {
                return Ok(&found.value);
            }
            inherited = Some(&*found.value);
            slot = &found.next;
        }
    }

    /// This process's value, if it has one already.
    pub fn current(&self) -> Option<&Arc<T>> {
        let current = generation();
        let mut slot = self.newest.get()?;
        while slot.number != current {
            slot = slot.next.get()?;
        }
        Some(&slot.value)
    }
}

impl<T> Drop for Generation<T> {
    fn drop(&mut self) {
        if self.number != generation() {
            // An ancestor's: its threads and connections are not ours to end.
            std::mem::forget(self.value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value as an ancestor left it.
    fn inherited(value: Arc<u32>) -> PerProcess<Arc<u32>> {
        let values = PerProcess::new();
        let older = Generation {
            number: u64::MAX,
            value: Arc::new(value),
            next: OnceBox::new(),
        };
        let _ = values.newest.set(Box::new(older));
        values
    }

    #[test]
    fn a_value_is_made_once_and_dropped() {
        let value = Arc::new(7);
        let values = PerProcess::new();
        assert!(values.current().is_none());
        for _ in 0..2 {
            let found = values.get(|inherited| {
                assert!(inherited.is_none());
                value.clone()
            });
            assert_eq!(***found, 7);
        }
        assert_eq!(Arc::strong_count(&value), 2);
        drop(values);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn an_inherited_value_is_shown_and_then_forgotten() {
        let parents = Arc::new(7);
        let values = inherited(parents.clone());
        assert!(values.current().is_none());
        let own = values
            .get(|inherited| Arc::new(inherited.map(|found| **found).unwrap_or_default() + 1));
        assert_eq!(***own, 8);
        assert_eq!(values.current().map(|found| ***found), Some(8));
        drop(values);
        assert_eq!(
            Arc::strong_count(&parents),
            2,
            "the parent's value must not be dropped"
        );
    }
}
