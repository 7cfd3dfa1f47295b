//! Authentication: one mode per file behind one trait, and sessions that clients of a process share.
#![forbid(unsafe_code)]

mod mona;
mod none;
mod session;
mod token;

pub use session::{Context, Need, Session};
pub use token::Token;

use crate::config::{Config, Secret};
use crate::error::Error;
use std::sync::Arc;

/// The authentication server as messages name it.
const SERVER: &str = "authentication server";

/// One way of getting access tokens.
trait Authenticator: Send + Sync {
    /// Gets a token from nothing but the configuration.
    fn login(&self, context: &Context) -> Result<Token, Attempt>;

    /// Gets a token by an older one; `None` where the mode or the token has no means for it.
    fn refresh(&self, context: &Context, old: &Token) -> Option<Result<Token, Attempt>>;

    /// Whether a new login can give another token.
    fn renewable(&self) -> bool;
}

/// A failed attempt.
struct Attempt {
    error: Error,
    /// Whether the same attempt is worth repeating at once.
    repeat: bool,
}

/// What clients must have in common to share a session.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Identity {
    login_url: String,
    refresh_url: String,
    api_key: Option<Secret>,
    secret: Option<Secret>,
}

/// The session of the configured mode.
pub fn session(config: &Config) -> Arc<Session> {
    if config.should_use_authentication {
        let identity = Identity {
            login_url: config.auth_api_token_url.clone(),
            refresh_url: config.refresh_token_url.clone(),
            api_key: config.api_key.clone(),
            secret: config.secret.clone(),
        };
        Session::shared(&identity, || {
            Box::new(mona::MonaLogin::new(identity.clone()))
        })
    } else {
        Session::private(Box::new(none::NoAuthentication))
    }
}
