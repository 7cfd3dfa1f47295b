//! Chance where nothing depends on its quality: sampling without an id, and jitter.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};

/// A number in [0, 1). Each `RandomState` of a process has keys of its own, but a forked child goes on with its parent's.
pub fn unit() -> f64 {
    let bits = RandomState::new().hash_one(std::process::id()) >> 11;
    bits as f64 / (1u64 << 53) as f64
}
