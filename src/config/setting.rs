//! The types that a configuration value can have, and how each is read.

use super::did_you_mean;
use super::keys::{QUEUE_NAMES, QueueConfig};
use crate::raw::fault;
use crate::transport;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use zeroize::Zeroizing;

/// What a value has to be, beside its type.
#[derive(Clone, Copy)]
pub enum Limit {
    /// Inclusive bounds of a number.
    Between(f64, f64),
    Url,
    /// A host, or host and port.
    Host,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Limit::Between(low, high) => write!(f, "between {low} and {high}"),
            Limit::Url => f.write_str("an http:// or https:// URL, in ASCII (xn--...)"),
            Limit::Host => f.write_str("a host, or host and port, in ASCII (xn--...)"),
        }
    }
}

/// A value that must never be shown. Its memory is cleared when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Self {
        Secret(Zeroizing::new(text))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// A text of another's, without this secret should it quote it: as it is, as a part of JSON, or of a form.
    pub fn conceal_in(&self, text: &str) -> Option<String> {
        // Most texts are short, and no spelling is shorter than the secret.
        if self.is_empty() || text.len() < self.reveal().len() {
            return None;
        }
        let plain = self.reveal();
        // With room for all at once: what grows leaves a copy behind.
        let room = || Zeroizing::new(Vec::with_capacity(6 * plain.len() + 2));
        let (mut json, mut form) = (room(), room());
        let _ = serde_json::to_writer(&mut *json, plain);
        form_urlencoded::byte_serialize(plain.as_bytes())
            .for_each(|part| form.extend_from_slice(part.as_bytes()));
        let json = json.get(1..json.len().saturating_sub(1));
        let others = [json, Some(&form[..])].into_iter().flatten();
        let others = others.filter_map(|other| std::str::from_utf8(other).ok());
        let others = others.filter(|other| *other != plain);
        let mut concealed: Option<String> = None;
        for spelling in others.chain([plain]) {
            let before = concealed.as_deref().unwrap_or(text);
            if before.contains(spelling) {
                concealed = Some(before.replace(spelling, HIDDEN));
            }
        }
        concealed
    }
}

/// What stands in a secret's place.
const HIDDEN: &str = "(secret)";

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.reveal().hash(state);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// What happens to messages that the queue has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    Reject,
    Block,
    DropOldest,
}

/// What messages in the spool survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoolSync {
    Os,
    Interval,
    Always,
}

/// Which settled batches the host is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryEvents {
    None,
    Failures,
    All,
}

/// The lowest level of log records that the host is told of by events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEvents {
    None,
    Debug,
    Info,
    Warning,
    Error,
}

/// Stands for the defaults of an object of keys.
pub struct Defaults;

/// Sampling rates by context class.
pub type Rates = BTreeMap<String, f64>;

/// A type that a key can have. Errors end the sentence that the key's name begins.
pub trait Setting: Sized {
    const KIND: &'static str;

    fn from_json(value: &Value) -> Result<Self, String>;

    /// From the environment, never empty.
    fn from_text(text: &str) -> Result<Self, String>;

    fn keeps_to(&self, _limit: Limit) -> bool {
        true
    }
}

fn mistyped(kind: &str) -> String {
    format!("must be a {kind}")
}

impl Setting for bool {
    const KIND: &'static str = "boolean";

    fn from_json(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| mistyped(Self::KIND))
    }

    fn from_text(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Ok(true),
            "false" | "0" | "no" => Ok(false),
            _ => Err(format!(
                "must be true, 1, yes, false, 0 or no, not {text:?}"
            )),
        }
    }
}

impl Setting for u32 {
    const KIND: &'static str = "whole number";

    fn from_json(value: &Value) -> Result<Self, String> {
        let number = value.as_f64().filter(is_whole);
        number.map(saturate).ok_or_else(|| mistyped(Self::KIND))
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let number = f64::from_text(text).ok().filter(is_whole);
        number.map(saturate).ok_or_else(|| mistyped(Self::KIND))
    }

    fn keeps_to(&self, limit: Limit) -> bool {
        f64::from(*self).keeps_to(limit)
    }
}

/// Whether a number, however it is spelled (1000, 1e3, 1000.0), has no fraction.
pub fn is_whole(number: &f64) -> bool {
    number.fract() == 0.0
}

/// Numbers that do not fit become the largest, which no range includes.
fn saturate(number: f64) -> u32 {
    if number < 0.0 {
        u32::MAX
    } else {
        number as u32
    }
}

impl Setting for f64 {
    const KIND: &'static str = "number";

