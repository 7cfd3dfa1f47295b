//! Asks the system about the program's rights.

/// Whether the program has rights that who started it has not: by a set-user-ID or set-group-ID bit or a capability.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn raised() -> bool {
    // SAFETY: reads a value that the kernel gave the process at its start. (Miri does not know the function.)
    !cfg!(miri) && unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "openbsd",
    target_os = "netbsd",
    target_os = "dragonfly"
))]
pub fn raised() -> bool {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::issetugid() != 0 }
}

/// Elsewhere there is no such thing.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "openbsd",
    target_os = "netbsd",
    target_os = "dragonfly"
)))]
pub fn raised() -> bool {
    false
}
