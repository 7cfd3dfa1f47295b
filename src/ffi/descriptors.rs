//! A table of file descriptors for a thread of ours.

/// Gives the calling thread an empty table of file descriptors, which threads that it starts from now on share. It
/// must have no descriptor open. An error, and all as it was, where the system has no such thing or forbids it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn leave_shared_table() -> std::io::Result<()> {
    let (first, last): (libc::c_uint, libc::c_uint) = (0, libc::c_uint::MAX);
    let flags = libc::CLOSE_RANGE_UNSHARE;
    // SAFETY: takes three numbers. The system first makes the table that it then closes all of, so that no
    // descriptor of anybody else is closed; the caller has none.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if result == 0 {
        return Ok(());
    }
    Err(std::io::Error::last_os_error())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn leave_shared_table() -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
