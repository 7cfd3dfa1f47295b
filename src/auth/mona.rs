//! Mona's own login: an API key and its secret for a short-lived token, which a refresh token renews.

use super::token::lifetime;
use super::{Attempt, Authenticator, Context, Identity, SERVER, Token};
use crate::config::Secret;
use crate::error::{Error, is_retriable_status};
use crate::transport::{JSON, Request, Response};
use serde_json::{Value, json};

/// More than any token answer has.
const RESPONSE_LIMIT: usize = 1 << 20;

/// How much of a server's error text is passed on.
const MAX_ERROR_TEXT: usize = 500;

pub struct MonaLogin {
    identity: Identity,
}

impl MonaLogin {
    pub fn new(identity: Identity) -> Self {
        MonaLogin { identity }
    }

    fn post(&self, context: &Context, url: &str, body: Value) -> Result<Token, Attempt> {
        let request = Request {
            server: SERVER,
            url,
            bearer: None,
            content_type: JSON,
            body: body.to_string().into(),
            response_limit: RESPONSE_LIMIT,
            deadline: context.deadline,
        };
        let response = context.transport.post(request).map_err(unreachable)?;
        self.token(&response)
    }

    fn token(&self, response: &Response) -> Result<Token, Attempt> {
        let text = response.text();
        let answer: Option<Value> = serde_json::from_str(&text).ok();
        let status = response.status;
        let Some(answer) = answer else {
            let said = format!("the answer (status {status}) is not JSON");
            return Err(self.refusal(&said, true));
        };
        if !response.ok() {
            let said = match told(&answer) {
                Some(told) => told,
                None => format!("status {status}"),
            };
            return Err(self.refusal(&said, is_retriable_status(status)));
        }
        let secret = |names: [&str; 2]| {
            let found = names.iter().find_map(|name| answer.get(name))?.as_str()?;
            Some(Secret::new(found.to_owned())).filter(|_| !found.is_empty())
        };
        match secret(["accessToken", "access_token"]) {
            Some(access) => {
                let refresh = secret(["refreshToken", "refresh_token"]);
                Ok(Token::new(access, refresh, lifetime(&answer)))
            }
            None => Err(self.refusal("the answer has no accessToken", false)),
        }
    }

    /// A refusal in the server's words, without our secret should they quote it.
    fn refusal(&self, said: &str, retriable: bool) -> Attempt {
        let mut said: String = said.chars().take(MAX_ERROR_TEXT).collect();
        if let Some(secret) = &self.identity.secret {
            said = said.replace(secret.reveal(), "(secret)");
        }
        let message = format!("Mona's client could not authenticate: {said}");
        Attempt {
            error: Error::Authentication { message, retriable },
            repeat: retriable,
        }
    }
}

/// The server's `errors`, or whatever else it tells.
fn told(answer: &Value) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match answer.get("errors") {
        Some(Value::Array(errors)) if !errors.is_empty() => {
            Some(errors.iter().map(text).collect::<Vec<_>>().join(", "))
        }
        _ => ["error_description", "error", "message"]
            .iter()
            .find_map(|name| answer.get(name))
            .map(text),
    }
}

/// The authentication server could not be asked.
fn unreachable(error: Error) -> Attempt {
    let retriable = error.retriable();
    Attempt {
        error: Error::Authentication {
            message: format!("Mona's client could not authenticate: {error}"),
            retriable,
        },
        repeat: retriable,
    }
}

impl Authenticator for MonaLogin {
    fn login(&self, context: &Context) -> Result<Token, Attempt> {
        let text = |secret: &Option<Secret>| secret.as_ref().map(|s| s.reveal().to_owned());
        let body = json!({
            "clientId": text(&self.identity.api_key),
            "secret": text(&self.identity.secret),
        });
        self.post(context, &self.identity.login_url, body)
    }

    fn refresh(&self, context: &Context, old: &Token) -> Option<Result<Token, Attempt>> {
        let refresh = old.refresh.as_ref()?;
        let body = json!({"refreshToken": refresh.reveal()});
        Some(self.post(context, &self.identity.refresh_url, body))
    }

    fn renewable(&self) -> bool {
        true
    }
}
