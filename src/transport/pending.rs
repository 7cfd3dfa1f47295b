//! A request that has been sent, and its answer to come.
#![forbid(unsafe_code)]

use super::out_of_time;
use super::pause::UnderWay;
use super::response::Response;
use crate::error::Error;
use crate::sync::{Condvar, Deadline, Mutex, lock, wait};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The thread of requests ends each in time and says what took so long. Should it be stuck itself, in reading
/// certificates from a dead disk, say, then whoever waits does so this much longer.
const GRACE: Duration = Duration::from_millis(100);

pub type Answer = Result<Response, Error>;

#[derive(Default)]
struct Slot {
    answer: Mutex<Option<Answer>>,
    changed: Condvar,
}

/// Where the answer is to be put; without one, whoever waits learns that none will come.
pub struct Reply(Option<Arc<Slot>>);

impl Reply {
    pub fn send(mut self, answer: Answer) {
        self.fill(|| answer);
    }

    fn fill(&mut self, answer: impl FnOnce() -> Answer) {
        if let Some(slot) = self.0.take() {
            *lock(&slot.answer) = Some(answer());
            slot.changed.notify_one();
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        let said = "a request ended without an answer";
        self.fill(|| Err(Error::Internal(said.into())));
    }
}

pub struct Pending {
    server: &'static str,
    until: Instant,
    slot: Arc<Slot>,
    /// What keeps forks waiting, as long as somebody waits for the answer.
    pub(super) under_way: Option<UnderWay>,
}

impl Pending {
    pub(super) fn new(server: &'static str, until: Instant) -> (Reply, Pending) {
        let slot = Arc::new(Slot::default());
        let pending = Pending {
            server,
            until,
            slot: slot.clone(),
            under_way: None,
        };
        (Reply(Some(slot)), pending)
    }

    /// The answer, or why there is none; nothing when the deadline passes before the request's own time.
    pub fn wait(&mut self, deadline: Deadline) -> Option<Answer> {
        let own = Deadline::at(self.until + GRACE);
        let deadline = deadline.min(own);
        let mut answer = lock(&self.slot.answer);
        loop {
            if let Some(answer) = answer.take() {
                return Some(answer);
            }
            if own.passed() {
                return Some(Err(out_of_time(self.server)));
            }
            if deadline.passed() {
                drop(answer);
                self.under_way = None;
                return None;
            }
            answer = wait(&self.slot.changed, answer, deadline);
        }
    }
}
