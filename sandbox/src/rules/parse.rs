use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::{
    RuleError,
    answer::DropPoint,
    json::{self, Kind, RawObject},
};

/// More would only show how much memory the machine has.
const LARGEST_BODY: usize = 256 * 1024 * 1024;
const DEEPEST_JSON: usize = 2_000;

/// One rule, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub path: String,
    pub method: Option<String>,
    pub times: Option<u64>,
    #[serde(default)]
    pub delay_ms: u64,
    #[serde(default = "ok")]
    pub status: u16,
    #[serde(default)]
    pub headers: RawObject,
    #[serde(default, deserialize_with = "even_null")]
    pub json: Option<Box<RawValue>>,
    pub body: Option<String>,
    pub body_b64: Option<String>,
    pub body_bytes: Option<usize>,
    #[serde(default)]
    pub gzip: bool,
    #[serde(default)]
    pub chunked: bool,
    #[serde(default)]
    pub slow_ms_per_byte: u64,
    pub drop: Option<DropPoint>,
    #[serde(default)]
    pub close: bool,
    pub raw: Option<String>,
    #[serde(default)]
    pub handle: bool,
}

impl Rule {
    pub(crate) fn use_up(&mut self) {
        if let Some(left) = &mut self.times {
            *left -= 1;
        }
    }
}

fn ok() -> u16 {
    200
}

/// `"json": null` is a body, not the absence of one.
fn even_null<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// What a script says about the answers that no rule gives.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DefaultsChange {
    #[serde(rename = "tenantId")]
    pub tenant: Option<String>,
    pub expires_in: Option<f64>,
    pub enforce_auth: Option<bool>,
    pub segments_for_dimensions: Option<bool>,
}

/// Rules, and the defaults that come with them.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub rules: Vec<Rule>,
    pub defaults: DefaultsChange,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenScript {
    #[serde(default)]
    rules: Vec<Box<RawValue>>,
    #[serde(default)]
    defaults: DefaultsChange,
}

impl Script {
    /// Reads a rule, an array of rules, or `{"defaults": {...}, "rules": [...]}`.
    pub(crate) fn parse(json: &str) -> Result<Self, RuleError> {
        let value: Box<RawValue> = serde_json::from_str(json)
            .map_err(|error| RuleError::new(format!("not JSON: {error}")))?;
        match json::kind(&value) {
            Kind::Array => {
                let rules: Vec<Box<RawValue>> = read("rules", &value)?;
                Ok(Self {
                    rules: read_rules(&rules)?,
                    ..Self::default()
                })
            }
            Kind::Object => {
                let object: RawObject = read("rule", &value)?;
                if object.get("rules").is_none() && object.get("defaults").is_none() {
                    return Ok(Self {
                        rules: vec![read_rule("rule", &value)?],
                        ..Self::default()
                    });
                }
                let script: WrittenScript = read("script", &value)?;
                Ok(Self {
                    rules: read_rules(&script.rules)?,
                    defaults: script.defaults,
                })
            }
            _ => Err(RuleError::new(
                "a rule is an object, or several are an array",
            )),
        }
    }
}

fn read<'a, T: Deserialize<'a>>(what: &str, value: &'a RawValue) -> Result<T, RuleError> {
    serde_json::from_str(value.get()).map_err(|error| RuleError::new(format!("{what}: {error}")))
}

fn read_rules(rules: &[Box<RawValue>]) -> Result<Vec<Rule>, RuleError> {
    rules
        .iter()
        .enumerate()
        .map(|(number, rule)| read_rule(&format!("rules[{number}]"), rule))
        .collect()
}

fn read_rule(name: &str, value: &RawValue) -> Result<Rule, RuleError> {
    let rule: Rule = read(name, value)?;
    check(&rule).map_err(|reason| RuleError::new(format!("{name}: {reason}")))?;
    Ok(rule)
}

fn check(rule: &Rule) -> Result<(), String> {
    if rule.path.is_empty() {
        return Err("`path` must not be empty".to_owned());
    }
    if !(200..=999).contains(&rule.status) {
        return Err(format!(
            "`status` must be from 200 to 999, not {}",
            rule.status
        ));
    }
    let bodies = [
        ("json", rule.json.is_some()),
        ("body", rule.body.is_some()),
        ("body_b64", rule.body_b64.is_some()),
        ("body_bytes", rule.body_bytes.is_some()),
        ("raw", rule.raw.is_some()),
        ("handle", rule.handle),
    ];
    let given: Vec<&str> = bodies
        .iter()
        .filter(|(_, given)| *given)
        .map(|(name, _)| *name)
        .collect();
    if given.len() > 1 {
        return Err(format!(
            "only one of these is possible, not `{}`",
            given.join("` and `")
        ));
    }
    if rule.body_bytes.is_some_and(|length| length > LARGEST_BODY) {
        return Err(format!("`body_bytes` must be at most {LARGEST_BODY}"));
    }
    if rule
        .json
        .as_ref()
        .is_some_and(|value| json::depth(value.get()) > DEEPEST_JSON)
    {
        return Err(format!(
            "`json` is nested deeper than {DEEPEST_JSON} levels"
        ));
    }
    if let Some(text) = &rule.body_b64 {
        BASE64_STANDARD
            .decode(text)
            .map_err(|error| format!("`body_b64`: {error}"))?;
    }
    for (name, value) in rule.headers.iter() {
        name.parse::<HeaderName>()
            .map_err(|_| format!("`headers`: {name:?} is no header name"))?;
        if json::text(value).is_some_and(|text| HeaderValue::from_bytes(text.as_bytes()).is_err()) {
            return Err(format!("`headers`: the value of {name:?} cannot be sent"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Script;

    fn refusal(json: &str) -> String {
        Script::parse(json)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn an_unknown_field_is_named() {
        assert!(
            refusal(r#"[{"path": "/a"}, {"path": "/b", "staus": 500}]"#)
                .contains("rules[1]: unknown field `staus`")
        );
        assert!(refusal(r#"{"defaults": {"tenant": "x"}}"#).contains("unknown field `tenant`"));
    }

    #[test]
    fn a_rule_needs_a_path() {
        assert!(refusal(r#"{"status": 500}"#).contains("`path`"));
        assert!(refusal(r#"{"path": ""}"#).contains("`path`"));
    }

    #[test]
    fn two_bodies_are_refused_by_name() {
        assert!(
            refusal(r#"{"path": "*", "json": null, "body": ""}"#).contains("`json` and `body`")
        );
    }

    #[test]
    fn a_json_of_null_is_a_body() {
        let script = Script::parse(r#"{"path": "*", "json": null}"#).unwrap();
        assert!(script.rules[0].json.is_some());
    }
}
