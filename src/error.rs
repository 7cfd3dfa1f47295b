//! What can go wrong, in the words callers see, and which status each failure becomes.
#![forbid(unsafe_code)]

use crate::message::NoMessages;
use std::time::Duration;
use thiserror::Error as ThisError;

/// A failure. Its text is meant for the caller's log: it names what to change and never holds a secret.
#[derive(Clone, Debug, PartialEq, ThisError)]
pub enum Error {
    #[error("{argument}: {problem}")]
    InvalidArgument {
        argument: &'static str,
        problem: String,
    },
    #[error("{0}")]
    Initialization(String),
    #[error("{message}")]
    Authentication { message: String, retriable: bool },
    #[error("Cannot connect to {server}: {cause}")]
    Connection { server: &'static str, cause: String },
    #[error("No answer from {server} in time: {cause}")]
    Timeout { server: &'static str, cause: String },
    /// A request that cannot be made from what was given.
    #[error("{0}")]
    Unsendable(String),
    #[error("{text}")]
    Refused { status: u16, text: String },
    #[error("{server} answered with a redirect (status {status}), which is not followed")]
    Redirect { server: &'static str, status: u16 },
    #[error("{server} answered with more than {limit} bytes")]
    ResponseTooLarge {
        server: &'static str,
        limit: usize,
        status: u16,
        retry_after: Option<Duration>,
    },
    #[error("{0}")]
    UnexpectedResponse(String),
    #[error("The background queue has no room for this call's messages: none was accepted")]
    QueueFull,
    #[error(
        "This call alone has more than the queue may hold (queue.max_messages, queue.max_bytes; queue.spool_max_bytes, ulimit -f): no message was accepted"
    )]
    LargerThanQueue,
    #[error("Too many asynchronous calls are not collected yet: this one was not started")]
    TooManyCalls,
    #[error("No event came in time")]
    NoEvent,
    #[error("{0}: none of this call's messages was accepted")]
    Storage(String),
    /// The system has no thread, descriptor or memory to spare just now.
    #[error("{0}")]
    Exhausted(String),
    #[error("The client is closed")]
    Closed,
    #[error("Not delivered: {messages} messages")]
    Undelivered { messages: u64 },
    #[error("Messages accepted before are not settled yet")]
    StillPending,
    #[error("Calls of this client are still under way")]
    StillBusy,
    #[error("Internal error: {0}")]
    Internal(String),
}

impl From<NoMessages> for Error {
    fn from(error: NoMessages) -> Self {
        Error::argument("messages_json", error.to_string())
    }
}

impl Error {
    pub fn argument(argument: &'static str, problem: impl Into<String>) -> Self {
        Error::InvalidArgument {
            argument,
            problem: problem.into(),
        }
    }

    pub fn no_thread(error: std::io::Error) -> Self {
        Error::Exhausted(format!("No thread could be started: {error}"))
    }

    /// The stable word of `error_kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::InvalidArgument { .. } => "invalid_argument",
            Error::Initialization(_) => "initialization",
            Error::Authentication { .. } => "authentication",
            Error::Connection { .. } => "connection",
            Error::Timeout { .. } => "timeout",
            Error::Unsendable(_) => "unsendable",
            Error::Refused { .. } => "refused",
            Error::Redirect { .. } => "redirect",
            Error::ResponseTooLarge { .. } => "response_too_large",
            Error::UnexpectedResponse(_) => "unexpected_response",
            Error::QueueFull | Error::LargerThanQueue | Error::TooManyCalls => "queue_full",
            Error::NoEvent => "no_event",
            Error::Storage(_) => "storage",
            Error::Exhausted(_) => "resources",
            Error::Closed => "closed",
            Error::Undelivered { .. } => "undelivered",
            Error::StillPending => "still_pending",
            Error::StillBusy => "still_busy",
            Error::Internal(_) => "internal",
        }
    }

    /// Whether the same call may succeed later without a change by the caller.
    pub fn retriable(&self) -> bool {
        match self {
            Error::Connection { .. }
            | Error::Timeout { .. }
            | Error::StillBusy
            | Error::StillPending
            | Error::TooManyCalls
            | Error::NoEvent
            | Error::QueueFull
            | Error::Storage(_)
            | Error::Exhausted(_) => true,
            Error::Authentication { retriable, .. } => *retriable,
            Error::Refused { status, .. } => is_retriable_status(*status),
            _ => false,
        }
    }
}

/// Statuses after which the same request may succeed.
pub fn is_retriable_status(status: u16) -> bool {
    matches!(status, 408 | 425 | 429) || (status >= 500 && !matches!(status, 501 | 505))
}
