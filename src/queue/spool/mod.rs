//! The durable part of the queue: messages on disk until they are acknowledged.
//!
//! Each client instance has a directory of its own under `<root>/<fingerprint>/`, with append-only
//! segments in it; the format and the rules of recovery are in `docs/spool-format.md`. The spool
//! has no thread: whoever owns it calls [`Spool::sync`] and [`Spool::adopt`] now and then.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error as ThisError;

#[cfg(unix)]
mod adopt;
#[cfg(unix)]
mod disk;
#[cfg(unix)]
mod flush;
#[cfg(unix)]
mod format;
#[cfg(unix)]
mod frames;
#[cfg(not(unix))]
mod missing;
#[cfg(unix)]
mod reader;
#[cfg(unix)]
mod segment;
#[cfg(unix)]
mod store;
#[cfg(unix)]
#[cfg(test)]
pub(super) mod tests;
#[cfg(unix)]
mod writer;

#[cfg(not(unix))]
pub use missing::Spool;
#[cfg(unix)]
pub use writer::Spool;

/// How often the other instances' files are measured when the spool seems full.
pub const MEASURE: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub struct Options {
    pub root: PathBuf,
    /// 32 hexadecimal digits that tell one endpoint and user from another.
    pub fingerprint: String,
    /// What all files under the root may take together.
    pub max_bytes: u64,
    /// What the file system keeps free.
    pub keep_free_bytes: u64,
    pub segment_bytes: u64,
    pub sync: Sync,
    /// Older messages are not delivered.
    pub retention: Duration,
    /// How long to wait before what could not be read is tried again, at first.
    pub read_again: Duration,
}

/// What an appended message survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// The end of the process.
    Os,
    /// A loss of power too, but for the last moments.
    Interval,
    /// A loss of power too: append returns after the flush.
    Always,
}

#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum SpoolError {
    /// No room for the messages of this call: none of them is stored.
    #[error("The spool is full: {reason}")]
    Full { reason: &'static str },
    /// The messages of this call would not fit into an empty spool either.
    #[error("The spool may not hold as much")]
    TooLarge,
    #[error("The spool cannot {operation}: {cause}")]
    Storage {
        operation: &'static str,
        cause: String,
    },
    #[error("{problem}")]
    Refused { problem: String },
    /// The system has nothing to spare for it just now.
    #[error("{problem}")]
    Exhausted { problem: String },
}

/// A message that waits for its delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub ticket: Ticket,
    pub enqueued_ms: u64,
    pub payload: Vec<u8>,
}

/// With which a message is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Which directory, 0 for the instance's own.
    store: u64,
    segment: u64,
    /// The frame, with damage before it.
    from: u64,
    end: u64,
    bytes: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages not yet acknowledged, and their payloads' bytes.
    pub messages: u64,
    pub bytes: u64,
    /// Messages of other instances that came into `messages` by adoption.
    pub adopted: u64,
    /// Messages that became too old; no longer in `messages`.
    pub expired: u64,
    /// Messages that damage took from `messages`.
    pub lost: u64,
    /// Damaged frames that were found at adoption, and never were in `messages`.
    pub corrupt_frames: u64,
    pub corrupt_bytes: u64,
}
