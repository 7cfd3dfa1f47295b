//! Generators: short spellings of large or odd values in the scenarios.

use crate::json::{Json, quoted};

/// Fills the generators of a value in; `index` is the number of the item inside a `$list` or `$object`.
pub fn expand(value: &Json, index: Option<usize>) -> Json {
    match value {
        Json::Text(text) => expand_text(text, index),
        Json::Array(items) => Json::Array(items.iter().map(|item| expand(item, index)).collect()),
        Json::Object(members) => {
            if let [(key, argument)] = members.as_slice()
                && let Some(made) = generate(key, argument, index)
            {
                return made;
            }
            let members = members.iter();
            Json::Object(
                members
                    .map(|(key, value)| (fill(key, index), expand(value, index)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

fn generate(key: &str, argument: &Json, index: Option<usize>) -> Option<Json> {
    let made = match key {
        "$raw_json" => Json::Raw(argument.text()?.to_owned()),
        "$string" => {
            let repeated = argument.get("repeat").text()?;
            Json::Text(repeated.repeat(count(argument, "count")))
        }
        "$nest" => nest(argument),
        "$list" => {
            let items =
                (0..count(argument, "count")).map(|i| expand(argument.get("item"), Some(i)));
            Json::Array(items.filter(|item| item.text() != Some("$skip")).collect())
        }
        "$object" => {
            let key = argument.get("key").text()?;
            let member = |i| (fill(key, Some(i)), expand(argument.get("value"), Some(i)));
            Json::Object((0..count(argument, "count")).map(member).collect())
        }
        "$cycle" => match argument {
            Json::Array(items) => expand(&items[index? % items.len()], index),
            _ => return None,
        },
        _ => return None,
    };
    Some(made)
}

/// Objects with one key, or arrays with one item, inside each other: as text, however deep.
fn nest(argument: &Json) -> Json {
    let depth = count(argument, "depth");
    let (open, close) = match argument.get("key").text() {
        Some(key) => (format!("{{{}:", quoted(key)), "}"),
        None => ("[".to_owned(), "]"),
    };
    let leaf = argument.get("leaf");
    Json::Raw(format!(
        "{}{leaf}{}",
        open.repeat(depth),
        close.repeat(depth)
    ))
}

fn expand_text(text: &str, index: Option<usize>) -> Json {
    match index {
        Some(index) if text == "$i" => Json::Number(index.to_string()),
        _ => Json::Text(fill(text, index)),
    }
}

fn fill(text: &str, index: Option<usize>) -> String {
    match index {
        Some(index) => text.replace("${i}", &index.to_string()),
        None => text.to_owned(),
    }
}

fn count(argument: &Json, name: &str) -> usize {
    match argument.get(name) {
        Json::Number(text) => text.parse().unwrap(),
        other => panic!("{name} must be a number, not {other}"),
    }
}
