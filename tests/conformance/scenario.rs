//! The scenarios as they are written in `scenarios.jsonl`.

use crate::expand::expand;
use crate::json::Json;
use serde::Deserialize;
use std::collections::BTreeMap;

const LINES: &str = include_str!("scenarios.jsonl");

/// What a scenario's `env` and `config` are laid over; `"$absent"` there takes a member away.
const ENVIRONMENT: &str = r#"{
    "MONA_SDK_AUTH_API_TOKEN_URL": "$SERVER_URL/identity/resources/auth/v1/api-token",
    "MONA_SDK_REFRESH_TOKEN_URL": "$SERVER_URL/identity/resources/auth/v1/api-token/token/refresh",
    "ALL_PROXY": "$CLOSED_URL",
    "NO_PROXY": "127.0.0.1,localhost,::1,::ffff:127.0.0.1"
}"#;
const CONFIG: &str = r#"{
    "api_key": "test-api-key",
    "secret": "test-secret",
    "should_use_ssl": false,
    "override_rest_api_host": "$SERVER_HOST",
    "override_app_server_host": "$SERVER_HOST",
    "wait_time_for_authentication_retries": 0
}"#;

/// A scenario whose placeholders are still to be filled in.
pub struct Line {
    text: &'static str,
    pub scenario: Scenario,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    pub quirk: Option<String>,
    #[serde(default)]
    pub tls: bool,
    #[serde(default = "nothing")]
    env: Json,
    #[serde(default = "nothing")]
    config: Json,
    #[serde(default = "nothing")]
    defaults: Json,
    #[serde(default = "no_items")]
    script: Json,
    calls: Vec<Call>,
    golden: BTreeMap<String, Golden>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub op: Operation,
    /// The service's name.
    #[serde(default)]
    pub name: String,
    #[serde(default = "nothing")]
    args: Json,
    #[serde(default = "once")]
    times: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Export,
    ExportBatch,
    Service,
    IsActive,
    Init,
}

/// What the Python package did. Of a call: null where it crashed or the call means nothing there, a negative
/// status for an exception, a boolean, `"failed"`, the counts of a batch, or a service's `data` or words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    #[serde(default = "made")]
    pub init: Json,
    pub calls: Vec<Json>,
    /// None where the package crashed.
    requests: Option<Vec<Expected>>,
}

/// A request that the package sent.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    #[serde(default = "post")]
    pub method: String,
    pub path: String,
    #[serde(rename = "type", default = "json_type")]
    pub content_type: String,
    /// The access token: its number where it is one of the server's usual ones, else its claims or itself.
    pub token: Option<String>,
    #[serde(default = "null")]
    pub body: Json,
    #[serde(default = "once")]
    times: usize,
}

pub fn lines() -> Vec<Line> {
    let read = |text| Line {
        text,
        scenario: read(text),
    };
    LINES.lines().map(read).collect()
}

pub fn read(text: &str) -> Scenario {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:.80}"))
}

impl Line {
    pub fn knows(&self, version: &str) -> bool {
        self.scenario.golden(version).is_some()
    }

    /// The scenario's text with its placeholders filled in.
    pub fn filled(&self, places: &[(&str, String)]) -> String {
        fill(self.text, places)
    }
}

fn fill(text: &str, places: &[(&str, String)]) -> String {
    let mut text = text.to_owned();
    for (name, value) in places {
        text = text.replace(name, value);
    }
    text
}

impl Scenario {
    pub fn golden(&self, version: &str) -> Option<&Golden> {
        self.golden.get(version).or_else(|| self.golden.get("both"))
    }

    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        let calls = self.calls.iter();
        calls.flat_map(|call| std::iter::repeat_n(call, call.times))
    }

    pub fn environment(&self, places: &[(&str, String)]) -> Vec<(String, String)> {
        let laid = over(&fill(ENVIRONMENT, places), &self.env);
        let text = |value: Json| match value {
            Json::Text(text) => text,
            other => panic!("{}: env has {other}", self.name),
        };
        laid.into_iter()
            .map(|(key, value)| (key, text(value)))
            .collect()
    }

    pub fn config(&self, places: &[(&str, String)]) -> String {
        let laid = Json::Object(over(&fill(CONFIG, places), &self.config));
        expand(&laid, None).to_string()
    }

    /// What the server is to play.
    pub fn rules(&self) -> String {
        let rules = expand(&self.script, None);
        format!("{{\"defaults\":{},\"rules\":{rules}}}", self.defaults)
    }
}

impl Call {
    /// The arguments by name, generators filled in.
    pub fn arguments(&self) -> Vec<(String, Json)> {
        match expand(&self.args, None) {
            Json::Object(members) => members,
            other => panic!("args must be an object, not {other}"),
        }
    }
}

impl Golden {
    /// Whether the package crashed, so that its requests say nothing.
    pub fn crashed(&self) -> bool {
        self.requests.is_none()
    }

    pub fn requests(&self) -> Option<Vec<&Expected>> {
        let requests = self.requests.as_ref()?.iter();
        let repeated = requests.flat_map(|request| std::iter::repeat_n(request, request.times));
        Some(repeated.collect())
    }
}

/// The members of one object, with those of another put over them.
fn over(base: &str, changes: &Json) -> Vec<(String, Json)> {
    let (Json::Object(mut members), Json::Object(changes)) = (Json::parse(base), changes) else {
        panic!("{base} and {changes} must be objects");
    };
    for (key, value) in changes {
        members.retain(|(name, _)| name != key);
        if value.text() != Some("$absent") {
            members.push((key.clone(), value.clone()));
        }
    }
    members
}

fn nothing() -> Json {
    Json::Object(Vec::new())
}

fn no_items() -> Json {
    Json::Array(Vec::new())
}

fn null() -> Json {
    Json::Null
}

fn made() -> Json {
    Json::Bool(true)
}

fn once() -> usize {
    1
}

fn post() -> String {
    "POST".to_owned()
}

fn json_type() -> String {
    "application/json".to_owned()
}
