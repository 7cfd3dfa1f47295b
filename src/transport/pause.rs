//! Holding requests back while the host forks.
#![forbid(unsafe_code)]

use crate::fork::PerProcess;
use crate::sync::{Condvar, Deadline, Mutex, lock, wait};

/// How long a fork waits for requests that are under way.
const PATIENCE_MS: u64 = 1_000;

#[derive(Default)]
struct Pause {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How many forks are about to happen.
    forks: usize,
    under_way: usize,
}

static PAUSE: PerProcess<Pause> = PerProcess::new();

fn pause() -> &'static Pause {
    PAUSE.get(|_| Pause::default())
}

/// A request that is under way, until this is dropped.
pub struct UnderWay(&'static Pause);

impl UnderWay {
    /// Begins a request as soon as no fork is about to happen; none when that is not in time.
    pub fn begin(deadline: Deadline) -> Option<UnderWay> {
        let pause = pause();
        let mut state = lock(&pause.state);
        if state.forks > 0 {
            while state.forks > 0 {
                if deadline.passed() {
                    return None;
                }
                state = wait(&pause.changed, state, deadline);
            }
        }
        state.under_way += 1;
        Some(UnderWay(pause))
    }

    /// A part of a request that may go on when that has ended.
    pub fn part() -> UnderWay {
        let pause = pause();
        lock(&pause.state).under_way += 1;
        UnderWay(pause)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.under_way -= 1;
        if state.forks > 0 && state.under_way == 0 {
            self.0.changed.notify_all();
        }
    }
}

/// Lets no request begin, and waits for those under way; whether they all ended in time.
pub fn before_fork() -> bool {
    let pause = pause();
    let deadline = Deadline::after(Some(PATIENCE_MS));
    let mut state = lock(&pause.state);
    state.forks += 1;
    while state.under_way > 0 {
        if deadline.passed() {
            return false;
        }
        state = wait(&pause.changed, state, deadline);
    }
    true
}

/// Lets requests begin again.
pub fn after_fork() {
    let pause = pause();
    let mut state = lock(&pause.state);
    state.forks = state.forks.saturating_sub(1);
    drop(state);
    pause.changed.notify_all();
}
