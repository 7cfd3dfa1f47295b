use serde_json::value::RawValue;

use crate::json::{self, Kind};

/// How a segment names the contexts that lack a field.
pub(super) const MISSING: &str = "SpecialValueSemantics.MISSING";

/// The value of a field, as far as the services look at it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Missing,
    Number(f64),
    Boolean(bool),
    Text(String),
    List(Vec<Cell>),
    /// An object: its JSON text.
    Other(String),
}

impl Cell {
    pub(super) fn of(value: Option<&RawValue>) -> Self {
        let Some(value) = value else {
            return Self::Missing;
        };
        let other = || Self::Other(value.get().to_owned());
        match json::kind(value) {
            Kind::Null => Self::Missing,
            Kind::Boolean => Self::Boolean(value.get() == "true"),
            Kind::Number => value.get().parse().map_or_else(|_| other(), Self::Number),
            Kind::String => json::text(value).map_or_else(other, Self::Text),
            Kind::Object => other(),
            // Deeper lists are values of their own: looking into them would mean a recursion as deep as the data.
            Kind::Array => json::array(value).map_or_else(other, |items| {
                Self::List(items.into_iter().map(Self::of_item).collect())
            }),
        }
    }

    fn of_item(item: &RawValue) -> Self {
        match json::kind(item) {
            Kind::Array => Self::Other(item.get().to_owned()),
            _ => Self::of(Some(item)),
        }
    }

    /// The value, or the items of a list.
    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            single => std::slice::from_ref(single),
        }
    }

    /// What can be calculated with; booleans are 0 and 1.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Boolean(boolean) => Some(f64::from(u8::from(*boolean))),
            _ => None,
        }
    }

    /// How a segment writes the value.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Missing => MISSING.to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Boolean(boolean) => boolean.to_string(),
            Self::Text(text) | Self::Other(text) => text.clone(),
            Self::List(items) => items.iter().map(Self::label).collect::<Vec<_>>().join(","),
        }
    }

    pub(super) fn is_missing(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::List(items) => items.is_empty(),
            _ => false,
        }
    }
}
