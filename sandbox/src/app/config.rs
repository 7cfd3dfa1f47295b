//! The configuration of a tenant, and what it was before.

use std::collections::BTreeMap;

use serde_json::{Value, json, value::RawValue};

use super::{Call, Outcome, arguments::BadArgument, grammar};
use crate::{
    json::{self, RawObject},
    store::now,
};

/// One upload.
#[derive(Debug)]
struct Revision {
    id: String,
    author: String,
    commit_message: String,
    /// Seconds since the epoch.
    time: f64,
    config: RawObject,
}

/// All uploads of each tenant, oldest first.
#[derive(Debug, Default)]
pub(super) struct ConfigBook {
    revisions: BTreeMap<String, Vec<Revision>>,
    ids_made: u64,
}

impl ConfigBook {
    fn of(&self, tenant: &str) -> &[Revision] {
        self.revisions.get(tenant).map_or(&[], Vec::as_slice)
    }

    /// Class by class; empty before the first upload.
    pub(super) fn current(&self, tenant: &str) -> RawObject {
        self.of(tenant)
            .last()
            .map(|revision| revision.config.clone())
            .unwrap_or_default()
    }

    pub(super) fn shown(&self) -> RawObject {
        let mut shown = RawObject::default();
        for (tenant, revisions) in &self.revisions {
            let revisions: Vec<RawObject> = revisions.iter().rev().map(Revision::shown).collect();
            shown.set(tenant, json::raw(&revisions));
        }
        shown
    }

    pub(super) fn add_class(&mut self, tenant: &str, class: &str, template: &RawValue) {
        let mut config = self.current(tenant);
        if config.get(class).is_none() {
            config.set(class, template.to_owned());
            self.add(tenant, "sandbox", &format!("create {class}"), config);
        }
    }

    /// Keeps a configuration, and answers as an upload does.
    fn add(
        &mut self,
        tenant: &str,
        author: &str,
        commit_message: &str,
        config: RawObject,
    ) -> RawObject {
        self.ids_made += 1;
        let id = format!("00000000-0000-4000-9000-{:012x}", self.ids_made);
        let answer = RawObject::default()
            .with("new_config_id", &id)
            .with("new_config", &config);
        let answer = match self.of(tenant).last() {
            Some(previous) => answer.with("verses_diff", &differences(&previous.config, &config)),
            None => answer,
        };
        let (author, commit_message) = (author.to_owned(), commit_message.to_owned());
        let revision = Revision {
            id,
            author,
            commit_message,
            time: now(),
            config,
        };
        self.revisions
            .entry(tenant.to_owned())
            .or_default()
            .push(revision);
        answer
    }
}

impl Revision {
    fn shown(&self) -> RawObject {
        RawObject::default()
            .with("id", &self.id)
            .with("author", &self.author)
            .with("commit_message", &self.commit_message)
            .with("timestamp", &self.time)
            .with("config", &self.config)
    }
}

pub(super) fn upload(call: &mut Call<'_>) -> Outcome {
    let config = whole(call)?;
    let (author, commit_message) = signed(call)?;
    let answer = call
        .workspace
        .configs
        .add(call.tenant, &author, &commit_message, config);
    Ok(json::raw(&answer))
}

pub(super) fn upload_for_class(call: &mut Call<'_>) -> Outcome {
    let (class, part) = of_class(call)?;
    let (author, commit_message) = signed(call)?;
    let mut config = call.workspace.configs.current(call.tenant);
    config.set(&class, part);
    let answer = call
        .workspace
        .configs
        .add(call.tenant, &author, &commit_message, config);
    Ok(json::raw(&answer))
}

pub(super) fn current(call: &mut Call<'_>) -> Outcome {
    let config = call.workspace.configs.current(call.tenant);
    Ok(json::raw(
        &RawObject::default().with("raw_configuration_data", &config),
    ))
}

