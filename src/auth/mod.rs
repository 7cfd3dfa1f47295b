//! Authentication: one mode per file behind one trait, and sessions that clients of a process share.
#![forbid(unsafe_code)]

mod answer;
mod flight;
mod manual;
mod mona;
mod none;
mod oidc;
mod session;
mod token;

pub use session::{Context, Need, Session};
pub use token::Token;
#[cfg(fuzzing)]
pub use {answer::read, token::tenant};

use crate::config::{Config, Secret, did_you_mean};
use crate::error::Error;
use answer::Attempt;
use flight::Flight;
use std::sync::Arc;

/// The authentication server as messages name it.
pub const SERVER: &str = "authentication server";

/// One way of getting access tokens.
trait Authenticator: Send + Sync {
    /// Gets a token from nothing but the configuration.
    fn login(&self, flight: &Flight) -> Result<Token, Attempt>;

    /// Gets a token by an older one; `None` where the mode or the token has no means for it.
    fn refresh(&self, _flight: &Flight, _old: &Token) -> Option<Result<Token, Attempt>> {
        None
    }

    /// Whether a new login can give another token.
    fn renewable(&self) -> bool;
}

/// A row of the table of modes.
struct Mode {
    name: &'static str,
    /// Whether requests carry a token.
    authenticated: bool,
    /// Whether the tokens name the tenant, so that `user_id` need not be given.
    names_tenant: bool,
    session: fn(&Config) -> Result<Arc<Session>, Error>,
}

const MODES: &[Mode] = &[
    Mode {
        name: "MONA",
        authenticated: true,
        names_tenant: true,
        session: mona::session,
    },
    Mode {
        name: "OIDC",
        authenticated: true,
        names_tenant: false,
        session: oidc::session,
    },
    Mode {
        name: "MANUAL_TOKEN",
        authenticated: true,
        names_tenant: false,
        session: manual::session,
    },
    Mode {
        name: "NO_AUTH",
        authenticated: false,
        names_tenant: false,
        session: none::session,
    },
];

/// What clients must have in common to share a session.
#[derive(Clone, PartialEq, Eq)]
struct Identity {
    mode: &'static str,
    login_url: String,
    refresh_url: Option<String>,
    api_key: Option<Secret>,
    secret: Option<Secret>,
    scope: Option<String>,
    /// A server that one client cannot reach is there for those that go another way.
    route: u64,
}

/// The session of the configured mode, and whether its requests carry a token.
pub fn session(config: &Config) -> Result<(Arc<Session>, bool), Error> {
    let wanted = if !config.should_use_authentication {
        "NO_AUTH"
    } else if manual::given(config).is_some() {
        "MANUAL_TOKEN"
    } else {
        &config.auth_mode
    };
    let Some(mode) = MODES.iter().find(|mode| mode.name == wanted) else {
        let hint = did_you_mean(wanted, MODES.iter().map(|mode| mode.name));
        return Err(Error::Initialization(format!(
            "config_json: auth_mode {wanted:?} is not known{hint}"
        )));
    };
    if !mode.names_tenant && config.user_id.is_none() {
        return Err(Error::Initialization(format!(
            "config_json: user_id must be given in auth_mode {}",
            mode.name
        )));
    }
    Ok(((mode.session)(config)?, mode.authenticated))
}
