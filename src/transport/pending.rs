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

/// How a request ended, and when: whoever it was for may look at it later.
pub struct End {
    pub at: Instant,
    pub result: Result<Response, Error>,
}

impl End {
    pub fn now(result: Result<Response, Error>) -> End {
        let at = Instant::now();
        End { at, result }
    }
}

pub struct Pending {
    server: &'static str,
    until: Instant,
    end: Awaited<End>,
    /// What keeps forks waiting, as long as somebody waits for the answer.
    under_way: Option<UnderWay>,
}

impl Pending {
    pub fn new(server: &'static str, until: Instant) -> (Reply<End>, Pending) {
        let (reply, end) = reply::reply();
        let pending = Pending {
            server,
            until,
            end,
            under_way: None,
        };
        (reply, pending)
    }

    pub(super) fn watched(self, under_way: UnderWay) -> Pending {
        Pending {
            under_way: Some(under_way),
            ..self
        }
    }

    /// What keeps forks waiting, for as long as its receiver wants them to.
    pub fn into_under_way(self) -> Option<UnderWay> {
        self.under_way
    }

    /// How it ended; it is still to come when the deadline passes before the request's own time.
    pub fn wait(&mut self, deadline: Deadline) -> Answer<End> {
        let own = Deadline::at(self.until + GRACE);
        let deadline = deadline.min(own);
        if self.under_way.is_none() && !deadline.passed() {
            self.under_way = UnderWay::begin(deadline);
        }
        match self.end.wait(deadline) {
            Answer::ToCome if own.passed() => Answer::Here(End::now(Err(out_of_time(self.server)))),
            Answer::ToCome => {
                self.under_way = None;
                Answer::ToCome
            }
            ended => ended,
        }
    }
}

/// A request whose thread ended before it did.
pub fn lost(server: &'static str) -> Error {
    Error::Connection {
        server,
        cause: "the request ended without an answer".into(),
    }
}
