//! The process's environment, as far as it may be believed.
#![forbid(unsafe_code)]

use crate::ffi::privileges;

/// A variable of the environment. None counts in a program that has rights its caller has not (set-user-ID and
/// the like): the caller could lead its requests, and its secrets, elsewhere.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|_| believed())
}

/// Whether the environment is that of somebody with the program's own rights.
pub fn believed() -> bool {
    !privileges::raised()
}
