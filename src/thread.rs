//! What the library does to threads of its own.
#![forbid(unsafe_code)]

use crate::sync::Deadline;
pub use std::thread::JoinHandle;
use std::time::Duration;

/// How often the end of a thread is looked for.
const PAUSE: Duration = Duration::from_micros(200);

/// Runs `f` with all signals blocked, so that threads it starts never run the host's signal handlers. (Miri knows no signals.)
#[cfg(all(unix, not(miri)))]
fn with_signals_blocked<T>(f: impl FnOnce() -> T) -> T {
    use nix::sys::signal::{SigSet, SigmaskHow};
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let result = f();
    if let Ok(mask) = before {
        // Restoring a mask that was in force cannot fail.
        let _ = mask.thread_set_mask();
    }
    result
}

#[cfg(any(not(unix), miri))]
fn with_signals_blocked<T>(f: impl FnOnce() -> T) -> T {
    f()
}

/// Enough for whatever runs there, the system's and the host's code too.
pub const AMPLE_STACK: usize = 2 * 1024 * 1024;

/// Enough for our own calls, and a handshake, in an unoptimised build.
pub const MEDIUM_STACK: usize = 512 * 1024;

pub const SMALL_STACK: usize = 128 * 1024;

/// Starts a thread of ours: named after us, deaf to signals.
pub fn start(
    name: &str,
    stack_bytes: usize,
    run: impl FnOnce() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let builder = std::thread::Builder::new().name(name.into());
    with_signals_blocked(|| builder.stack_size(stack_bytes).spawn(run))
}

/// Waits for the end of a thread that has nothing more to do. One that is held up ends by itself, after whoever waits has gone on.
pub fn join(thread: JoinHandle<()>, deadline: Deadline) {
    // A log callback that closes its client may run on that very thread.
    if thread.thread().id() == std::thread::current().id() {
        return;
    }
    while !thread.is_finished() {
        if deadline.passed() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    // Its panic would be nobody's concern any more.
    let _ = thread.join();
}
