//! What an authentication server answers to a request for a token, in either spelling.

use super::token::lifetime;
use super::{Context, SERVER, Token};
use crate::config::Secret;
use crate::error::{Error, is_retriable_status};
use crate::transport::{Request, Response};
use serde_json::Value;

/// More than any token answer has.
const RESPONSE_LIMIT: usize = 1 << 20;

/// How much of a server's error text is passed on.
const MAX_ERROR_TEXT: usize = 500;

/// A failed attempt.
pub struct Attempt {
    pub error: Error,
    /// Whether the same attempt is worth repeating at once.
    pub repeat: bool,
}

impl Attempt {
    fn failed(said: &str, retriable: bool) -> Self {
        Attempt {
            error: Error::Authentication {
                message: format!("Mona's client could not authenticate: {said}"),
                retriable,
            },
            repeat: retriable,
        }
    }
}

/// Asks for a token. `secret` never shows in an error, should the server quote it.
pub fn ask(
    context: &Context,
    url: &str,
    content_type: &'static str,
    body: String,
    secret: Option<&Secret>,
) -> Result<Token, Attempt> {
    let request = Request {
        server: SERVER,
        url,
        bearer: None,
        content_type,
        body: body.into(),
        response_limit: RESPONSE_LIMIT,
        deadline: context.deadline,
    };
    let response = context.transport.post(request);
    let response =
        response.map_err(|error| Attempt::failed(&error.to_string(), error.retriable()))?;
    token(&response).map_err(|(said, repeat)| {
        let said: String = said.chars().take(MAX_ERROR_TEXT).collect();
        let said = match secret {
            Some(secret) => said.replace(secret.reveal(), "(secret)"),
            None => said,
        };
        Attempt::failed(&said, repeat)
    })
}

/// The token, or what the server said instead and whether asking again may help.
fn token(response: &Response) -> Result<Token, (String, bool)> {
    let status = response.status;
    let Ok(answer) = serde_json::from_str::<Value>(&response.text()) else {
        return Err((format!("the answer (status {status}) is not JSON"), true));
    };
    if !response.ok() {
        let said = told(&answer).unwrap_or_else(|| format!("status {status}"));
        return Err((said, is_retriable_status(status)));
    }
    let secret = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| answer.get(name))?.as_str()?;
        (!found.is_empty()).then(|| Secret::new(found.to_owned()))
    };
    match secret(["accessToken", "access_token"]) {
        Some(access) => {
            let refresh = secret(["refreshToken", "refresh_token"]);
            Ok(Token::new(access, refresh, lifetime(&answer)))
        }
        None => Err(("the answer has no access token".to_owned(), false)),
    }
}

/// Mona's `errors`, a provider's `error` with its description, or whatever else is told.
fn told(answer: &Value) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match answer.get("errors") {
        Some(Value::Array(errors)) if !errors.is_empty() => {
            return Some(errors.iter().map(text).collect::<Vec<_>>().join(", "));
        }
        _ => {}
    }
    let parts: Vec<_> = ["error", "error_description", "message"]
        .iter()
        .filter_map(|name| answer.get(name))
        .map(text)
        .collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}
