//! Faults on request: which requests get a scripted answer, and what it is.

mod expand;
mod glob;
mod parse;

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use hyper::{
    HeaderMap, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue},
};
use std::io::Write;

pub(crate) use expand::Expander;
pub(crate) use parse::{DefaultsChange, Rule, Script};

use crate::{
    answer::{Answer, DropPoint},
    json::RawObject,
    request::Request,
};

/// The rules in the order they were given.
#[derive(Debug, Default)]
pub(crate) struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    pub(crate) fn add(&mut self, rules: Vec<Rule>) {
        self.rules.extend(rules);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// The first rule that matches and is not used up, counted as used.
    pub(crate) fn take(&mut self, request: &Request) -> Option<Rule> {
        let rule = self.first(request.method.as_str(), request.route())?;
        rule.use_up();
        Some(rule.clone())
    }

    /// Whether the rule for such a request breaks it off before its body is read; then it is counted as used.
    pub(crate) fn breaks_off(&mut self, method: &str, path: &str) -> bool {
        let mid_request = |rule: &&mut Rule| rule.drop == Some(DropPoint::MidRequest);
        let rule = self.first(method, path).filter(mid_request);
        rule.map(Rule::use_up).is_some()
    }

    fn first(&mut self, method: &str, path: &str) -> Option<&mut Rule> {
        self.rules.iter_mut().find(|rule| {
            rule.times != Some(0)
                && rule.method.as_deref().is_none_or(|only| only == method)
                && glob::matches(&rule.path, path)
        })
    }
}

/// Disturbs how an answer travels that no rule made.
pub(crate) fn disturb(rule: &Rule, answer: &mut Answer) {
    answer.delay = Duration::from_millis(rule.delay_ms);
    answer.pause_per_byte = Duration::from_millis(rule.slow_ms_per_byte);
    answer.chunked = rule.chunked;
    answer.close = rule.close;
    answer.drop = rule.drop;
}

/// Plays a rule. What cannot be played (a header that is not one once expanded) is answered with a 500 that says so.
pub(crate) fn play(rule: &Rule, request: &Request, expander: &mut Expander<'_>) -> Answer {
    build(rule, request, expander).unwrap_or_else(|reason| {
        let body = RawObject::default().with("message", &reason);
        Answer::json(StatusCode::INTERNAL_SERVER_ERROR, &body)
    })
}

fn build(rule: &Rule, request: &Request, expander: &mut Expander<'_>) -> Result<Answer, String> {
    let status = StatusCode::from_u16(rule.status).map_err(|error| error.to_string())?;
    let mut headers = HeaderMap::new();
    for (name, value) in rule.headers.iter() {
        let name: HeaderName = name
            .parse()
            .map_err(|_| format!("{name:?} is no header name"))?;
        let text = expander.plain(value)?;
        let value = HeaderValue::from_bytes(text.as_bytes())
            .map_err(|_| format!("{text:?} is no header value"))?;
        headers.append(name, value);
    }
    let mut body = body(rule, expander)?;
    if rule.json.is_some() && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if rule.gzip && request.header(ACCEPT_ENCODING).contains("gzip") {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        body = gzip(&body).map_err(|error| error.to_string())?;
    }
    let mut answer = Answer::new(status, body);
    answer.headers = headers;
    answer.raw = rule.raw.clone().map(Bytes::from);
    disturb(rule, &mut answer);
    Ok(answer)
}

fn body(rule: &Rule, expander: &mut Expander<'_>) -> Result<Bytes, String> {
    if let Some(value) = &rule.json {
        return expander.json(value).map(Bytes::from);
    }
    if let Some(text) = &rule.body_b64 {
        return BASE64_STANDARD
            .decode(text)
            .map(Bytes::from)
            .map_err(|error| error.to_string());
    }
    if let Some(length) = rule.body_bytes {
        return Ok(Bytes::from(vec![b'x'; length]));
    }
    Ok(Bytes::from(rule.body.clone().unwrap_or_default()))
}

fn gzip(body: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body)?;
    encoder.finish().map(Bytes::from)
}
