//! Everything that a sandbox remembers.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, atomic::AtomicU64};

use serde_json::Number;
use tokio::sync::Notify;

use crate::{
    Options, RecordedRequest, StartError,
    app::Workspace,
    auth::Tokens,
    canned::Canned,
    rules::{DefaultsChange, RuleSet, Script},
    store::Store,
};

/// What answers are like where no rule says otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Defaults {
    pub tenant: String,
    /// Seconds that an access token lives.
    pub expires_in: f64,
    pub enforce_auth: bool,
    pub segments_for_dimensions: bool,
}

impl Defaults {
    /// The lifetime as clients read it: a whole number where it is one.
    pub(crate) fn expires_in_number(&self) -> Option<Number> {
        if self.expires_in.fract() == 0.0 {
            // Saturates, and so stays a number.
            return Some(Number::from(self.expires_in as i64));
        }
        Number::from_f64(self.expires_in)
    }

    pub(crate) fn apply(&mut self, change: DefaultsChange) {
        if let Some(tenant) = change.tenant {
            self.tenant = tenant;
        }
        if let Some(expires_in) = change.expires_in {
            self.expires_in = expires_in;
        }
        if let Some(enforce_auth) = change.enforce_auth {
            self.enforce_auth = enforce_auth;
        }
        if let Some(exists) = change.segments_for_dimensions {
            self.segments_for_dimensions = exists;
        }
    }
}

pub(crate) struct State {
    pub requests: Vec<RecordedRequest>,
    pub rules: RuleSet,
    pub defaults: Defaults,
    pub tokens: Tokens,
    pub store: Store,
    pub workspace: Workspace,
}

impl State {
    fn new(defaults: Defaults) -> Self {
        Self {
            requests: Vec::new(),
            rules: RuleSet::default(),
            defaults,
            tokens: Tokens::default(),
            store: Store::default(),
            workspace: Workspace::default(),
        }
    }

    pub(crate) fn load(&mut self, script: Script) {
        self.rules.add(script.rules);
        self.defaults.apply(script.defaults);
    }
}

/// What the serving thread and the handle have in common.
pub(crate) struct Shared {
    pub options: Options,
    /// The fixed answers, where the sandbox plays those.
    pub canned: Option<Canned>,
    pub connections: AtomicU64,
    initial: Defaults,
    state: Mutex<State>,
    pub changed: Condvar,
    /// Rules were forgotten: answers that they delay go out.
    pub forgotten: Notify,
}

impl Shared {
    pub(crate) fn new(options: Options) -> Result<Self, StartError> {
        let canned = options.canned.then(Canned::load).transpose()?;
        let mut initial = Defaults {
            tenant: options.tenant.clone(),
            expires_in: options.token_lifetime.as_secs_f64(),
            enforce_auth: true,
            segments_for_dimensions: options.segments_for_dimensions,
        };
        if let Some(canned) = &canned {
            initial.apply(canned.defaults());
        }
        Ok(Self {
            options,
            canned,
            connections: AtomicU64::new(0),
            state: Mutex::new(State::new(initial.clone())),
            initial,
            changed: Condvar::new(),
            forgotten: Notify::new(),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reset(&self) {
        *self.lock() = State::new(self.initial.clone());
        self.changed.notify_all();
        self.forgotten.notify_waiters();
    }

    pub(crate) fn clear_rules(&self) {
        let mut state = self.lock();
        state.rules.clear();
        state.defaults = self.initial.clone();
        drop(state);
        self.forgotten.notify_waiters();
    }
}
