//! Tells the library that the process forked.

use crate::fork;
use once_cell::sync::OnceCell;

static REGISTERED: OnceCell<()> = OnceCell::new();

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
        // SAFETY: in the child the handler only changes atomic numbers and closes descriptors, which is allowed
        // in a child of a process with threads; the handlers stay valid because the library is never unloaded.
        // Registering fails for want of memory only, and then a child is as it would be without.
        unsafe { libc::pthread_atfork(Some(before), Some(parent), Some(child)) };
    });
}
