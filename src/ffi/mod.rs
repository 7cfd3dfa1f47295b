//! The C ABI: the only code with `unsafe`, and the only code that knows C.
//!
//! Each function turns its pointers into Rust values, runs one call under the panic guard, and hands its
//! document over. What they promise is said in the documentation of each, which becomes `include/mona.h`.
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

pub mod asynchronous;
pub mod background;
pub mod descriptors;
mod exit;
pub mod fork;
mod guard;
mod input;
pub mod lifecycle;
pub mod log;
pub mod memory;
pub mod privileges;
pub mod status;
pub mod string;
pub mod synchronous;
#[cfg(test)]
mod tests;
pub mod version;
