//! Chance where nothing depends on its quality: sampling without an id, and jitter.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};

/// A number in [0, 1): each `RandomState` of a process has keys of its own.
pub fn unit() -> f64 {
    let bits = RandomState::new().hash_one(0u8) >> 11;
    bits as f64 / (1u64 << 53) as f64
}
