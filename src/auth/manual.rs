//! Mode `MANUAL_TOKEN`: a token that the configuration gives, used as it is. Each client has its own.

use super::answer::Attempt;
use super::{Authenticator, Flight, Session, Token};
use crate::config::{Config, Secret};
use crate::error::Error;
use std::sync::Arc;
use std::time::Instant;

struct GivenToken(Secret);

pub fn session(config: &Config) -> Result<Arc<Session>, Error> {
    match given(config) {
        Some(token) => Ok(Session::private(Box::new(GivenToken(token.clone())))),
        None => Err(Error::Initialization(
            "config_json: access_token must be given in auth_mode MANUAL_TOKEN".to_owned(),
        )),
    }
}

/// The configured token; an empty one is none.
pub fn given(config: &Config) -> Option<&Secret> {
    config
        .access_token
        .as_ref()
        .filter(|token| !token.is_empty())
}

impl Authenticator for GivenToken {
    fn login(&self, _flight: &Flight) -> Result<Token, Attempt> {
        Ok(Token::new(self.0.clone(), None, Instant::now(), None))
    }

    fn renewable(&self) -> bool {
        false
    }
}
