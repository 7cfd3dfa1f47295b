//! The state of one login: a token that many clients and threads share, and one flight at a time to renew it.

use super::answer::Attempt;
use super::flight::{Flight, ForkWaits, LeftBehind};
use super::{Authenticator, Identity, Token};
use crate::error::Error;
use crate::fork::PerProcess;
use crate::log::{Level, Logger};
use crate::message::random;
use crate::sync::{Condvar, Deadline, Mutex, lock, wait};
use crate::transport::{Transport, out_of_time};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

const FIRST_BACK_OFF: Duration = Duration::from_secs(2);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);

/// What a call lends to the session that it needs a token from.
pub struct Context<'a> {
    pub transport: &'a Transport,
    pub logger: &'a Logger,
    pub deadline: Deadline,
    pub retries: u32,
    pub retry_wait: Duration,
    pub margin_hours: f64,
}

pub struct Session {
    authenticator: Arc<dyn Authenticator>,
    state: Mutex<State>,
    changed: Condvar,
    left_behind: LeftBehind,
    /// How many clients share it; changed with the table's lock.
    clients: AtomicUsize,
}

#[derive(Default)]
struct State {
    token: Option<Arc<Token>>,
    /// Whether a thread is getting a token right now.
    in_flight: bool,
    failures: u32,
    failure: Option<Error>,
    retry_at: Option<Instant>,
    /// How often in a row a token was replaced because a server refused it.
    refusals: u32,
}

static SHARED: PerProcess<Mutex<Sessions>> = PerProcess::new();

/// Not a hash table, which points to the middle of its memory: a leak checker would take what it holds for lost.
type Sessions = Vec<(Identity, Arc<Session>)>;

/// Why a caller asks for a token.
#[derive(Clone, Copy)]
pub enum Need<'a> {
    /// A client is being made: try, whatever failed before.
    First,
    /// A call needs one.
    Call,
    /// A server refused this one.
    Refused(&'a Arc<Token>),
}

impl Need<'_> {
    /// What is left to be done by one who waited for another's attempt: not to make the same again.
    fn after_another(self) -> Self {
        match self {
            Need::First => Need::Call,
            other => other,
        }
    }
}

impl Session {
    pub(super) fn private(authenticator: Box<dyn Authenticator>) -> Arc<Session> {
        Arc::new(Session {
            authenticator: authenticator.into(),
            state: Mutex::default(),
            changed: Condvar::new(),
            left_behind: LeftBehind::default(),
            clients: AtomicUsize::default(),
        })
    }

    /// The session of an identity, the same for every client of the process. It outlives its clients, so
    /// that one made anew needs no new login, and is dropped when its token has expired by then.
    pub(super) fn shared(
        identity: &Identity,
        authenticator: impl FnOnce() -> Box<dyn Authenticator>,
    ) -> Arc<Session> {
        let mut sessions = lock(SHARED.get(|inherited| Mutex::new(inherit(inherited))));
        sessions
            .retain(|(_, session)| session.clients.load(Relaxed) > 0 || session.worth_keeping());
        let known = sessions.iter().find(|(known, _)| known == identity);
        let session = match known {
            Some((_, known)) => known.clone(),
            None => {
                let session = Session::private(authenticator());
                sessions.push((identity.clone(), session.clone()));
                session
            }
        };
        session.clients.fetch_add(1, Relaxed);
        session
    }

    /// To be called when a client ends: a session that has no token to keep goes with its last client, and what is
    /// secret in it too.
    pub fn release(self: &Arc<Session>) {
        let Some(sessions) = SHARED.current() else {
            return;
        };
        lock(sessions).retain(|(_, session)| {
            let last = Arc::ptr_eq(session, self) && session.clients.fetch_sub(1, Relaxed) == 1;
            if last {
                // Ends with the client's transport.
                *lock(&session.left_behind) = None;
            }
            !last || session.worth_keeping()
        });
    }

    /// This session as a forked child begins it: with the token, if nobody was changing it just then.
    fn inherited(&self) -> Option<Session> {
        let token = self.state.try_lock().ok()?.token.clone();
        Some(Session {
            authenticator: self.authenticator.clone(),
            state: Mutex::new(State {
                token,
                ..State::default()
            }),
            changed: Condvar::new(),
            left_behind: LeftBehind::default(),
            clients: AtomicUsize::default(),
        })
    }

    /// Whether a login succeeded and its token was not given up since, because a server refused it, or none is needed.
    pub fn active(&self) -> bool {
        !self.renewable() || lock(&self.state).token.is_some()
    }

    fn worth_keeping(&self) -> bool {
        let state = lock(&self.state);
        state.token.as_ref().is_some_and(|token| !token.expired())
    }

    /// Whether a token that was refused can be replaced.
    pub fn renewable(&self) -> bool {
        self.authenticator.renewable()
    }

