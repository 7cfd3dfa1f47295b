//! Tells the library that the process forked.

use once_cell::sync::OnceCell;

static REGISTERED: OnceCell<()> = OnceCell::new();

/// Has every child of this process begin with values of its own.
pub fn watch() {
    #[cfg(unix)]
    REGISTERED.get_or_init(|| {
        extern "C" fn child() {
            crate::fork::in_child();
        }
        // SAFETY: the handler only adds to an atomic number, which is allowed in a child of a process with
        // threads; it stays valid because the library is never unloaded. Registering fails for want of memory only,
        // and then a child is as it would be without.
        unsafe { libc::pthread_atfork(None, None, Some(child)) };
    });
}
