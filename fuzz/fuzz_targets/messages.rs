//! The message stage beside two others: serde_json says what is JSON, a model on trees says what becomes of it.
#![no_main]

use libfuzzer_sys::{arbitrary, fuzz_target};
use mona::message::{Completion, Envelope, Sampling, Stage, Staged};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const NOW_MS: u64 = 1_700_000_000_000;

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    filter: bool,
    send_timestamp: bool,
    complete: bool,
    text: &'a str,
}

fuzz_target!(|input: Input| {
    let sampling = Sampling::default();
    let stage = Stage {
        filter_none_fields: input.filter,
        sampling: &sampling,
        now_ms: NOW_MS,
        complete: input.complete.then_some(Completion {
            default_action: Some("act"),
        }),
        send_timestamp: input.send_timestamp,
        room: Vec::with_capacity,
    };
    let run = stage.run(input.text);
    let first = input
        .text
        .trim_start_matches([' ', '\n', '\r', '\t'])
        .bytes()
        .next();
    let valid = serde_json::from_str::<IgnoredAny>(input.text).is_ok();
    assert_eq!(run.is_ok(), valid && matches!(first, Some(b'{' | b'[')));
    let Ok(mut staged) = run else { return };
    let lengths: Vec<_> = staged.messages().map(<[u8]>::to_vec).collect();
    let body = staged.request_body(&Envelope {
        user_id: "u",
        default_action: None,
        sample_config_name: None,
    });
    assert!(serde_json::from_slice::<IgnoredAny>(&body).is_ok());
    assert_eq!(lengths.len(), staged.indices.len());
    assert!(
        lengths
            .iter()
            .all(|message| serde_json::from_slice::<IgnoredAny>(message).is_ok())
    );
    if let (Ok(given), Ok(sent)) = (
        serde_json::from_str(input.text),
        serde_json::from_slice::<Value>(&body),
    ) {
        check(&input, given, &staged, sent);
    }
});

fn check(input: &Input, given: Value, staged: &Staged, sent: Value) {
    let Some(texts) = elements(input.text) else {
        return;
    };
    let given = match given {
        Value::Array(messages) => messages,
        one => vec![one],
    };
    let mut expected = Vec::new();
    let mut indices = Vec::new();
    let mut rejected = Vec::new();
    let mut empty = 0;
    for (index, message) in given.iter().enumerate() {
        match fate(input, message) {
            Fate::Sent(value) => {
                indices.push(index as u32);
                expected.push(value);
            }
            Fate::Rejected => rejected.push(index as u32),
            Fate::Empty => empty += 1,
        }
    }
    // Names that stand twice: which one counts is not for a tree to say.
    if texts.iter().any(Ambiguous::found) {
        return;
    }
    assert_eq!(staged.indices, indices);
    assert_eq!(
        staged
            .rejected
            .iter()
            .map(|(index, _)| *index)
            .collect::<Vec<_>>(),
        rejected
    );
    assert_eq!((staged.empty, staged.sampled_out), (empty, 0));
    let mut sent = sent["messages"].as_array().unwrap().clone();
    if input.complete {
        for (sent, expected) in sent.iter_mut().zip(&mut expected) {
            let made = expected["contextId"].is_null();
            if made {
                assert_eq!(sent["contextId"].as_str().unwrap().len(), 36);
                expected["contextId"] = sent["contextId"].take();
                sent["contextId"] = expected["contextId"].clone();
            }
        }
    }
    assert_eq!(sent, expected);
}

enum Fate {
    Sent(Value),
    Rejected,
    Empty,
}

fn fate(input: &Input, message: &Value) -> Fate {
    let Value::Object(members) = message else {
        return Fate::Rejected;
    };
    if !members.get("contextClass").is_some_and(Value::is_string) {
        return Fate::Rejected;
    }
    let fields = match members.get("message") {
        Some(Value::Object(fields)) => fields.clone(),
        Some(Value::Null) => return Fate::Empty,
        _ => return Fate::Rejected,
    };
    let mut wire = Map::new();
    let mut renamed = Map::new();
    for (name, value) in fields {
        if value.is_null() && input.filter {
            continue;
        }
        match name.starts_with("MONA_") {
            true => renamed.insert(format!("MY_{name}"), value),
            false => wire.insert(name, value),
        };
    }
    wire.extend(renamed);
    if wire.is_empty() {
        return Fate::Empty;
    }
    let mut out = Map::new();
    let mut time = json!(NOW_MS);
    for name in ["exportTimestamp", "sendTimestamp"] {
        if let Some(value) = members.get(name).filter(|value| !value.is_null()) {
            time = value.clone();
        }
    }
    for (name, value) in members {
        match name.as_str() {
            "message" | "exportTimestamp" | "sendTimestamp" => continue,
            "contextClass" => out.insert("arcClass".into(), value.clone()),
            "action" if value.is_null() && input.complete => None,
            _ => out.insert(name.clone(), value.clone()),
        };
    }
    out.insert("message".into(), wire.into());
    let time_name = if input.send_timestamp {
        "sendTimestamp"
    } else {
        "exportTimestamp"
    };
    out.insert(time_name.into(), time);
    if input.complete && out.get("action").is_none() {
        out.insert("action".into(), "act".into());
    }
    Fate::Sent(out.into())
}

fn elements(text: &str) -> Option<Vec<Ambiguous>> {
    match text.trim_start().starts_with('[') {
        true => serde_json::from_str(text).ok(),
        false => Some(vec![serde_json::from_str(text).ok()?]),
    }
}

/// Whether names stand twice in a message, or a member has a name that the wire gives to another.
enum Ambiguous {
    No,
    Yes,
}

impl Ambiguous {
    fn found(&self) -> bool {
        matches!(self, Ambiguous::Yes)
    }
}

impl<'de> Deserialize<'de> for Ambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Ambiguous;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("anything")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ambiguous, A::Error> {
                let mut names = BTreeSet::new();
                let mut found = false;
                while let Some((name, deeper)) = map.next_entry::<String, Ambiguous>()? {
                    found |= deeper.found() || name == "arcClass" || !names.insert(name);
                }
                Ok(if found { Ambiguous::Yes } else { Ambiguous::No })
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Ambiguous, A::Error> {
                let mut found = false;
                while let Some(deeper) = seq.next_element::<Ambiguous>()? {
                    found |= deeper.found();
                }
                Ok(if found { Ambiguous::Yes } else { Ambiguous::No })
            }

            fn visit_bool<E>(self, _: bool) -> Result<Ambiguous, E> {
                Ok(Ambiguous::No)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Ambiguous, E> {
                Ok(Ambiguous::No)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Ambiguous, E> {
                Ok(Ambiguous::No)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Ambiguous, E> {
                Ok(Ambiguous::No)
            }

            fn visit_str<E>(self, _: &str) -> Result<Ambiguous, E> {
                Ok(Ambiguous::No)
            }

            fn visit_unit<E>(self) -> Result<Ambiguous, E> {
                Ok(Ambiguous::No)
            }
        }

        deserializer.deserialize_any(Names)
    }
}
