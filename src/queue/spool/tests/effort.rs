//! What reading costs, for the calling thread only: bytes read and bytes whose CRC was computed.
#![forbid(unsafe_code)]

use std::cell::Cell;

thread_local! {
    static SPENT: Cell<usize> = const { Cell::new(0) };
}

pub fn spend(bytes: usize) {
    SPENT.set(SPENT.get() + bytes);
}

/// What was spent since the last call.
pub fn take() -> usize {
    SPENT.take()
}
