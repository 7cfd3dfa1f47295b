//! Getting one token. A request that is not answered while its call has time is left behind, for the next flight to look after.

use super::answer::Attempt;
use super::{Authenticator, Context, Token};
use crate::log::{Later, Level};
use crate::sync::{Deadline, Mutex, lock};
use crate::transport::{Pending, Request, Response};
use std::time::Duration;

/// The longest that a call waits for a new token while the old one serves.
const PATIENCE: Duration = Duration::from_secs(1);

/// A request that was left behind, and where it was sent.
pub type LeftBehind = Mutex<Option<(String, Pending)>>;

pub struct Flight<'a> {
    pub context: &'a Context<'a>,
    left_behind: &'a LeftBehind,
    /// Whether there is a token to go on with.
    spare: bool,
    /// How long its call waits for it.
    pub deadline: Deadline,
}

impl<'a> Flight<'a> {
    pub fn new(context: &'a Context<'a>, left_behind: &'a LeftBehind, spare: bool) -> Self {
        // The other half of its time is for what the call is about.
        let patience = context.deadline.left(PATIENCE * 2).unwrap_or_default() / 2;
        let deadline = if spare {
            Deadline::after(Some(patience.as_millis() as u64))
        } else {
            context.deadline
        };
        Flight {
            context,
            left_behind,
            spare,
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
        if let Some(old) = old {
            match self.repeated(|| authenticator.refresh(self, old).transpose()) {
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

    /// Makes an attempt, and makes it again as often as configured while that is worth it.
    fn repeated<T>(&self, attempt: impl Fn() -> Result<T, Attempt>) -> Result<T, Attempt> {
        // With a token to go on with, the next flight is the repetition.
        let mut retries = if self.spare { 0 } else { self.context.retries };
        loop {
            match attempt() {
                Err(Attempt { repeat: true, .. }) if retries > 0 => retries -= 1,
                result => return result,
            }
            match self.deadline.left(self.context.retry_wait) {
                Some(wait) => std::thread::sleep(wait),
                None => return Err(Attempt::unfinished()),
            }
        }
    }

    /// The answer to what an earlier flight sent to this URL and left behind.
    pub fn earlier(&self, url: &str) -> Option<Result<Response, Attempt>> {
        let (sent_to, pending) = lock(self.left_behind).take()?;
        // One flight has waited for it already.
        let deadline = if self.spare {
            Deadline::after(Some(0))
        } else {
            self.deadline
        };
        (sent_to == url).then(|| self.answer(sent_to, pending, deadline))
    }

    pub fn post(&self, request: Request) -> Result<Response, Attempt> {
        let url = request.url.to_owned();
        match self.context.transport.start(request) {
            Ok(pending) => self.answer(url, pending, self.deadline),
            Err(_) if self.deadline.passed() => Err(Attempt::unfinished()),
            Err(error) => Err(Attempt::failed(&error)),
        }
    }

    fn answer(
        &self,
        url: String,
        mut pending: Pending,
        deadline: Deadline,
    ) -> Result<Response, Attempt> {
        match pending.wait(deadline) {
            Some(answer) => answer.map_err(|error| Attempt::failed(&error)),
            None => {
                *lock(self.left_behind) = Some((url, pending));
                Err(Attempt::unfinished())
            }
        }
    }
}
