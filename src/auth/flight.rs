//! Getting one token. A request that is not answered while its call has time is left behind, for the next flight to look after.
#![forbid(unsafe_code)]

use super::answer::Attempt;
use super::{Authenticator, Context, SERVER, Token};
use crate::log::{Later, Level};
use crate::sync::{Deadline, Mutex, lock};
use crate::transport::{Answer, End, Pending, Request, UnderWay, lost};
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// The longest that a call waits for a new token while the old one serves.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a request is for.
#[derive(Clone, Copy, PartialEq)]
pub enum Step {
    Refresh,
    Login,
}

/// A request that was left behind.
pub type LeftBehind = Mutex<Option<(Step, Pending)>>;

/// What has forks wait for what is done with the last answer.
pub type ForkWaits = RefCell<Option<UnderWay>>;

#[derive(Clone, Copy)]
pub struct Flight<'a> {
    pub context: &'a Context<'a>,
    left_behind: &'a LeftBehind,
    fork_waits: &'a ForkWaits,
    step: Step,
    /// Whether there is a token to go on with.
    spare: bool,
    /// How long a failure counts.
    back_off: Duration,
    /// How long its call waits for it.
    pub deadline: Deadline,
}

impl<'a> Flight<'a> {
    pub fn new(
        context: &'a Context<'a>,
        left_behind: &'a LeftBehind,
        fork_waits: &'a ForkWaits,
        spare: bool,
        back_off: Duration,
    ) -> Self {
        let deadline = if spare {
            context.deadline.half(PATIENCE)
        } else {
            context.deadline
        };
        Flight {
            context,
            left_behind,
            fork_waits,
            step: Step::Login,
            spare,
            back_off,
            deadline,
        }
    }

    /// A new token, by the old one if there is one.
    pub fn token(
        &self,
        authenticator: &dyn Authenticator,
        old: Option<&Token>,
        log: &Later,
    ) -> Result<Token, Attempt> {
        // The refresh had its turn where an earlier flight has come as far as to log in.
        if let Some(old) = old.filter(|_| !self.is_left_behind()) {
            let refresh = Flight {
                step: Step::Refresh,
                ..*self
            };
            match refresh.repeated(|| authenticator.refresh(&refresh, old).transpose()) {
                Ok(Some(token)) => return Ok(token),
                Ok(None) => {}
                Err(attempt) if attempt.unfinished => return Err(attempt),
                Err(Attempt { error, .. }) => log.log(
                    Level::Warning,
                    format_args!("The token could not be refreshed, logging in anew: {error}"),
                ),
            }
        }
        self.repeated(|| authenticator.login(self))
    }

    /// Makes an attempt, and makes it again as often as configured while that is worth it and there is time for it.
    fn repeated<T>(&self, attempt: impl Fn() -> Result<T, Attempt>) -> Result<T, Attempt> {
        // With a token to go on with, the next flight is the repetition.
        let mut retries = if self.spare { 0 } else { self.context.retries };
        let wait = self.context.retry_wait;
        loop {
            match attempt() {
                Err(Attempt { repeat: true, .. })
                    if retries > 0 && self.deadline.left(wait) == Some(wait) =>
                {
                    retries -= 1;
                    self.fork_waits.take();
                    std::thread::sleep(wait);
                }
                result => return result,
            }
        }
    }

    fn is_left_behind(&self) -> bool {
        let left_behind = lock(self.left_behind);
        left_behind
            .as_ref()
            .is_some_and(|(step, _)| *step == self.step)
    }

    /// How a request for the same ended that an earlier flight left behind.
    pub fn earlier(&self) -> Option<Result<End, Attempt>> {
        let (_, pending) = lock(self.left_behind).take_if(|(step, _)| *step == self.step)?;
        // One flight has waited for it already.
        let deadline = if self.spare {
            Deadline::after(Some(0))
        } else {
            self.deadline
        };
        self.end(pending, deadline)
    }

    /// Whether a failure of then tells of now.
    pub fn counts(&self, at: Instant) -> bool {
        at.elapsed() < self.back_off
    }

    pub fn post(&self, request: Request) -> Result<End, Attempt> {
        if self.context.deadline.passed() {
            return Err(Attempt::unfinished());
        }
        // It would wait for a fork that waits for this.
        self.fork_waits.take();
        match self.context.transport.start(request) {
            Ok(pending) => {
                let end = self.end(pending, self.deadline);
                end.unwrap_or_else(|| Ok(End::now(Err(lost(SERVER)))))
            }
            Err(_) if self.deadline.passed() => Err(Attempt::unfinished()),
            Err(error) => Err(Attempt::failed(&error)),
        }
    }

    /// How the request ends, unless it is lost.
    fn end(&self, mut pending: Pending, deadline: Deadline) -> Option<Result<End, Attempt>> {
        match pending.wait(deadline) {
            Answer::Here(end) => {
                self.fork_waits.replace(pending.into_under_way());
                Some(Ok(end))
            }
            Answer::Lost => None,
            Answer::ToCome => {
                *lock(self.left_behind) = Some((self.step, pending));
                Some(Err(Attempt::unfinished()))
            }
        }
    }
}
