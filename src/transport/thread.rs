//! Threads of the transport: their names, their signals, and name resolution on one of its own.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::ToSocketAddrs;

/// Runs `f` with all signals blocked, so that threads it starts never run the host's signal handlers.
#[cfg(unix)]
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

#[cfg(not(unix))]
pub fn with_signals_blocked<T>(f: impl FnOnce() -> T) -> T {
    f()
}

/// Gives the connection pool's thread a name of ours: the HTTP client names it after itself.
pub fn name_transport_thread() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = nix::sys::prctl::set_name(c"mona-http");
}

/// Looks names up on a thread of its own, which ends with the look-up: the system's resolver blocks.
pub struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let lookup = move || {
            let found = (name.as_str(), 0).to_socket_addrs();
            // A request that timed out no longer waits for the answer.
            let _ = sender.send(found);
        };
        let started = std::thread::Builder::new()
            .name("mona-dns".into())
            .spawn(lookup);
        Box::pin(async move {
            started?;
            let addresses = receiver.await??;
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