    /// A token that can be used now. Waits for the network only where there is none.
    pub fn token(&self, context: &Context, mut need: Need) -> Result<Arc<Token>, Error> {
        let mut state = lock(&self.state);
        loop {
            state.forget_refused(need);
            if let Some(token) = state.usable(context.margin_hours) {
                return Ok(token);
            }
            if !state.in_flight {
                if let (Some(failure), Need::Call | Need::Refused(_)) = (state.backing_off(), need)
                {
                    return Err(failure);
                }
                state.in_flight = true;
                let (old, failures) = (state.token.clone(), state.failures);
                drop(state);
                match self.fly(context, old, failures) {
                    // What there was to go on with has expired meanwhile.
                    Err(attempt) if attempt.unfinished && !context.deadline.passed() => {}
                    result => return result.map_err(|attempt| attempt.error),
                }
                state = lock(&self.state);
                continue;
            }
            if context.deadline.passed() {
                return Err(out_of_time(super::SERVER));
            }
            state = wait(&self.changed, state, context.deadline);
            need = need.after_another();
        }
    }

    /// Gets a token, by the old one if there is one, and tells those who wait.
    fn fly(
        &self,
        context: &Context,
        old: Option<Arc<Token>>,
        failures: u32,
    ) -> Result<Arc<Token>, Attempt> {
        // Made when the flight is over: a callback that calls the library would wait for it.
        let log = context.logger.later();
        // Even a panic must not leave the others waiting.
        let landing = Landing(self);
        // Longer than the flight: a child forked in between would lack the token.
        let fork_waits = ForkWaits::default();
        let spare = old.as_ref().is_some_and(|old| !old.expired());
        let flight = Flight::new(
            context,
            &self.left_behind,
            &fork_waits,
            spare,
            doubled(failures),
        );
        let result = flight.token(&*self.authenticator, old.as_deref(), &log);
        let mut state = lock(&self.state);
        let result = match result {
            Ok(token) => {
                let token = Arc::new(token);
                *lock(&self.left_behind) = None;
                *state = State {
                    token: Some(token.clone()),
                    // Until the landing, which would otherwise end another's.
                    in_flight: true,
                    // Refusals end with a token that serves until it is renewed.
                    refusals: old.map_or(state.refusals, |_| 0),
                    ..State::default()
                };
                Ok(token)
            }
            Err(attempt) => {
                if !attempt.unfinished {
                    state.fail(&attempt.error);
                }
                let spare = state.token.clone().filter(|token| !token.expired());
                if !attempt.unfinished || spare.is_none() {
                    log.log(Level::Error, &attempt.error);
                }
                spare.ok_or(attempt)
            }
        };
        drop(state);
        drop(landing);
        result
    }
}

/// The sessions that a forked child begins with. Locks that its parent holds are never waited for.
fn inherit(sessions: Option<&Mutex<Sessions>>) -> Sessions {
    let Some(Ok(sessions)) = sessions.map(Mutex::try_lock) else {
        return Sessions::default();
    };
    let entry = |(identity, session): &(Identity, Arc<Session>)| {
        Some((identity.clone(), Arc::new(session.inherited()?)))
    };
    sessions.iter().filter_map(entry).collect()
}

impl State {
    /// A token that a server refused is void, unless another has taken its place meanwhile. One that took the place of a refused
    /// one, and that no server took either, is kept for a while: a server that refuses all of them is not to cost a login for each
    /// call.
    fn forget_refused(&mut self, need: Need) {
        let Need::Refused(refused) = need else {
            return;
        };
        let replaceable = |token: &mut Arc<Token>| {
            let serves = self
                .refusals
                .checked_sub(1)
                .map(doubled)
                .unwrap_or_default();
            Arc::ptr_eq(refused, token) && (token.was_taken() || token.age() >= serves)
        };
        if let Some(token) = self.token.take_if(replaceable) {
            let soon = token.age() < LONGEST_BACK_OFF;
            self.refusals = if soon { self.refusals + 1 } else { 1 };
        }
    }

    /// The token, unless it is time to renew it and this caller is the one to do so.
    fn usable(&self, margin_hours: f64) -> Option<Arc<Token>> {
        let token = self.token.as_ref()?;
        let spared = !token.expired() && (self.in_flight || self.backing_off().is_some());
        (!token.due(margin_hours) || spared).then(|| token.clone())
    }

    fn backing_off(&self) -> Option<Error> {
        let waiting = self.retry_at.is_some_and(|at| Instant::now() < at);
        self.failure.clone().filter(|_| waiting)
    }

    fn fail(&mut self, error: &Error) {
        self.retry_at = Some(Instant::now() + back_off(self.failures));
        self.failures += 1;
        self.failure = Some(error.clone());
    }
}

/// How long to wait after so many failures before the last. With jitter, so that a thousand processes do not come back at once.
fn back_off(failures: u32) -> Duration {
    doubled(failures).mul_f64(0.5 + random::unit() / 2.0)
}

fn doubled(failures: u32) -> Duration {
    (FIRST_BACK_OFF * (1 << failures.min(5))).min(LONGEST_BACK_OFF)
}

/// Ends a flight, however it ended.
struct Landing<'a>(&'a Session);

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).in_flight = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
