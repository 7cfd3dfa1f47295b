//! What an authentication server answers to a request for a token, in either spelling.

use super::token::lifetime;
use super::{Flight, SERVER, Token};
use crate::config::{Erased, Secret};
use crate::error::{Error, is_retriable_status};
use crate::transport::{End, Request, Response, out_of_time};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use std::time::Instant;
use zeroize::Zeroizing;

/// More than any token answer has.
const RESPONSE_LIMIT: usize = 1 << 20;

/// How much of a server's error text is passed on.
const MAX_ERROR_TEXT: usize = 500;

/// Room for a login's body: one that grows would leave a copy behind.
pub const BODY_BYTES: usize = 8 * 1024;

/// A failed attempt.
pub struct Attempt {
    pub error: Error,
    /// Whether the same attempt is worth repeating at once.
    pub repeat: bool,
    /// Whether its call's time was over first: then it says nothing of the server.
    pub unfinished: bool,
}

impl Attempt {
    pub fn unfinished() -> Self {
        Attempt {
            error: out_of_time(SERVER),
            repeat: false,
            unfinished: true,
        }
    }

    pub fn failed(error: &Error) -> Self {
        Attempt::refused(&error.to_string(), error.retriable())
    }

    fn refused(said: &str, retriable: bool) -> Self {
        Attempt {
            error: Error::Authentication {
                message: format!("Mona's client could not authenticate: {said}"),
                retriable,
            },
            repeat: retriable,
            unfinished: false,
        }
    }
}

/// The JSON body of a request for a token; its memory is cleared when it has been sent.
pub fn json(body: &impl Serialize) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(BODY_BYTES));
    // Strings under constant keys: there is nothing that could fail.
    let _ = serde_json::to_writer(&mut *text, body);
    text
}

/// Asks for a token. None of `secrets` shows in an error, should the server quote it.
pub fn ask(
    flight: &Flight,
    url: &str,
    content_type: &'static str,
    body: Zeroizing<Vec<u8>>,
    secrets: &[Option<&Secret>],
) -> Result<Token, Attempt> {
    if let Some(earlier) = flight.earlier() {
        let earlier = earlier?;
        let at = earlier.at;
        match ended(earlier, secrets) {
            Ok(token) if !token.expired() => return Ok(token),
            Err(attempt) if flight.counts(at) => return Err(attempt),
            // Too old to be of use.
            _ => {}
        }
    }
    let end = flight.post(Request {
        server: SERVER,
        url,
        bearer: None,
        content_type,
        body: Bytes::from_owner(body),
        response_limit: RESPONSE_LIMIT,
        deadline: flight.deadline,
    })?;
    ended(end, secrets)
}

fn ended(end: End, secrets: &[Option<&Secret>]) -> Result<Token, Attempt> {
    match end.result {
        Ok(response) => read(response, end.at, secrets),
        Err(error) => Err(Attempt::failed(&error)),
    }
}

/// The token of an answer that was there at that time.
pub fn read(
    response: Response,
    at: Instant,
    secrets: &[Option<&Secret>],
) -> Result<Token, Attempt> {
    token(&response, at).map_err(|(said, repeat)| {
        // Before it is cut off, and the longest first: a part of a secret would not be recognised.
        let secrets = secrets.iter().flatten();
        let longest = secrets.clone().max_by_key(|secret| secret.reveal().len());
        let said = longest
            .into_iter()
            .chain(secrets)
            .fold(said, |said, secret| {
                secret.conceal_in(&said).unwrap_or(said)
            });
        let said: String = said.chars().take(MAX_ERROR_TEXT).collect();
        Attempt::refused(&said, repeat)
    })
}

/// The token, or what the server said instead and whether asking again may help.
fn token(response: &Response, at: Instant) -> Result<Token, (String, bool)> {
    let status = response.status;
    let Ok(answer) = serde_json::from_str::<Value>(&response.text()) else {
        return Err((format!("the answer (status {status}) is not JSON"), true));
    };
    let answer = Erased(answer);
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
            let lifetime = lifetime(&answer, at);
            Ok(Token::new(access, refresh, at, lifetime))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_begins_with_another_is_hidden_whole() {
        let [key, secret] = ["svc", "svc-9f8e"].map(|text| Secret::new(text.to_owned()));
        let response = Response::with(401, r#"{"error": "bad secret svc-9f8e of svc"}"#);
        let read = read(response, Instant::now(), &[Some(&key), Some(&secret)]);
        let told = read.err().map(|attempt| attempt.error.to_string());
        let told = told.unwrap_or_default();
        assert!(told.ends_with("bad secret (secret) of (secret)"), "{told}");
    }
}
