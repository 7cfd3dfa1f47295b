//! Trying a configuration out on the contexts that are there.

use serde_json::value::RawValue;

use super::{Call, Outcome, arguments::BadArgument, config, grammar};
use crate::{
    json::{self, RawObject},
    store::{Key, Record},
};

/// How many contexts of a class are tried where the call does not say.
const DEFAULT_AMOUNT: usize = 10;

/// Which contexts a configuration is tried on.
struct Trial {
    ids: Option<Vec<String>>,
    most: usize,
}

impl Trial {
    fn read(call: &Call<'_>) -> Result<Self, BadArgument> {
        let ids = call.arguments.texts("list_of_context_ids")?;
        let most = call.arguments.optional_count("latest_amount")?;
        let unbounded = if ids.is_some() {
            usize::MAX
        } else {
            DEFAULT_AMOUNT
        };
        Ok(Self {
            ids,
            most: most.unwrap_or(unbounded),
        })
    }

    /// The latest first.
    fn contexts<'s>(&self, call: &Call<'s>, class: &str) -> Vec<(&'s Key, &'s Record)> {
        let all = call.store.of_class(call.tenant, class);
        let mut found: Vec<_> = all
            .filter(|(key, _)| {
                self.ids
                    .as_ref()
                    .is_none_or(|ids| ids.contains(&key.context_id))
            })
            .collect();
        found.sort_by(|(_, one), (_, other)| other.timestamp.total_cmp(&one.timestamp));
        found.truncate(self.most);
        found
    }
}

pub(super) fn whole(call: &mut Call<'_>) -> Outcome {
    let config = config::unwrapped(call)?;
    validate(call, &config)
}

pub(super) fn of_class(call: &mut Call<'_>) -> Outcome {
    let (class, part) = config::unwrapped_class(call)?;
    validate(call, &RawObject::default().with(&class, &part))
}

fn validate(call: &Call<'_>, config: &RawObject) -> Outcome {
    let trial = Trial::read(call)?;
    let issues = grammar::issues(config);
    if !issues.is_empty() {
        return Ok(json::raw(&RawObject::default().with("issues", &issues)));
    }
    let mut results = RawObject::default();
    for (class, part) in config.iter() {
        let fields = json::object(part)
            .and_then(|part| part.get("fields").and_then(json::object))
            .unwrap_or_default();
        let contexts = trial.contexts(call, class);
        let built: Vec<RawObject> = contexts
            .into_iter()
            .map(|(key, record)| build(&fields, key, record))
            .collect();
        results.set(class, json::raw(&built));
    }
    Ok(json::raw(
        &RawObject::default().with("field_building_results", &results),
    ))
}

/// The fields of a configuration as one context gives them. Of the functions only identity is played.
fn build(fields: &RawObject, key: &Key, record: &Record) -> RawObject {
    let mut built = RawObject::default()
        .with("context", &key.context_id)
        .with("user_id", &key.user_id);
    for (name, field) in fields.iter() {
        let source = source(field).unwrap_or_else(|| name.to_owned());
        let value = record.fields.get(&source).unwrap_or(RawValue::NULL);
        built.set(name, value.to_owned());
    }
    built
}

/// The name under which a field arrives, where that is another one.
fn source(field: &RawValue) -> Option<String> {
    let field = json::object(field)?;
    let first = || json::text(json::array(field.get("sources")?)?.first()?);
    field.get("source").and_then(json::text).or_else(first)
}
