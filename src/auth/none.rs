//! Mode `NO_AUTH`: requests carry no token.

use super::answer::Attempt;
use super::{Authenticator, Flight, Session, Token};
use crate::config::Config;
use crate::error::Error;
use std::sync::Arc;

struct NoToken;

pub fn session(_config: &Config) -> Result<Arc<Session>, Error> {
    Ok(Session::private(Box::new(NoToken)))
}

impl Authenticator for NoToken {
    fn login(&self, _flight: &Flight) -> Result<Token, Attempt> {
        Ok(Token::none())
    }

    fn renewable(&self) -> bool {
        false
    }
}
