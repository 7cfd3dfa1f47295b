//! Looking inside and scripting over HTTP. These requests are not recorded.

use std::sync::atomic::Ordering;

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::{answer::Answer, json::RawObject, request::Request, rules::Script, state::Shared};

pub(crate) const PREFIX: &str = "/sandbox/";

pub(crate) fn answer(shared: &Shared, request: &Request, name: &str) -> Answer {
    match (request.method.as_str(), name) {
        ("GET", "health") => health(shared),
        ("GET", "messages") => {
            let state = shared.lock();
            let messages: Vec<RawObject> = state
                .store
                .messages()
                .iter()
                .map(|message| message.shown())
                .collect();
            Answer::json(StatusCode::OK, &messages)
        }
        ("GET", "contexts") => Answer::json(StatusCode::OK, &shared.lock().store.shown_contexts()),
        ("GET", "requests") => Answer::json(StatusCode::OK, &requests(shared)),
        ("GET", "configs") => {
            Answer::json(StatusCode::OK, &shared.lock().workspace.shown_configs())
        }
        ("GET", "sampling_factors") => {
            Answer::json(StatusCode::OK, &shared.lock().workspace.shown_sampling())
        }
        ("POST" | "PUT", "rules") => add_rules(shared, request),
        ("DELETE", "rules") => {
            shared.clear_rules();
            Answer::json(StatusCode::OK, &json!({"rules": 0}))
        }
        ("POST", "reset") => {
            shared.reset();
            Answer::json(StatusCode::OK, &json!({}))
        }
        _ => unknown(&request.method, name),
    }
}

fn health(shared: &Shared) -> Answer {
    let state = shared.lock();
    let body = json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "connections": shared.connections.load(Ordering::Relaxed),
        "requests": state.requests.len(),
        "messages": state.store.messages().len(),
        "rules": state.rules.len(),
    });
    Answer::json(StatusCode::OK, &body)
}

fn requests(shared: &Shared) -> Vec<RawObject> {
    let state = shared.lock();
    let shown = state.requests.iter().map(|request| {
        let headers: Vec<[&str; 2]> = request
            .headers
            .iter()
            .map(|(name, value)| [name.as_str(), value.as_str()])
            .collect();
        let object = RawObject::default()
            .with("method", &request.method)
            .with("path", &request.path)
            .with("headers", &headers)
            .with("connection", &request.connection)
            .with("text", &String::from_utf8_lossy(&request.body));
        match serde_json::from_slice::<Box<serde_json::value::RawValue>>(&request.body) {
            Ok(body) => object.with("json", &body),
            Err(_) => object,
        }
    });
    shown.collect()
}

fn add_rules(shared: &Shared, request: &Request) -> Answer {
    let refused =
        |reason: String| Answer::json(StatusCode::BAD_REQUEST, &json!({ "error": reason }));
    let script = match std::str::from_utf8(&request.body) {
        Ok(text) => Script::parse(text),
        Err(error) => return refused(error.to_string()),
    };
    match script {
        Ok(script) => {
            let mut state = shared.lock();
            state.load(script);
            Answer::json(StatusCode::OK, &json!({"rules": state.rules.len()}))
        }
        Err(error) => refused(error.to_string()),
    }
}

fn unknown(method: &Method, name: &str) -> Answer {
    let reason = format!("the sandbox has no {method} {PREFIX}{name}");
    Answer::json(StatusCode::NOT_FOUND, &json!({ "error": reason }))
}
