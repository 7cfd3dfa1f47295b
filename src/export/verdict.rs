//! What the service said of a batch, in terms of the caller's messages.

use crate::error::Error;
use crate::message::Staged;
use crate::raw::{self, Members};
use crate::transport::Response;
use serde::Serialize;
use serde_json::value::RawValue;

/// Said where the service's own words are missing.
const GENERIC: &str = "Failed to send the batch to Mona's servers";

/// Why messages failed.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Reasons {
    /// One text for all that were sent.
    Text(String),
    /// By index; keys that are no index stay as the service wrote them.
    ByMessage(Members),
    /// Some other JSON of the service's.
    Other(Box<RawValue>),
}

/// How many messages failed, and why.
#[derive(Debug)]
pub struct Verdict {
    pub failed: usize,
    pub reasons: Reasons,
    /// The status of the service's answer, where it refused something.
    refused: Option<u16>,
}

impl Verdict {
    pub fn accepted() -> Self {
        Verdict {
            failed: 0,
            reasons: Reasons::none(),
            refused: None,
        }
    }

    pub fn all_failed(sent: usize, text: String) -> Self {
        Verdict {
            failed: sent,
            reasons: Reasons::Text(text),
            refused: None,
        }
    }

    /// Reads an answer. A success may still tell of failures; a refusal without a usable count is one of
    /// every message.
    pub fn of(response: &Response, sent: usize) -> Self {
        let answer: Members = serde_json::from_str(&response.text()).unwrap_or_default();
        let (failed, reasons) = judge(response, sent, &answer);
        Verdict {
            failed,
            reasons,
            refused: (failed > 0).then_some(response.status),
        }
    }

    /// Puts the caller's indices in place of the request's, and adds what was rejected before it.
    pub fn with_local(mut self, staged: &Staged) -> Self {
        if let Reasons::ByMessage(Members(entries)) = &mut self.reasons {
            for (key, _) in entries {
                if let Some(index) = place(key).and_then(|place| staged.indices.get(place)) {
                    *key = index.to_string();
                }
            }
        }
        if staged.rejected.is_empty() {
            return self;
        }
        let mut entries = match self.reasons {
            Reasons::ByMessage(Members(entries)) => entries,
            // One reason for many: each message is named, so that all failures have one form.
            Reasons::Text(text) => repeat(staged, &raw::text(&text)),
            Reasons::Other(value) => repeat(staged, &value),
        };
        let local = staged.rejected.iter();
        entries.extend(local.map(|(index, reason)| (index.to_string(), raw::text(reason))));
        self.failed += staged.rejected.len();
        self.reasons = Reasons::ByMessage(Members(entries));
        self
    }

    /// The failed messages by their place in the request, with their reasons; `None` where the service does
    /// not say which they are.
    pub fn by_index(&self, sent: usize) -> Option<Vec<(usize, String)>> {
        if self.failed == 0 {
            return Some(Vec::new());
        }
        let Reasons::ByMessage(Members(entries)) = &self.reasons else {
            return None;
        };
        let entry = |(key, reason): &(String, Box<RawValue>)| {
            let index = place(key).filter(|index| *index < sent)?;
            Some((index, raw::words(reason)))
        };
        let named: Vec<_> = entries.iter().map(entry).collect::<Option<_>>()?;
        let mut seen = vec![false; sent];
        let mut is_new = |index: usize| {
            let seen = seen.get_mut(index);
            seen.is_some_and(|seen| !std::mem::replace(seen, true))
        };
        let distinct = named.iter().all(|(index, _)| is_new(*index));
        (distinct && named.len() == self.failed).then_some(named)
    }

