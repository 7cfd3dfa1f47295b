use serde_json::value::RawValue;

use super::timestamp;
use crate::json::{self, Kind, RawObject};

const RESERVED_PREFIX: &str = "MONA_";

/// What a message does to the fields that its context already has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Overwrite,
    Add,
    New,
}

impl Action {
    pub(crate) fn read(value: &RawValue) -> Result<Self, &'static str> {
        match json::text(value).as_deref() {
            Some("OVERWRITE") => Ok(Self::Overwrite),
            Some("ADD") => Ok(Self::Add),
            Some("NEW") => Ok(Self::New),
            _ => Err("must be one of OVERWRITE, ADD and NEW"),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Overwrite => "OVERWRITE",
            Self::Add => "ADD",
            Self::New => "NEW",
        }
    }
}

/// A message that keeps all rules.
#[derive(Debug)]
pub(crate) struct Message {
    pub arc_class: String,
    pub context_id: Option<String>,
    /// Seconds since the epoch.
    pub timestamp: Option<f64>,
    pub action: Action,
    pub fields: RawObject,
}

/// Why a message is not taken.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The context id as it was written, or null.
    pub context_id: Option<Box<RawValue>>,
    pub reason: String,
}

impl Message {
    pub(crate) fn read(raw: &RawValue, default_action: Action) -> Result<Self, Failure> {
        let Some(object) = json::object(raw) else {
            let reason = "a message must be a JSON object with Unicode keys".to_owned();
            return Err(Failure {
                context_id: None,
                reason,
            });
        };
        Self::of(&object, default_action).map_err(|reason| Failure {
            context_id: object.get("contextId").map(ToOwned::to_owned),
            reason,
        })
    }

    fn of(object: &RawObject, default_action: Action) -> Result<Self, String> {
        let arc_class = class(object)?;
        let context_id = context_id(object, &arc_class)?;
        let fields = fields(object)?;
        let stamp = object
            .present("sendTimestamp")
            .map(|stamp| ("sendTimestamp", stamp));
        let stamp = stamp.or_else(|| {
            object
                .present("exportTimestamp")
                .map(|stamp| ("exportTimestamp", stamp))
        });
        let timestamp = stamp.map(|(name, stamp)| {
            timestamp::seconds(stamp).map_err(|reason| format!("{name} {reason}"))
        });
        let action = object
            .present("action")
            .map_or(Ok(default_action), Action::read);
        if object
            .present("sampleConfigName")
            .is_some_and(|name| json::kind(name) != Kind::String)
        {
            return Err("sampleConfigName must be a string".to_owned());
        }
        Ok(Self {
            arc_class,
            context_id,
            timestamp: timestamp.transpose()?,
            action: action.map_err(|reason| format!("action {reason}"))?,
            fields,
        })
    }
}

fn class(object: &RawObject) -> Result<String, String> {
    let class = object
        .get("arcClass")
        .or_else(|| object.get("contextClass"))
        .and_then(json::text);
    let class = class
        .filter(|class| !class.is_empty())
        .ok_or("arcClass must be a non-empty string")?;
    check_class(&class).map_err(|reason| format!("arcClass {reason}"))?;
    Ok(class)
}

/// The grammar of a context class.
pub(crate) fn check_class(class: &str) -> Result<(), String> {
    if class.ends_with('.') {
        return Err("cannot end with '.'".to_owned());
    }
    if class.split('.').any(str::is_empty) {
        return Err("cannot have an empty part".to_owned());
    }
    let odd = class
        .chars()
        .find(|&character| !(character.is_ascii_alphanumeric() || "-_@.".contains(character)));
    match odd {
        Some(character) => Err(format!(
            "cannot have {character:?}: letters, digits, '-', '_' and '@' only"
        )),
        None => Ok(()),
    }
}

fn context_id(object: &RawObject, class: &str) -> Result<Option<String>, String> {
    let Some(value) = object.present("contextId") else {
        return Ok(None);
    };
    let id = json::text(value).ok_or("contextId must be a string")?;
    if id.matches('.').count() > class.matches('.').count() {
        return Err("contextId cannot have more '.' than arcClass".to_owned());
    }
    Ok(Some(id).filter(|id| !id.is_empty()))
}

fn fields(object: &RawObject) -> Result<RawObject, String> {
    let value = object
        .present("message")
        .ok_or("message must not be empty")?;
    if json::kind(value) != Kind::Object {
        return Err("message must be a JSON object".to_owned());
    }
    let fields = json::object(value).ok_or("message must have Unicode keys")?;
    if fields.is_empty() {
        return Err("message must not be empty".to_owned());
    }
    if let Some((name, _)) = fields
        .iter()
        .find(|(name, _)| name.starts_with(RESERVED_PREFIX))
    {
        return Err(format!("field {name} is reserved"));
    }
    Ok(fields)
}
