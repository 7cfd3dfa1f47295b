use serde_json::value::RawValue;

use crate::json::{self, Kind, RawObject};

/// Seconds do not get this large before the year 5000, and milliseconds have been larger since 1973.
const LEAST_MILLISECONDS: f64 = 1e11;

/// What is wrong with the arguments of a call; the text names the argument.
#[derive(Debug)]
pub(super) struct BadArgument(pub String);

impl BadArgument {
    pub(super) fn new(name: &str, wanted: &str) -> Self {
        Self(format!("{name} must be {wanted}"))
    }
}

/// The arguments of a call, under snake_case names.
#[derive(Debug)]
pub(super) struct Arguments(RawObject);

impl Arguments {
    pub(super) fn read(body: &[u8]) -> Result<Self, BadArgument> {
        if body.is_empty() {
            return Ok(Self(RawObject::default()));
        }
        let object: RawObject = serde_json::from_slice(body)
            .map_err(|error| BadArgument(format!("the body must be a JSON object: {error}")))?;
        let mut renamed = RawObject::default();
        for (name, value) in object.iter() {
            renamed.set(&snake_case(name), value.to_owned());
        }
        Ok(Self(renamed))
    }

    /// An argument that is there and not null.
    pub(super) fn given(&self, name: &str) -> Option<&RawValue> {
        self.0.present(name)
    }

    pub(super) fn value(&self, name: &str) -> Result<&RawValue, BadArgument> {
        self.given(name)
            .ok_or_else(|| BadArgument(format!("{name} is missing")))
    }

    pub(super) fn text(&self, name: &str) -> Result<String, BadArgument> {
        text(name, self.value(name)?)
    }

    pub(super) fn optional_text(&self, name: &str) -> Result<Option<String>, BadArgument> {
        self.given(name).map(|value| text(name, value)).transpose()
    }

    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, BadArgument> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        let texts = serde_json::from_str(value.get());
        texts
            .map(Some)
            .map_err(|_| BadArgument::new(name, "a list of strings"))
    }

    pub(super) fn number(&self, name: &str) -> Result<f64, BadArgument> {
        number(name, self.value(name)?)
    }

    pub(super) fn optional_number(&self, name: &str) -> Result<Option<f64>, BadArgument> {
        self.given(name)
            .map(|value| number(name, value))
            .transpose()
    }

    /// A moment in seconds since the epoch, which may be written in milliseconds or as a text.
    pub(super) fn moment(&self, name: &str) -> Result<f64, BadArgument> {
        self.number(name).map(as_seconds)
    }

    pub(super) fn optional_count(&self, name: &str) -> Result<Option<usize>, BadArgument> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        match value.get().trim_matches('"').parse::<usize>() {
            Ok(count) if count > 0 => Ok(Some(count)),
            _ => Err(BadArgument::new(name, "a whole number above 0")),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, BadArgument> {
        match self.given(name).map(RawValue::get) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(BadArgument::new(name, "true or false")),
        }
    }

    pub(super) fn object(&self, name: &str) -> Result<RawObject, BadArgument> {
        json::object(self.value(name)?).ok_or_else(|| BadArgument::new(name, "an object"))
    }

    pub(super) fn list(&self, name: &str) -> Result<Option<Vec<&RawValue>>, BadArgument> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        json::array(value)
            .map(Some)
            .ok_or_else(|| BadArgument::new(name, "a list"))
    }

    pub(super) fn context_class(&self) -> Result<String, BadArgument> {
        // The oldest name of the argument still works.
        let name = if self.given("context_class").is_none() && self.given("arc_class").is_some() {
            "arc_class"
        } else {
            "context_class"
        };
        self.text(name)
    }
}

pub(super) fn as_seconds(moment: f64) -> f64 {
    if moment.abs() >= LEAST_MILLISECONDS {
        moment / 1000.0
    } else {
        moment
    }
}

fn text(name: &str, value: &RawValue) -> Result<String, BadArgument> {
    let text = json::text(value).filter(|text| !text.is_empty());
    text.ok_or_else(|| BadArgument::new(name, "a non-empty string"))
}

pub(super) fn number(name: &str, value: &RawValue) -> Result<f64, BadArgument> {
    let written = match json::kind(value) {
        Kind::Number => Some(value.get().to_owned()),
        Kind::String => json::text(value),
        _ => None,
    };
    let number = written
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|number| number.is_finite());
    number.ok_or_else(|| BadArgument::new(name, "a number"))
}

/// `timestampFrom` and `metric1SecondaryField` are `timestamp_from` and `metric_1_secondary_field`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before = '_';
    for character in name.chars() {
        let starts_word = character.is_ascii_uppercase()
            || (character.is_ascii_digit() && before.is_alphabetic());
        if starts_word && before != '_' && !before.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
        before = character;
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn camel_case_names_are_snake_case_names() {
        assert_eq!(snake_case("contextClass"), "context_class");
        assert_eq!(
            snake_case("metric1SecondaryField"),
            "metric_1_secondary_field"
        );
        assert_eq!(snake_case("metric_1_field"), "metric_1_field");
        assert_eq!(snake_case("config"), "config");
    }
}
