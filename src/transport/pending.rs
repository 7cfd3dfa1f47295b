//! A request that has been sent, and its answer to come.
#![forbid(unsafe_code)]

use super::out_of_time;
use super::pause::UnderWay;
use super::reply::{self, Answer, Awaited, Reply};
use super::response::Response;
use crate::error::Error;
use crate::sync::Deadline;
use std::time::{Duration, Instant};

/// The thread of requests ends each in time and says what took so long. Should it be stuck itself, in reading
/// certificates from a dead disk, say, then whoever waits does so this much longer.
const GRACE: Duration = Duration::from_millis(100);

pub type Outcome = Result<Response, Error>;

pub struct Pending {
    server: &'static str,
    until: Instant,
    answer: Awaited<Outcome>,
    /// What keeps forks waiting, as long as somebody waits for the answer.
    pub(super) under_way: Option<UnderWay>,
}

impl Pending {
    pub(super) fn new(server: &'static str, until: Instant) -> (Reply<Outcome>, Pending) {
        let (reply, answer) = reply::reply();
        let pending = Pending {
            server,
            until,
            answer,
            under_way: None,
        };
        (reply, pending)
    }

    /// The answer, or why there is none; nothing when the deadline passes before the request's own time.
    pub fn wait(&mut self, deadline: Deadline) -> Option<Outcome> {
        let own = Deadline::at(self.until + GRACE);
        match self.answer.wait(deadline.min(own)) {
            Answer::Here(outcome) => Some(outcome),
            Answer::Lost => {
                let said = "a request ended without an answer";
                Some(Err(Error::Internal(said.into())))
            }
            Answer::ToCome if own.passed() => Some(Err(out_of_time(self.server))),
            Answer::ToCome => {
                self.under_way = None;
                None
            }
        }
    }
}
