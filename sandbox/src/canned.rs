//! The fixed answers of a sandbox that does not think.

use std::collections::HashMap;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    StartError,
    answer::Answer,
    auth::{self, Holder},
    export,
    json::{self, RawObject},
    request::Request,
    rules::DefaultsChange,
    state::State,
};

const TABLE: &str = include_str!("canned.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Canned {
    defaults: DefaultsChange,
    answers: HashMap<String, Box<RawValue>>,
}

impl Canned {
    pub(crate) fn load() -> Result<Self, StartError> {
        serde_json::from_str(TABLE).map_err(|error| StartError::Canned(error.to_string()))
    }

    pub(crate) fn defaults(&self) -> DefaultsChange {
        self.defaults.clone()
    }

    pub(crate) fn answer(&self, request: &Request, state: &mut State) -> Answer {
        let path = request.route();
        if request.method == Method::CONNECT {
            return no_tunnel();
        }
        match path {
            auth::TOKEN_PATH | auth::REFRESH_PATH => {
                let access = state.tokens.issue(None, &state.defaults);
                let refresh_token = format!("refresh-{}", access.number);
                return Answer::json(
                    StatusCode::OK,
                    &auth::login(&access, &refresh_token, &state.defaults),
                );
            }
            auth::OIDC_PATH => {
                let access = state.tokens.issue(None, &state.defaults);
                let expires_in = state.defaults.expires_in_number();
                let body = json!({"access_token": access.token, "token_type": "Bearer", "expires_in": expires_in});
                return Answer::json(StatusCode::OK, &body);
            }
            _ => {}
        }
        // The table's tokens do not end: scenarios with a short lifetime test the client's clock, not the server's.
        let known = request
            .bearer()
            .is_some_and(|token| state.tokens.holder(token) != Holder::Unknown);
        if state.defaults.enforce_auth && !path.starts_with("/mona") && !known {
            return Answer::json(
                StatusCode::UNAUTHORIZED,
                &json!({"message": "Unauthorized"}),
            );
        }
        if export::PATHS.contains(&path) {
            let body = json!({"total": count(&request.body), "failed": 0, "failure_reasons": {}});
            return Answer::json(StatusCode::OK, &body);
        }
        match self.answers.get(path) {
            Some(body) => Answer::json_text(StatusCode::OK, body.get().to_owned()),
            None => not_found(),
        }
    }
}

pub(crate) fn not_found() -> Answer {
    Answer::json(StatusCode::NOT_FOUND, &json!({"message": "Not found"}))
}

pub(crate) fn no_tunnel() -> Answer {
    let mut answer = Answer::json(
        StatusCode::BAD_GATEWAY,
        &json!({"message": "No tunnels here"}),
    );
    answer.close = true;
    answer
}

/// How many messages a body has; one that is not an export has none.
fn count(body: &[u8]) -> usize {
    let object: Option<RawObject> = serde_json::from_slice(body).ok();
    let messages = object.as_ref().and_then(|object| object.get("messages"));
    messages
        .and_then(json::array)
        .map_or(0, |messages| messages.len())
}
