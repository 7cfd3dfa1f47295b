//! Tells the library that the process forks.

use super::guard::quiet;
use super::status::mona_status;
use crate::fork;
use crate::status::Status;
use crate::transport;
use once_cell::race::OnceBool;

/// Twice where two threads are first at once, which does no harm. A lock would stay held in a child that is forked meanwhile.
static REGISTERED: OnceBool = OnceBool::new();

/// Has every child of this process begin with values of its own.
pub fn watch() {
    #[cfg(unix)]
    REGISTERED.get_or_init(|| {
        extern "C" fn before() {
            fork::before();
        }
        extern "C" fn parent() {
            fork::in_parent();
        }
        extern "C" fn child() {
            fork::in_child();
        }
        if cfg!(miri) {
            return true; // It knows no such handlers.
        }
        // SAFETY: in the child the handler only changes atomic numbers and closes descriptors, which is allowed
        // in a child of a process with threads; the handlers stay valid because the library is never unloaded.
        // Registering fails for want of memory only, and then a child is as it would be without.
        unsafe { libc::pthread_atfork(Some(before), Some(parent), Some(child)) };
        true
    });
}

/// Prepares the library for a fork, for hosts that can say when they fork. No host has to: forks are noticed.
///
/// @return `MONA_OK`: no call waits for a request. `MONA_TIMEOUT`: some still do, after one second; the host may fork all the
///     same. `MONA_ERROR_INTERNAL`.
///
/// Waits for the requests of all clients that are under way, and lets none begin until `mona_after_fork_parent`. What it adds to
/// the automatic handling: no call is in the middle of a request and no thread of the library is in the system's resolver when the process is copied; a login that a call
/// waits for comes to its end, so that the child has the token; and where connections cannot be hidden from the child (before
/// Linux 5.9, or forbidden by a container) they are closed. What is enqueued stays in the queue. Calls that need a request wait in the meantime,
/// within their time-outs.
///
/// Must be followed by `mona_after_fork_parent` in the parent, from any thread, whether the fork succeeded or not.
#[unsafe(no_mangle)]
pub extern "C" fn mona_before_fork() -> mona_status {
    let prepare = || {
        fork::catch_up();
        match transport::before_fork() {
            true => Status::Ok,
            false => Status::Timeout,
        }
    };
    quiet(Status::Internal, prepare) as mona_status
}

/// Ends in the parent what `mona_before_fork` began: requests go on.
///
/// @return `MONA_OK`, `MONA_ERROR_INTERNAL`. Without a `mona_before_fork` it does nothing.
#[unsafe(no_mangle)]
pub extern "C" fn mona_after_fork_parent() -> mona_status {
    let resume = || {
        fork::catch_up();
        transport::after_fork();
        Status::Ok
    };
    quiet(Status::Internal, resume) as mona_status
}

/// Tells the library in a child that it is one. Needed only where the child was made in a way that runs no handlers of
/// `pthread_atfork`, as a raw system call does, and enqueues before it makes any other call; otherwise it does nothing.
///
/// @return `MONA_OK`, `MONA_ERROR_INTERNAL`.
#[unsafe(no_mangle)]
pub extern "C" fn mona_after_fork_child() -> mona_status {
    let notice = || {
        fork::catch_up();
        Status::Ok
    };
    quiet(Status::Internal, notice) as mona_status
}
