//! JSON objects whose values stay text.
#![forbid(unsafe_code)]

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;

/// An object's members in their order, values as they stand.
#[derive(Debug, Default)]
pub struct Members(pub Vec<(String, Box<RawValue>)>);

impl Members {
    /// The value of a member; of the last one where the name stands twice.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        let found = self.0.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_ref())
    }

    /// As [`Members::get`], but null counts as missing.
    pub fn get_some(&self, name: &str) -> Option<&RawValue> {
        self.get(name).filter(|value| value.get() != "null")
    }
}

/// The meaning of a JSON string, or the JSON text of anything else.
pub fn words(value: &RawValue) -> String {
    serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

/// What Python counts as false.
pub fn is_falsy(value: &RawValue) -> bool {
    match serde_json::from_str(value.get()) {
        Ok(Value::Null | Value::Bool(false)) => true,
        Ok(Value::String(text)) => text.is_empty(),
        Ok(Value::Number(number)) => number.as_f64() == Some(0.0),
        Ok(Value::Array(elements)) => elements.is_empty(),
        Ok(Value::Object(members)) => members.is_empty(),
        _ => false,
    }
}

/// What is wrong with a text that is not JSON, and at which byte.
pub fn fault(text: &str, error: &serde_json::Error) -> String {
    let told = error.to_string();
    let problem = told
        .rsplit_once(" at line ")
        .map_or(&*told, |(problem, _)| problem);
    let lines_before = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1));
    let offset = if error.is_eof() {
        text.len()
    } else {
        // A column counts what was read of its line, what is wrong included.
        (lines_before.map(str::len).sum::<usize>() + error.column()).saturating_sub(1)
    };
    format!("not valid JSON: {problem} at byte {offset}")
}

/// No more of a server's words is kept, or repeated for each of many messages.
const BRIEF: usize = 1024;

/// The beginning of a text that may be very long.
pub fn brief(text: &str) -> String {
    text.chars().take(BRIEF).collect()
}

/// A text as a JSON value.
pub fn text(text: &str) -> Box<RawValue> {
    serde_json::value::to_raw_value(text).unwrap_or_default()
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_text_is_told_with_its_byte() {
        for (text, place) in [
            ("", 0),
            ("x", 0),
            ("{\"a\"", 4),
            ("{\n\n  \"a\": 1,\n  }", 15),
            ("{\"\u{e9}\": 1 x", 9),
            ("[1\n2]", 3),
            ("[\"\n\"]", 2),
            ("{} x\n", 3),
            ("{\n", 2),
        ] {
            let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
            let told = fault(text, &error);
            assert!(
                told.ends_with(&format!(" at byte {place}")),
                "{text:?}: {told}"
            );
        }
    }
}
