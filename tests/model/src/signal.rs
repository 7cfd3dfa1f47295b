//! As the library's module of this name, with a descriptor that a thread of the model can wait for.

use crate::sync::{Condvar, Mutex, lock};
use std::sync::{Arc, PoisonError};

#[derive(Default)]
struct Level {
    set: Mutex<bool>,
    changed: Condvar,
}

loom::lazy_static! {
    /// The level of each descriptor of this run.
    static ref LEVELS: Mutex<Vec<Arc<Level>>> = Mutex::new(Vec::new());
}

pub struct Signal {
    level: Arc<Level>,
    descriptor: i32,
}

impl Signal {
    pub fn new() -> Option<Signal> {
        let level = Arc::new(Level::default());
        let mut levels = lock(&LEVELS);
        levels.push(level.clone());
        Some(Signal {
            level,
            descriptor: levels.len() as i32 - 1,
        })
    }

    pub fn descriptor(&self) -> i32 {
        self.descriptor
    }

    pub fn set(&mut self, set: bool) {
        *lock(&self.level.set) = set;
        self.level.changed.notify_all();
    }
}

fn level(descriptor: i32) -> Arc<Level> {
    lock(&LEVELS)[descriptor as usize].clone()
}

pub fn readable(descriptor: i32) -> bool {
    *lock(&level(descriptor).set)
}

/// What an event loop does.
pub fn wait_until_readable(descriptor: i32) {
    let level = level(descriptor);
    let mut set = lock(&level.set);
    while !*set {
        set = level
            .changed
            .wait(set)
            .unwrap_or_else(PoisonError::into_inner);
    }
}
