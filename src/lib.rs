//! libmona: the native client of the Mona monitoring service.
//!
//! The product is the C ABI in [`ffi`], documented in `include/mona.h`. Data flows one way:
//! `ffi → client → message → export → transport`. The Rust items are public for the project's own
//! tests and benchmarks and carry no promise of stability.

pub mod answer;
pub mod client;
pub mod config;
pub mod error;
pub mod ffi;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod queue;
pub mod services;
pub mod status;

pub use mona_message as message;

mod account;
mod asynchronous;
mod auth;
mod clock;
mod doc;
mod environment;
mod events;
mod export;
mod factors;
mod fork;
mod gate;
mod log;
mod options;
mod raw;
mod signal;
mod sync;
mod thread;
mod transport;