/// Newest first.
pub(super) fn history(call: &mut Call<'_>) -> Outcome {
    let most = call
        .arguments
        .optional_count("number_of_revisions")?
        .unwrap_or(usize::MAX);
    let revisions = call.workspace.configs.of(call.tenant);
    let shown: Vec<RawObject> = revisions
        .iter()
        .rev()
        .take(most)
        .map(Revision::shown)
        .collect();
    let msg = format!("{} of {} revisions", shown.len(), revisions.len());
    Ok(json::raw(
        &RawObject::default()
            .with("msg", &msg)
            .with("configs", &shown),
    ))
}

/// The first field that the configuration of a class names.
pub(super) fn first_field(call: &Call<'_>, class: &str) -> Option<String> {
    let config = call.workspace.configs.current(call.tenant);
    let fields = json::object(json::object(config.get(class)?)?.get("fields")?)?;
    fields.iter().next().map(|(name, _)| name.to_owned())
}

/// The argument `config`, without the tenant that it may be wrapped in.
pub(super) fn unwrapped(call: &Call<'_>) -> Result<RawObject, BadArgument> {
    let config = call.arguments.object("config")?;
    let mut entries = config.iter();
    let user_id = call.arguments.optional_text("user_id")?;
    let wraps = |name: &str| name == call.tenant || user_id.as_deref() == Some(name);
    match (entries.next(), entries.next()) {
        (Some((name, inner)), None) if wraps(name) => json::object(inner)
            .ok_or_else(|| BadArgument::new(&format!("config.{name}"), "an object")),
        _ => Ok(config.clone()),
    }
}

/// The same for one class, which may be wrapped in the name of the class.
pub(super) fn unwrapped_class(call: &Call<'_>) -> Result<(String, RawObject), BadArgument> {
    let class = call.arguments.context_class()?;
    let config = unwrapped(call)?;
    let inner = config.get(&class).and_then(json::object);
    Ok((class, inner.unwrap_or(config)))
}

fn whole(call: &Call<'_>) -> Result<RawObject, BadArgument> {
    let config = unwrapped(call)?;
    refuse(grammar::issues(&config))?;
    Ok(config)
}

fn of_class(call: &Call<'_>) -> Result<(String, Box<RawValue>), BadArgument> {
    let (class, part) = unwrapped_class(call)?;
    let part = json::raw(&part);
    refuse(grammar::issues(&RawObject::default().with(&class, &part)))?;
    Ok((class, part))
}

fn refuse(issues: BTreeMap<String, Vec<String>>) -> Result<(), BadArgument> {
    let first = issues
        .iter()
        .find_map(|(class, issues)| Some((class, issues.first()?)));
    match first {
        Some((class, issue)) => Err(BadArgument(format!("config.{class}: {issue}"))),
        None => Ok(()),
    }
}

fn signed(call: &Call<'_>) -> Result<(String, String), BadArgument> {
    Ok((
        call.arguments.text("author")?,
        call.arguments.text("commit_message")?,
    ))
}

/// What an upload changed, as the paths that are new, gone or different.
fn differences(old: &RawObject, new: &RawObject) -> Vec<Value> {
    let tree = |config: &RawObject| json::tree(json::raw(config).get()).unwrap_or_default();
    let mut found = Vec::new();
    compare("", &tree(old), &tree(new), &mut found);
    found
}

fn compare(path: &str, old: &Value, new: &Value, found: &mut Vec<Value>) {
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        if old != new {
            found.push(json!({"path": path, "change": "changed", "old": old, "new": new}));
        }
        return;
    };
    let inner = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}/{name}")
        }
    };
    for (name, value) in before {
        match after.get(name) {
            Some(now) => compare(&inner(name), value, now, found),
            None => found.push(json!({"path": inner(name), "change": "removed", "old": value})),
        }
    }
    for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        found.push(json!({"path": inner(name), "change": "added", "new": value}));
    }
}
