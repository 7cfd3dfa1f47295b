//! What arrived: messages in order, and the contexts they add up to.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::value::RawValue;

use crate::{
    export::{Action, Message},
    json::{self, Kind, RawObject},
};

/// A message that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredMessage {
    /// The tenant it is for.
    pub user_id: String,
    /// The context class.
    pub arc_class: String,
    /// The id of its context: one made up here where the message has none.
    pub context_id: String,
    /// Seconds since the epoch: the timestamp of the message, or else when it arrived.
    pub timestamp: f64,
    /// What was done: `OVERWRITE`, `ADD` or `NEW`.
    pub action: String,
    /// The whole message object as it stood in the request, byte for byte.
    pub raw: String,
}

impl StoredMessage {
    pub(crate) fn shown(&self) -> RawObject {
        let message: Option<Box<RawValue>> = serde_json::from_str(&self.raw).ok();
        RawObject::default()
            .with("user_id", &self.user_id)
            .with("arc_class", &self.arc_class)
            .with("context_id", &self.context_id)
            .with("timestamp", &self.timestamp)
            .with("action", &self.action)
            .with("message", &message)
    }
}

/// Whose a context is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub user_id: String,
    pub arc_class: String,
    pub context_id: String,
}

/// One context: the sum of its messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub fields: RawObject,
    /// Seconds since the epoch.
    pub timestamp: f64,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    messages: Vec<StoredMessage>,
    contexts: BTreeMap<Key, Record>,
    ids_made: u64,
}

impl Store {
    pub(crate) fn messages(&self) -> &[StoredMessage] {
        &self.messages
    }

    /// The contexts of a class, in the order of their ids.
    pub(crate) fn of_class(
        &self,
        user_id: &str,
        arc_class: &str,
    ) -> impl Iterator<Item = (&Key, &Record)> {
        self.of_user(user_id)
            .filter(move |(key, _)| key.arc_class == arc_class)
    }

    pub(crate) fn of_user(&self, user_id: &str) -> impl Iterator<Item = (&Key, &Record)> {
        self.contexts
            .iter()
            .filter(move |(key, _)| key.user_id == user_id)
    }

    pub(crate) fn shown_contexts(&self) -> Vec<RawObject> {
        let shown = self.contexts.iter().map(|(key, record)| {
            RawObject::default()
                .with("user_id", &key.user_id)
                .with("arc_class", &key.arc_class)
                .with("context_id", &key.context_id)
                .with("timestamp", &record.timestamp)
                .with("fields", &record.fields)
        });
        shown.collect()
    }

    pub(crate) fn ingest(&mut self, user_id: &str, message: Message, raw: &str) {
        let context_id = message.context_id.clone().unwrap_or_else(|| self.new_id());
        let key = Key {
            user_id: user_id.to_owned(),
            arc_class: message.arc_class.clone(),
            context_id,
        };
        let arrived = now();
        self.messages.push(StoredMessage {
            user_id: key.user_id.clone(),
            arc_class: key.arc_class.clone(),
            context_id: key.context_id.clone(),
            timestamp: message.timestamp.unwrap_or(arrived),
            action: message.action.name().to_owned(),
            raw: raw.to_owned(),
        });
        let record = self.contexts.entry(key).or_insert_with(|| Record {
            timestamp: arrived,
            ..Record::default()
        });
        apply(record, message, arrived);
    }

    fn new_id(&mut self) -> String {
        self.ids_made += 1;
        // Shaped as a version 4 UUID, and counted so that tests can name it.
        format!("00000000-0000-4000-8000-{:012x}", self.ids_made)
    }
}

fn apply(record: &mut Record, message: Message, arrived: f64) {
    if message.action == Action::New {
        *record = Record {
            timestamp: arrived,
            ..Record::default()
        };
    }
    if let Some(timestamp) = message.timestamp {
        record.timestamp = timestamp;
    }
    if record.fields.is_empty() {
        record.fields = message.fields;
        record
            .fields
            .retain(|value| json::kind(value) != Kind::Null);
        return;
    }
    for (name, value) in message.fields.iter() {
        match (message.action, json::kind(value)) {
            (Action::Overwrite, Kind::Null) => record.fields.remove(name),
            (_, Kind::Null) => {}
            (Action::Add, _) => {
                let sum = record
                    .fields
                    .get(name)
                    .map_or_else(|| value.to_owned(), |old| joined(old, value));
                record.fields.set(name, sum);
            }
            _ => record.fields.set(name, value.to_owned()),
        }
    }
}

/// Both values as one array, an array giving its items.
fn joined(old: &RawValue, new: &RawValue) -> Box<RawValue> {
    let mut items: Vec<&RawValue> = Vec::new();
    for value in [old, new] {
        match json::array(value) {
            Some(inner) => items.extend(inner),
            None => items.push(value),
        }
    }
    json::raw(&items)
}

pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