    /// The failure of the call, if any message failed.
    pub fn error(&self, total: usize) -> Option<Error> {
        let mut text = match &self.reasons {
            _ if self.failed == 0 => return None,
            Reasons::Text(text) if self.failed == total => text.clone(),
            _ => format!("{} of {total} messages failed", self.failed),
        };
        if let Reasons::Other(reason) = &self.reasons {
            text = format!("{text}: {reason}");
        }
        Some(match self.refused {
            Some(status) => Error::Refused { status, text },
            None => Error::Unsendable(text),
        })
    }
}

fn judge(response: &Response, sent: usize, answer: &Members) -> (usize, Reasons) {
    let top_level = answer.get("topLevelError");
    if let Some(error) = top_level.filter(|error| !raw::is_falsy(error)) {
        return (sent, Reasons::read(error));
    }
    let failed = answer.get("failed").and_then(count);
    let reasons = answer.get("failure_reasons").map(Reasons::read);
    match (failed, reasons) {
        (Some(failed @ 1..), Some(reasons)) => (failed.min(sent), reasons),
        (Some(failed @ 1..), None) if response.ok() => {
            (failed.min(sent), Reasons::Text(GENERIC.to_owned()))
        }
        _ if response.ok() => (0, Reasons::none()),
        _ => (
            sent,
            Reasons::Text(format!("{GENERIC} (status {})", response.status)),
        ),
    }
}

fn repeat(staged: &Staged, reason: &RawValue) -> Vec<(String, Box<RawValue>)> {
    let words = raw::words(reason);
    let short = raw::brief(&words);
    let reason = if short == words {
        reason
    } else {
        &raw::text(&short)
    };
    let sent = staged.indices.iter();
    sent.map(|index| (index.to_string(), reason.to_owned()))
        .collect()
}

/// The place in a request that a key of `failure_reasons` names.
fn place(key: &str) -> Option<usize> {
    let place: usize = key.parse().ok()?;
    (place.to_string() == key).then_some(place)
}

/// A count, which a server may write as a fraction.
fn count(value: &RawValue) -> Option<usize> {
    let count: f64 = serde_json::from_str(value.get()).ok()?;
    (count.fract() == 0.0).then_some(count as usize)
}

impl Reasons {
    fn none() -> Reasons {
        Reasons::ByMessage(Members::default())
    }

    fn read(value: &RawValue) -> Reasons {
        let text = value.get();
        if text.starts_with('{') {
            return match serde_json::from_str(text) {
                Ok(members) => Reasons::ByMessage(members),
                Err(_) => Reasons::Other(value.to_owned()),
            };
        }
        match serde_json::from_str(text) {
            Ok(text) => Reasons::Text(text),
            Err(_) => Reasons::Other(value.to_owned()),
        }
    }

