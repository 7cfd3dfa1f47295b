//! The one place of the process that log records go to instead of standard error, if the host has set one.
#![forbid(unsafe_code)]

use super::Level;
use crate::fork::{self, PerProcess};
use crate::sync::{Mutex, lock, must_not_wait, without_waiting};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

/// What the host has records done with. Dropped after its last use.
pub trait Callback: Send + Sync {
    fn record(&self, level: Level, logger: &str, message: &str);

    /// The same for a forked child, which has its own copy of whatever the host keeps.
    fn inherited(&self) -> Arc<dyn Callback>;
}

type Place = Mutex<Held>;

static PLACE: PerProcess<Place> = PerProcess::new();

#[derive(Default)]
struct Held {
    callback: Option<Arc<dyn Callback>>,
    /// Whether it is still the parent's. A place that loses the race to be a child's must not destroy what the host keeps.
    parents: bool,
}

impl Held {
    fn own(&mut self) -> &mut Option<Arc<dyn Callback>> {
        if std::mem::take(&mut self.parents) {
            self.callback = self.callback.take().map(|callback| callback.inherited());
        }
        &mut self.callback
    }
}

/// The lowest level that it wants; `NONE` without one, which is how most find out.
static LOWEST: AtomicI32 = AtomicI32::new(NONE);

const NONE: i32 = i32::MAX;

fn inherit(parents: Option<&Place>) -> Place {
    // Nobody has it locked: `undivided` keeps forks away while somebody has.
    let parents = parents.and_then(|place| place.try_lock().ok());
    let callback = parents.and_then(|held| held.callback.clone());
    Mutex::new(Held {
        callback,
        parents: true,
    })
}

/// Replaces the callback. The last one is dropped when no record is on its way to it any more.
pub fn set(callback: Option<Arc<dyn Callback>>, lowest: i32) {
    fork::catch_up();
    let lowest = callback.as_ref().map_or(NONE, |_| lowest.min(NONE - 1));
    let last = fork::undivided(|| {
        let mut place = lock(PLACE.get(inherit));
        LOWEST.store(lowest, SeqCst);
        std::mem::replace(place.own(), callback)
    });
    // Outside of the lock, because the host's function may be called.
    without_waiting(|| drop(last));
}

/// Has the callback called no more, without destroying it.
pub fn silence() {
    let _ = LOWEST.fetch_update(SeqCst, SeqCst, |lowest| {
        (lowest != NONE).then_some(NONE - 1)
    });
}

/// Whether there is one, and if so, whether it wants records of this level.
pub fn wants(level: Level) -> Option<bool> {
    match LOWEST.load(SeqCst) {
        NONE => None,
        lowest => Some(level as i32 >= lowest),
    }
}

/// Hands a record over. One that the callback itself gives rise to is dropped: it could go on for ever.
pub fn record(level: Level, logger: &str, message: &str) {
    let callback = fork::undivided(|| lock(PLACE.get(inherit)).own().clone());
    if let Some(callback) = callback.filter(|_| !must_not_wait()) {
        without_waiting(|| {
            callback.record(level, logger, message);
            // Perhaps this was the last use.
            drop(callback);
        });
    }
}
