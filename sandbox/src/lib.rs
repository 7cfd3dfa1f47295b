//! A local Mona for demos and tests.
//!
//! One loopback port plays the three servers of the Mona service: the authentication server, the export endpoint and the
//! app server. What arrives is checked, kept and can be looked at; faults are played on request with [`Sandbox::add_rules`].
//!
//! ```
//! use mona_sandbox::{Options, Sandbox};
//!
//! let sandbox = Sandbox::start(Options::default())?;
//! println!("point the client at {}", sandbox.url());
//! assert!(sandbox.messages().is_empty());
//! # Ok::<(), mona_sandbox::StartError>(())
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod answer;
mod app;
mod auth;
mod canned;
mod connection;
mod control;
mod error;
mod export;
mod handler;
mod json;
mod options;
mod request;
mod rules;
mod sandbox;
mod state;
mod store;
mod tls;

pub use error::{RuleError, StartError};
pub use options::Options;
pub use request::RecordedRequest;
pub use sandbox::Sandbox;
pub use store::StoredMessage;
