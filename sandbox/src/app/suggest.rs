//! Configurations made from what data looks like.

use std::collections::BTreeMap;

use serde_json::{json, value::RawValue};

use super::{Call, Outcome, arguments::BadArgument};
use crate::{
    json::{self, Kind, RawObject},
    store::Store,
};

/// The class of sample events that do not name theirs.
const UNNAMED_CLASS: &str = "CONTEXT_CLASS";

/// The types seen of each field of each class.
#[derive(Default)]
struct Seen(BTreeMap<String, BTreeMap<String, &'static str>>);

impl Seen {
    fn note(&mut self, class: &str, fields: &RawObject) {
        let types = self.0.entry(class.to_owned()).or_default();
        for (name, value) in fields.iter() {
            let Some(kind) = field_type(value) else {
                continue;
            };
            types
                .entry(name.to_owned())
                // Of values that do not agree, the text is what all have.
                .and_modify(|known| *known = if *known == kind { kind } else { "string" })
                .or_insert(kind);
        }
    }

    /// A configuration with what was seen and it does not have yet.
    fn extend(self, mut config: RawObject) -> RawObject {
        for (class, types) in self.0 {
            let mut part = config
                .get(&class)
                .and_then(json::object)
                .unwrap_or_default();
            let mut fields = part
                .get("fields")
                .and_then(json::object)
                .unwrap_or_default();
            for (name, kind) in types {
                if fields.get(&name).is_none() {
                    fields.set(
                        &name,
                        json::raw(&json!({"type": kind, "function": "identity", "args": []})),
                    );
                }
            }
            part.set("fields", json::raw(&fields));
            if part.get("stanzas").is_none() {
                part.set("stanzas", json::raw(&RawObject::default()));
            }
            config.set(&class, json::raw(&part));
        }
        config
    }
}

/// The type of a value; null says nothing.
fn field_type(value: &RawValue) -> Option<&'static str> {
    match json::kind(value) {
        Kind::Null => None,
        Kind::Boolean => Some("boolean"),
        Kind::Number => Some("numeric"),
        Kind::String | Kind::Object => Some("string"),
        // What ADD makes of single values is still described by the values.
        Kind::Array => {
            let items = json::array(value)?;
            let mut types = items.into_iter().map(|item| match json::kind(item) {
                Kind::Array => Some("string"),
                _ => field_type(item),
            });
            let first = types.next()??;
            Some(if types.all(|kind| kind == Some(first)) {
                first
            } else {
                "string"
            })
        }
    }
}

fn seen_in(store: &Store, tenant: &str) -> Seen {
    let mut seen = Seen::default();
    for (key, record) in store.of_user(tenant) {
        seen.note(&key.arc_class, &record.fields);
    }
    seen
}

/// The configuration in use, with the fields that arrived and are new to it.
pub(super) fn from_data(call: &mut Call<'_>) -> Outcome {
    let current = call.workspace.configs.current(call.tenant);
    suggestion(&seen_in(call.store, call.tenant).extend(current))
}

/// A configuration for sample events: messages as they are exported, or their bare fields.
pub(super) fn from_events(call: &mut Call<'_>) -> Outcome {
    let wanted = || BadArgument::new("events", "a list of objects");
    let events = call.arguments.list("events")?.ok_or_else(wanted)?;
    let mut seen = Seen::default();
    for event in events {
        let event = json::object(event).ok_or_else(wanted)?;
        let class = ["arcClass", "contextClass", "context_class"]
            .iter()
            .find_map(|name| json::text(event.get(name)?));
        match (class, event.get("message").and_then(json::object)) {
            (Some(class), Some(fields)) => seen.note(&class, &fields),
            _ => seen.note(UNNAMED_CLASS, &event),
        }
    }
    suggestion(&seen.extend(RawObject::default()))
}

fn suggestion(config: &RawObject) -> Outcome {
    Ok(json::raw(
        &RawObject::default().with("suggested_config", config),
    ))
}
