//! No authentication: requests carry no token.

use super::{Attempt, Authenticator, Context, Token};

pub struct NoAuthentication;

impl Authenticator for NoAuthentication {
    fn login(&self, _context: &Context) -> Result<Token, Attempt> {
        Ok(Token::none())
    }

    fn refresh(&self, _context: &Context, _old: &Token) -> Option<Result<Token, Attempt>> {
        None
    }

    fn renewable(&self) -> bool {
        false
    }
}
