//! libmona.so and libmona.a: the functions of [`mona_core::ffi`], linked.
#![forbid(unsafe_code)]

pub use mona_core::ffi::*;