    fn from_json(value: &Value) -> Result<Self, String> {
        value.as_f64().ok_or_else(|| mistyped(Self::KIND))
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let number = text.trim().parse().ok();
        number
            .filter(|n: &f64| !n.is_nan())
            .ok_or_else(|| mistyped(Self::KIND))
    }

    fn keeps_to(&self, limit: Limit) -> bool {
        !matches!(limit, Limit::Between(low, high) if !(low..=high).contains(self))
    }
}

impl Setting for String {
    const KIND: &'static str = "text";

    fn from_json(value: &Value) -> Result<Self, String> {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| mistyped(Self::KIND))
    }

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn keeps_to(&self, limit: Limit) -> bool {
        match limit {
            Limit::Between(..) => true,
            Limit::Url => transport::web(self).is_some(),
            // A whole URL would be one of a host called http.
            Limit::Host => {
                !self.contains("://") && transport::web(&format!("http://{self}/")).is_some()
            }
        }
    }
}

/// An empty text means that nothing was given, as in the Python package.
impl Setting for Option<String> {
    const KIND: &'static str = String::KIND;

    fn from_json(value: &Value) -> Result<Self, String> {
        String::from_json(value).map(|text| Some(text).filter(|t| !t.is_empty()))
    }

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Some(text.to_owned()))
    }

    fn keeps_to(&self, limit: Limit) -> bool {
        self.as_ref().is_none_or(|text| text.keeps_to(limit))
    }
}

impl Setting for Option<Secret> {
    const KIND: &'static str = String::KIND;

    fn from_json(value: &Value) -> Result<Self, String> {
        // Unlike other texts, an empty one is a value: the server is to judge it.
        String::from_json(value).map(|text| Some(Secret::new(text)))
    }

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Some(Secret::new(text.to_owned())))
    }
}

impl Setting for Option<Rates> {
    const KIND: &'static str = "object of numbers";

    fn from_json(value: &Value) -> Result<Self, String> {
        let object = value.as_object().ok_or("must be an object of numbers")?;
        let mut rates = Rates::new();
        for (class, rate) in object.iter().filter(|(_, rate)| !rate.is_null()) {
            let number = match rate {
                Value::Bool(all) => Some(f64::from(u8::from(*all))),
                Value::String(text) => f64::from_text(text).ok(),
                other => other.as_f64(),
            };
            let number = number.ok_or_else(|| format!("must give a number for {class:?}"))?;
            rates.insert(class.clone(), number);
        }
        Ok(Some(rates))
    }

    fn from_text(text: &str) -> Result<Self, String> {
        Self::from_json(&json(text)?)
    }
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("must be a JSON object: {}", fault(text, &error)))
}

/// A setting that is one of some words.
macro_rules! words {
    ($type:ident, $all:literal, $($text:literal => $variant:ident),*) => {
        impl Setting for $type {
            const KIND: &'static str = "word";

            fn from_json(value: &Value) -> Result<Self, String> {
                Self::from_text(value.as_str().unwrap_or_default())
            }

            fn from_text(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok($type::$variant),)*
                    _ => Err(concat!("must be ", $all).to_owned()),
                }
            }
        }
    };
}

words!(Overflow, "reject, block or drop_oldest", "reject" => Reject, "block" => Block, "drop_oldest" => DropOldest);
words!(SpoolSync, "os, interval or always", "os" => Os, "interval" => Interval, "always" => Always);
words!(DeliveryEvents, "none, failures or all", "none" => None, "failures" => Failures, "all" => All);
words!(LogEvents, "none, debug, info, warning or error", "none" => None, "debug" => Debug, "info" => Info, "warning" => Warning, "error" => Error);

impl Setting for QueueConfig {
    const KIND: &'static str = "object";

    fn from_json(value: &Value) -> Result<Self, String> {
        let object = value.as_object().ok_or("must be an object")?;
        for name in object.keys() {
            if !QUEUE_NAMES.contains(&name.as_str()) {
                let hint = did_you_mean(name, QUEUE_NAMES.iter().copied());
                return Err(format!("has no key {name:?}{hint}"));
            }
        }
        QueueConfig::resolve(object, &|_| None).map_err(|error| {
            let text = error.to_string();
            format!(".{}", text.trim_start_matches("config_json: "))
        })
    }

    fn from_text(text: &str) -> Result<Self, String> {
        Self::from_json(&json(text)?)
    }
}

impl From<Defaults> for QueueConfig {
    fn from(_: Defaults) -> Self {
        QueueConfig::default()
    }
}
