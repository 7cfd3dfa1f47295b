use serde_json::{Value, json, value::RawValue};

use super::{
    arguments::{Arguments, BadArgument},
    cell::{Cell, MISSING},
};
use crate::{
    json::{self, RawObject},
    store::Record,
};

/// One thing that a field may be.
#[derive(Clone, Debug)]
enum Condition {
    Label(String),
    /// From the lower bound, included, to the upper one, not included.
    Range(f64, f64),
}

/// Part of a class: for each field, one of the conditions has to hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Segment {
    fields: Vec<(String, Vec<Condition>)>,
    /// As the answers name it.
    pub text: String,
}

impl Segment {
    pub(super) fn all() -> Self {
        Self {
            fields: Vec::new(),
            text: "{}".to_owned(),
        }
    }

    /// A segment is an object, or the JSON text of one.
    pub(super) fn read(name: &str, value: &RawValue) -> Result<Self, BadArgument> {
        let wanted = r#"a segment like {"field": [{"value": "v"}]}"#;
        let inner = json::text(value);
        let written = inner.as_deref().unwrap_or(value.get());
        let object: RawObject =
            serde_json::from_str(written).map_err(|_| BadArgument::new(name, wanted))?;
        let text = json::tree(written).map_err(|_| BadArgument::new(name, wanted))?;
        let mut fields = Vec::new();
        for (field, conditions) in object.iter() {
            let listed = json::array(conditions).unwrap_or_else(|| vec![conditions]);
            let conditions: Option<Vec<Condition>> = listed.into_iter().map(condition).collect();
            let conditions =
                conditions.ok_or_else(|| BadArgument::new(&format!("{name}.{field}"), wanted))?;
            fields.push((field.to_owned(), conditions));
        }
        Ok(Self {
            fields,
            text: json::spaced(&text),
        })
    }

    pub(super) fn optional(arguments: &Arguments, name: &str) -> Result<Option<Self>, BadArgument> {
        arguments
            .given(name)
            .map(|value| Self::read(name, value))
            .transpose()
    }

    /// A list of segments; one alone may stand without the list.
    pub(super) fn list(
        arguments: &Arguments,
        name: &str,
    ) -> Result<Option<Vec<Self>>, BadArgument> {
        let Some(value) = arguments.given(name) else {
            return Ok(None);
        };
        let values = json::array(value).unwrap_or_else(|| vec![value]);
        values
            .into_iter()
            .map(|value| Self::read(name, value))
            .collect::<Result<Vec<_>, _>>()
            .map(Some)
    }

    pub(super) fn has(&self, record: &Record) -> bool {
        self.fields.iter().all(|(field, conditions)| {
            let cell = Cell::of(record.fields.get(field));
            conditions.iter().any(|condition| condition.holds(&cell))
        })
    }
}

/// The segment of one field having one value.
pub(super) fn of_value(field: &str, label: &str) -> Value {
    json!({ field: [{"value": label}] })
}

impl Condition {
    fn holds(&self, cell: &Cell) -> bool {
        match self {
            Self::Label(label) if label == MISSING => cell.is_missing(),
            Self::Label(label) => {
                !cell.is_missing() && cell.items().iter().any(|item| item.label() == *label)
            }
            Self::Range(from, to) => cell
                .items()
                .iter()
                .filter_map(Cell::number)
                .any(|number| (*from..*to).contains(&number)),
        }
    }
}

fn condition(value: &RawValue) -> Option<Condition> {
    let object = json::object(value)?;
    if let Some(wanted) = object.get("value") {
        return Some(Condition::Label(Cell::of(Some(wanted)).label()));
    }
    let bound = |name: &str, open: f64| {
        object
            .present(name)
            .map_or(Some(open), |bound| bound.get().parse().ok())
    };
    if object.get("min_value").is_none() && object.get("max_value").is_none() {
        return None;
    }
    Some(Condition::Range(
        bound("min_value", f64::NEG_INFINITY)?,
        bound("max_value", f64::INFINITY)?,
    ))
}