    /// The messages that are named; `None` where none is.
    pub fn indices(&self) -> Option<Vec<usize>> {
        let Reasons::ByMessage(Members(entries)) = self else {
            return None;
        };
        let named: Vec<_> = entries.iter().filter_map(|(key, _)| place(key)).collect();
        (!named.is_empty()).then_some(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn verdict(status: u16, body: &str, sent: usize) -> (usize, Value) {
        let verdict = Verdict::of(&Response::with(status, body), sent);
        (
            verdict.failed,
            serde_json::to_value(&verdict.reasons).unwrap(),
        )
    }

    #[test]
    fn answers_are_read_with_their_types_checked() {
        let generic = |status| json!(format!("{GENERIC} (status {status})"));
        for (status, body, expected) in [
            (200, "", (0, json!({}))),
            (200, "not json", (0, json!({}))),
            (
                200,
                r#"{"failed":2,"failure_reasons":{"0":"x"}}"#,
                (2, json!({"0": "x"})),
            ),
            (200, r#"{"failed":1}"#, (1, json!(GENERIC))),
            (
                400,
                r#"{"failed":1,"failure_reasons":{"1":{"r":1.10}}}"#,
                (1, json!({"1": {"r": 1.10}})),
            ),
            (400, r#"{"failed":9,"failure_reasons":{}}"#, (3, json!({}))),
            (
                400,
                r#"{"failed":2.0,"failure_reasons":{}}"#,
                (2, json!({})),
            ),
            (
                400,
                r#"{"failed":1e0,"failure_reasons":{}}"#,
                (1, json!({})),
            ),
            (
                400,
                r#"{"failed":"1","failure_reasons":{}}"#,
                (3, generic(400)),
            ),
            (
                400,
                r#"{"failed":1.5,"failure_reasons":{}}"#,
                (3, generic(400)),
            ),
            (
                400,
                r#"{"failed":-1,"failure_reasons":{}}"#,
                (3, generic(400)),
            ),
            (
                400,
                r#"{"failed":0,"failure_reasons":{}}"#,
                (3, generic(400)),
            ),
            (
                400,
                r#"{"failed":1,"failure_reasons":["x",null]}"#,
                (1, json!(["x", null])),
            ),
            (400, r#"{"topLevelError":"bad"}"#, (3, json!("bad"))),
            (400, r#"{"topLevelError":{"a":1}}"#, (3, json!({"a": 1}))),
            (
                400,
                r#"{"topLevelError":"","failed":1,"failure_reasons":{"0":"y"}}"#,
                (1, json!({"0": "y"})),
            ),
            (400, "[]", (3, generic(400))),
            (503, "", (3, generic(503))),
        ] {
            assert_eq!(verdict(status, body, 3), expected, "{status} {body}");
        }
    }

    fn staged(indices: impl IntoIterator<Item = u32>, rejected: u32) -> Staged {
        let mut staged = Staged::default();
        staged.indices.extend(indices);
        staged.rejected.push((rejected, "no object".into()));
        staged
    }

    #[test]
    fn a_long_reason_is_not_repeated_for_each_message() {
        let staged = staged(0..1000, 1000);
        for long in [
            "\"x\"".replace('x', &"x".repeat(100_000)),
            format!("[{:?}]", "x".repeat(100_000)),
        ] {
            let body = format!(r#"{{"topLevelError":{long}}}"#);
            let verdict = Verdict::of(&Response::with(400, &body), 1000).with_local(&staged);
            let document = serde_json::to_string(&verdict.reasons).unwrap();
            assert!(document.len() < 2_000_000, "{}", document.len());
            assert_eq!(verdict.failed, 1001);
        }
    }

    #[test]
    fn only_what_the_service_refuses_is_refused() {
        let staged = staged([0], 1);
        let kind = |verdict: Verdict| verdict.with_local(&staged).error(2).unwrap().kind();
        assert_eq!(kind(Verdict::accepted()), "unsendable");
        let taken = Response::with(200, "{}");
        assert_eq!(kind(Verdict::of(&taken, 1)), "unsendable");
        let refused = Response::with(200, r#"{"failed":1,"failure_reasons":{"0":"x"}}"#);
        assert_eq!(kind(Verdict::of(&refused, 1)), "refused");
    }

    #[test]
    fn indices_become_the_callers() {
        let staged = staged([2, 5], 3);
        let body =
            r#"{"failed":1,"failure_reasons":{"1":"bad","01":"kept","all":"kept","7":"beyond"}}"#;
        let verdict = Verdict::of(&Response::with(400, body), 2).with_local(&staged);
        assert_eq!(verdict.failed, 2);
        let expected =
            json!({"5": "bad", "01": "kept", "all": "kept", "7": "beyond", "3": "no object"});
        assert_eq!(serde_json::to_value(&verdict.reasons).unwrap(), expected);
        let verdict = Verdict::of(&Response::with(500, ""), 2).with_local(&staged);
        let expected = format!("{GENERIC} (status 500)");
        let expected = json!({"2": expected, "5": expected, "3": "no object"});
        assert_eq!(
            (
                verdict.failed,
                serde_json::to_value(&verdict.reasons).unwrap()
            ),
            (3, expected)
        );
    }
}
