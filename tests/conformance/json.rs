//! JSON values that keep what `serde_json::Value` loses: digits of numbers, and text that is not JSON.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt;

/// How much of a value a failure shows.
const LONGEST: usize = 400;

#[derive(Clone, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
    /// Text as it stands: a string with half a surrogate pair, or something that is not JSON at all.
    Raw(String),
}

impl Json {
    /// The value of a JSON text, or that text where it is not JSON.
    pub fn parse(text: &str) -> Json {
        match serde_json::from_str::<&RawValue>(text) {
            Ok(value) => Json::of(value),
            Err(_) => Json::Raw(text.to_owned()),
        }
    }

    fn of(value: &RawValue) -> Json {
        let text = value.get();
        let made = match text.as_bytes().first() {
            Some(b'n') => Some(Json::Null),
            Some(b't') => Some(Json::Bool(true)),
            Some(b'f') => Some(Json::Bool(false)),
            Some(b'"') => serde_json::from_str(text).ok().map(Json::Text),
            Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text)
                .ok()
                .map(|items| Json::Array(items.into_iter().map(Json::of).collect())),
            Some(b'{') => serde_json::from_str(text)
                .ok()
                .map(|Members(members)| Json::Object(members)),
            _ => Some(Json::Number(text.to_owned())),
        };
        made.unwrap_or_else(|| Json::Raw(text.to_owned()))
    }

    /// A member's value; null where there is none.
    pub fn get(&self, name: &str) -> &Json {
        match self {
            Json::Object(members) => members
                .iter()
                .find(|(key, _)| key == name)
                .map_or(&Json::Null, |(_, value)| value),
            _ => &Json::Null,
        }
    }

    /// Where two values first differ, and what stands there in each.
    pub fn difference(&self, other: &Json) -> Option<String> {
        match (self, other) {
            _ if self == other => None,
            (Json::Object(members), Json::Object(others)) => {
                let keys = members.iter().chain(others).map(|(key, _)| key);
                let mut found = keys.filter_map(|key| {
                    let (a, b) = (self.get(key), other.get(key));
                    Some(format!(".{key}{}", a.difference(b)?))
                });
                // Else null stands against nothing.
                found
                    .next()
                    .or_else(|| Some(format!(" {}, package {}", shown(self), shown(other))))
            }
            (Json::Array(items), Json::Array(others)) if items.len() == others.len() => {
                let mut pairs = items.iter().zip(others).enumerate();
                pairs.find_map(|(number, (a, b))| Some(format!("[{number}]{}", a.difference(b)?)))
            }
            _ => Some(format!(" {}, package {}", shown(self), shown(other))),
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The members of an object; of a repeated key the last value counts, in the place of the first.
struct Members(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members: Vec<(String, Json)> = Vec::new();
                let mut places = HashMap::new();
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    let place = *places.entry(key.clone()).or_insert(members.len());
                    match members.get_mut(place) {
                        Some((_, old)) => *old = Json::of(value),
                        None => members.push((key, Json::of(value))),
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(Json::of)
    }
}

/// Equality of meaning: neither the order of keys nor the spelling of numbers counts.
impl PartialEq for Json {
    fn eq(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Null, Json::Null) => true,
            (Json::Bool(a), Json::Bool(b)) => a == b,
            (Json::Number(a), Json::Number(b)) => same_number(a, b),
            (Json::Text(a), Json::Text(b)) | (Json::Raw(a), Json::Raw(b)) => a == b,
            (Json::Array(a), Json::Array(b)) => a == b,
            (Json::Object(a), Json::Object(b)) => {
                let b_members: HashMap<&String, &Json> = b.iter().map(|(k, v)| (k, v)).collect();
                a.len() == b.len()
                    && a.iter()
                        .all(|(key, value)| b_members.get(key).is_some_and(|other| value == *other))
            }
            _ => false,
        }
    }
}

fn same_number(a: &str, b: &str) -> bool {
    let whole = |text: &str| !text.contains(['.', 'e', 'E']);
    if whole(a) && whole(b) {
        return a == b;
    }
    matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Number(text) | Json::Raw(text) => f.write_str(text),
            Json::Text(text) => f.write_str(&quoted(text)),
            Json::Array(items) => {
                f.write_str("[")?;
                for (number, item) in items.iter().enumerate() {
                    let comma = if number == 0 { "" } else { "," };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            Json::Object(members) => {
                f.write_str("{")?;
                for (number, (key, value)) in members.iter().enumerate() {
                    let comma = if number == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{value}", quoted(key))?;
                }
                f.write_str("}")
            }
        }
    }
}

/// A text that fits on a screen.
fn shown(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}... ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}

pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}
