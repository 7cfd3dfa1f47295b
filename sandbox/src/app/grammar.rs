//! The grammar of a configuration.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::{
    export::check_class,
    json::{self, RawObject},
};

pub(super) const TYPES: [&str; 5] = ["numeric", "string", "boolean", "geoshape", "geopoint"];
const KEYS: [&str; 9] = [
    "fields",
    "field_vectors",
    "stanzas_global_defaults",
    "stanzas",
    "notifications",
    "main_kpis",
    "data",
    "description",
    "special_fields",
];
const CADENCES: [(&str, &[u32]); 4] = [
    ("m", &[1, 5, 10, 15, 20, 30]),
    ("h", &[1, 2, 3, 4, 6, 8, 12]),
    ("d", &[1, 2, 3, 4, 5, 6]),
    ("w", &[1, 2, 3, 4, 5]),
];
const URGENCIES: [&str; 2] = ["normal", "high"];

/// What is wrong, by class; nothing when the configuration is right.
pub(super) fn issues(config: &RawObject) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for (class, value) in config.iter() {
        let mut issues = Vec::new();
        if let Err(reason) = check_class(class) {
            issues.push(format!("a context class {reason}"));
        }
        if json::depth(value.get()) > MOST_DEPTH {
            issues.push(format!("nested deeper than {MOST_DEPTH} levels"));
        } else {
            match json::object(value) {
                Some(part) => class_issues(&part, &mut issues),
                None => issues.push("must be an object".to_owned()),
            }
        }
        if !issues.is_empty() {
            found.insert(class.to_owned(), issues);
        }
    }
    found
}

/// Far beyond what a configuration needs, and shallow enough to be compared as a tree.
const MOST_DEPTH: usize = 100;

fn class_issues(part: &RawObject, issues: &mut Vec<String>) {
    for (key, _) in part.iter().filter(|(key, _)| !KEYS.contains(key)) {
        issues.push(format!("unknown key {key:?}"));
    }
    for (name, field) in section(part, "fields", issues).iter() {
        field_issues(name, field, issues);
    }
    for (name, vector) in section(part, "field_vectors", issues).iter() {
        let listed = json::object(vector).and_then(|vector| {
            serde_json::from_str::<Vec<String>>(vector.get("fields")?.get()).ok()
        });
        if listed.is_none() {
            issues.push(format!(
                "field_vectors.{name} must have a list of names under \"fields\""
            ));
        }
    }
    for (name, stanza) in section(part, "stanzas", issues).iter() {
        let verses = json::object(stanza).map(|stanza| {
            stanza
                .get("verses")
                .map(|verses| json::array(verses).map(owned))
        });
        match verses {
            None => issues.push(format!("stanzas.{name} must be an object")),
            Some(None) => {}
            Some(Some(None)) => issues.push(format!("stanzas.{name}.verses must be a list")),
            Some(Some(Some(verses))) => {
                for (number, verse) in verses.iter().enumerate() {
                    verse_issues(&format!("stanzas.{name}.verses[{number}]"), verse, issues);
                }
            }
        }
    }
    section(part, "stanzas_global_defaults", issues);
}

fn owned(values: Vec<&RawValue>) -> Vec<Box<RawValue>> {
    values.into_iter().map(ToOwned::to_owned).collect()
}

/// A part that has to be an object where it is there.
fn section(part: &RawObject, name: &str, issues: &mut Vec<String>) -> RawObject {
    let Some(value) = part.present(name) else {
        return RawObject::default();
    };
    json::object(value).unwrap_or_else(|| {
        issues.push(format!("{name} must be an object"));
        RawObject::default()
    })
}

fn field_issues(name: &str, field: &RawValue, issues: &mut Vec<String>) {
    if let Err(reason) = check_field_name(name) {
        issues.push(format!("field name {name:?} {reason}"));
    }
    let Some(field) = json::object(field) else {
        issues.push(format!("fields.{name} must be an object"));
        return;
    };
    let kind = field.get("type").and_then(json::text);
    if !kind.is_some_and(|kind| TYPES.contains(&kind.as_str())) {
        issues.push(format!(
            "fields.{name}.type must be one of {}",
            TYPES.join(", ")
        ));
    }
    if field
        .present("function")
        .is_some_and(|function| json::text(function).is_none())
    {
        issues.push(format!("fields.{name}.function must be a string"));
    }
    if field
        .present("args")
        .is_some_and(|args| json::array(args).is_none())
    {
        issues.push(format!("fields.{name}.args must be a list"));
    }
    if field
        .present("segmentations")
        .is_some_and(|segmentations| json::object(segmentations).is_none())
    {
        issues.push(format!("fields.{name}.segmentations must be an object"));
    }
}

/// Letters, digits, `-`, `_` and `@`; not digits alone, and not one sign alone.
fn check_field_name(name: &str) -> Result<(), &'static str> {
    if !name
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || "-_@".contains(character))
    {
        return Err("may have letters, digits, '-', '_' and '@' only");
    }
    if name.chars().all(|character| character.is_ascii_digit()) {
        return Err("cannot be digits only, nor empty");
    }
    if matches!(name, "-" | "_" | "@") {
        return Err("cannot be one sign alone");
    }
    Ok(())
}

fn verse_issues(place: &str, verse: &RawValue, issues: &mut Vec<String>) {
    let Some(verse) = json::object(verse) else {
        issues.push(format!("{place} must be an object"));
        return;
    };
    if verse.get("type").and_then(json::text).is_none() {
        issues.push(format!("{place}.type must be a string"));
    }
    if let Some(cadence) = verse.present("cadence")
        && !json::text(cadence).is_some_and(|cadence| is_cadence(&cadence))
    {
        issues.push(format!("{place}.cadence is none of Mona's"));
    }
    let urgency = verse.present("default_urgency");
    if urgency.is_some_and(|urgency| {
        !json::text(urgency).is_some_and(|urgency| URGENCIES.contains(&urgency.as_str()))
    }) {
        issues.push(format!(
            "{place}.default_urgency must be one of {}",
            URGENCIES.join(", ")
        ));
    }
}

fn is_cadence(text: &str) -> bool {
    CADENCES.iter().any(|(unit, counts)| {
        let count = text.strip_suffix(unit).and_then(|count| count.parse().ok());
        count.is_some_and(|count: u32| counts.contains(&count))
    })
}

#[cfg(test)]
mod tests {
    use super::{check_field_name, is_cadence};

    #[test]
    fn field_names_are_as_documented() {
        for right in ["abc123", "@@@", "a-b_c@d", "A"] {
            assert!(check_field_name(right).is_ok(), "{right}");
        }
        for wrong in ["123", "_", "-", "@", "", "a b", "é"] {
            assert!(check_field_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn cadences_are_as_documented() {
        assert!(is_cadence("1d") && is_cadence("30m") && is_cadence("5w"));
        assert!(!is_cadence("7d") && !is_cadence("2m") && !is_cadence("1y") && !is_cadence(""));
    }
}
