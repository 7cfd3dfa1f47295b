//! Brings its own copy of Rust's standard library, allocates, has a thread, and panics.

use std::panic::catch_unwind;
use std::thread;

/// The sum of the numbers up to `limit`, counted on another thread; -1 after a panic, which 0 causes.
#[unsafe(no_mangle)]
pub extern "C" fn neighbour_sum(limit: u32) -> i64 {
    let sum = move || {
        assert!(limit > 0, "asked for");
        let numbers: Vec<i64> = (1..=limit.into()).collect();
        numbers.iter().sum::<i64>()
    };
    catch_unwind(|| thread::spawn(sum).join().unwrap()).unwrap_or(-1)
}
