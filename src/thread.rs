//! What the library does to threads of its own.
#![forbid(unsafe_code)]

pub use std::thread::JoinHandle;

/// Runs `f` with all signals blocked, so that threads it starts never run the host's signal handlers. (Miri knows no signals.)
#[cfg(all(unix, not(miri)))]
pub fn with_signals_blocked<T>(f: impl FnOnce() -> T) -> T {
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
pub fn with_signals_blocked<T>(f: impl FnOnce() -> T) -> T {
    f()
}

/// Starts a thread of ours: named after us, deaf to signals.
pub fn start(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    with_signals_blocked(|| std::thread::Builder::new().name(name.into()).spawn(run))
}
