//! A sandbox and clients of it, for the integration tests.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use mona::answer::Answer;
use mona::client::Client;
use mona_sandbox::{Options, RecordedRequest, Sandbox};
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub const LOGIN: &str = "/identity/resources/auth/v1/api-token";
pub const REFRESH: &str = "/identity/resources/auth/v1/api-token/token/refresh";
pub const MESSAGE: &str = r#"{"message":{"a":1},"contextClass":"C"}"#;

/// Long enough for anything that is going to happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Counts how long a test that looks again and again has waited. A machine that stands still for longer than any look takes
/// counts as one: nothing can happen meanwhile.
pub struct Patience {
    last_look: Instant,
    waited: Duration,
}

impl Patience {
    const LONGEST_LOOK: Duration = Duration::from_secs(1);

    pub fn new() -> Patience {
        Patience {
            last_look: Instant::now(),
            waited: Duration::ZERO,
        }
    }

    /// Whether to look once more.
    pub fn lasts(&mut self) -> bool {
        self.waited += self.last_look.elapsed().min(Self::LONGEST_LOOK);
        self.last_look = Instant::now();
        self.waited < PATIENCE
    }
}

pub fn sandbox() -> Sandbox {
    Sandbox::start(Options::default()).unwrap()
}

/// A sandbox that answers as it is told and judges nothing.
pub fn canned(rules: Value) -> Sandbox {
    let sandbox = Sandbox::start(Options {
        canned: true,
        ..Options::default()
    });
    let sandbox = sandbox.unwrap();
    sandbox.add_rules(&rules.to_string()).unwrap();
    sandbox
}

/// An API key that no other test has, so that no token is shared by chance.
pub fn new_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("key-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The configuration of a client of this sandbox, with some keys changed.
pub fn config(sandbox: &Sandbox, changes: Value) -> Value {
    let mut config = json!({
        "api_key": new_key(),
        "secret": "secret",
        "should_use_ssl": false,
        "override_rest_api_host": sandbox.host(),
        "override_app_server_host": sandbox.host(),
        "auth_api_token_url": format!("{}{LOGIN}", sandbox.url()),
        "refresh_token_url": format!("{}{REFRESH}", sandbox.url()),
        "wait_time_for_authentication_retries": 0,
        "num_of_retries_for_authentication": 0,
    });
    let changes: Map<String, Value> = serde_json::from_value(changes).unwrap();
    config.as_object_mut().unwrap().extend(changes);
    config
}

/// A client that must come to be.
pub fn client(config: &Value) -> Client {
    let (client, answer) = Client::new(Some(&config.to_string()));
    client.unwrap_or_else(|| panic!("no client: {}", answer.document))
}

pub fn document(answer: &Answer) -> Value {
    serde_json::from_str(&answer.document).unwrap()
}

/// The paths of the requests so far.
pub fn paths(sandbox: &Sandbox) -> Vec<String> {
    sandbox
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect()
}

/// How often a path was asked for.
pub fn count(sandbox: &Sandbox, path: &str) -> usize {
    paths(sandbox).iter().filter(|asked| *asked == path).count()
}

pub fn header<'r>(request: &'r RecordedRequest, name: &str) -> Option<&'r str> {
    let found = request.headers.iter().find(|(header, _)| header == name);
    found.map(|(_, value)| value.as_str())
}

pub fn body(request: &RecordedRequest) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}
