//! Tells the library that the program ends.

use super::guard::quiet;
use crate::queue;
use once_cell::race::OnceBool;

/// Twice where two threads are first at once, which does no harm. A lock would stay held in a child that is forked meanwhile.
static REGISTERED: OnceBool = OnceBool::new();

/// Has what waits in memory delivered at the normal end of the program.
pub fn watch() {
    REGISTERED.get_or_init(|| {
        extern "C" fn at_exit() {
            quiet((), queue::at_exit);
        }
        if cfg!(miri) {
            return true; // It knows no such handlers.
        }
        // SAFETY: the handler stays valid because the library is never unloaded, and no panic leaves it.
        unsafe { libc::atexit(at_exit) };
        true
    });
}
