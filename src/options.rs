//! The options of a call: a small JSON object.
#![forbid(unsafe_code)]

use crate::clock::now_ms;
use crate::config::{did_you_mean, is_whole};
use crate::error::Error;
use crate::raw::fault;
use crate::sync::Deadline;
use serde_json::{Map, Value};

const ARGUMENT: &str = "options_json";

/// What a call is told beside its payload, and when.
#[derive(Debug)]
pub struct Options {
    /// When the call was made.
    pub now_ms: u64,
    /// When it must be over: so long after it was made.
    pub deadline: Deadline,
    pub default_action: Option<String>,
    pub filter_none_fields: Option<bool>,
}

impl Options {
    /// Reads the options that this kind of call knows.
    pub fn read(text: Option<&str>, known: &[&str]) -> Result<Options, Error> {
        let mut options = Options {
            now_ms: now_ms(),
            deadline: Deadline::default(),
            default_action: None,
            filter_none_fields: None,
        };
        let Some(text) = text else {
            return Ok(options);
        };
        for (key, value) in &parse(text)? {
            if !known.contains(&key.as_str()) {
                let hint = did_you_mean(key, known.iter().copied());
                return Err(Error::argument(
                    ARGUMENT,
                    format!("unknown option {key:?}{hint}"),
                ));
            }
            if !value.is_null() {
                options.set(key, value)?;
            }
        }
        Ok(options)
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), Error> {
        let wanted = match key {
            "timeout_ms" => {
                let number = value.as_f64().filter(is_whole);
                let timeout_ms = number.filter(|n| *n >= 0.0).map(|n| n as u64);
                self.deadline = Deadline::after(timeout_ms);
                timeout_ms
                    .is_none()
                    .then_some("a whole number of milliseconds, 0 or more")
            }
            "default_action" => {
                self.default_action = value.as_str().map(str::to_owned);
                self.default_action.is_none().then_some("text")
            }
            _ => {
                self.filter_none_fields = value.as_bool();
                self.filter_none_fields.is_none().then_some("a boolean")
            }
        };
        match wanted {
            Some(wanted) => Err(Error::argument(ARGUMENT, format!("{key} must be {wanted}"))),
            None => Ok(()),
        }
    }
}

fn parse(text: &str) -> Result<Map<String, Value>, Error> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Error::argument(ARGUMENT, "$ must be an object")),
        Err(error) => Err(Error::argument(ARGUMENT, fault(text, &error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bad_option_is_named() {
        for (text, expected) in [
            (
                r#"{"timeout":1}"#,
                r#"options_json: unknown option "timeout" (did you mean "timeout_ms"?)"#,
            ),
            (
                r#"{"timeout_ms":-1}"#,
                "options_json: timeout_ms must be a whole number of milliseconds, 0 or more",
            ),
            (
                r#"{"default_action":1}"#,
                "options_json: default_action must be text",
            ),
            ("[]", "options_json: $ must be an object"),
        ] {
            let error = Options::read(Some(text), &["timeout_ms", "default_action"]).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_whole_number_may_be_spelled_in_any_way() {
        for spelling in ["60000", "6e4", "60000.0"] {
            let text = format!(r#"{{"timeout_ms":{spelling}}}"#);
            let options = Options::read(Some(&text), &["timeout_ms"]).unwrap();
            let left = options.deadline.left(Duration::MAX).unwrap();
            assert!(left <= Duration::from_secs(60), "{spelling}");
        }
        for wrong in ["1.5", "-1", "-1e3", "true", "\"1\""] {
            let text = format!(r#"{{"timeout_ms":{wrong}}}"#);
            assert!(
                Options::read(Some(&text), &["timeout_ms"]).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn null_means_left_out() {
        let options = Options::read(
            Some(r#"{"timeout_ms":null,"filter_none_fields":true}"#),
            &["timeout_ms", "filter_none_fields"],
        );
        let options = options.unwrap();
        assert!(!options.deadline.passed());
        assert_eq!(options.filter_none_fields, Some(true));
    }
}
