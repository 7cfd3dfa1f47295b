use super::{
    Call, Outcome,
    arguments::{Arguments, BadArgument},
    segment::Segment,
};
use crate::{
    json::{self, RawObject},
    store::{Key, Record, Store},
};

/// Which contexts a service looks at.
pub(super) struct Selection {
    pub class: String,
    pub excluded: Vec<Segment>,
    /// Time is that of this field; the contexts' own without one.
    pub time_field: Option<String>,
}

impl Selection {
    pub(super) fn read(arguments: &Arguments) -> Result<Self, BadArgument> {
        let excluded = match Segment::list(arguments, "excluded_segments")? {
            Some(excluded) => excluded,
            None => Segment::list(arguments, "negative_segments")?.unwrap_or_default(),
        };
        let time_field = arguments.optional_text("timestamp_field_name")?;
        Ok(Self {
            class: arguments.context_class()?,
            excluded,
            time_field,
        })
    }

    /// The contexts of the class at the times that `within` takes.
    pub(super) fn contexts<'s>(
        &self,
        store: &'s Store,
        tenant: &str,
        within: impl Fn(f64) -> bool,
    ) -> Vec<(&'s Key, &'s Record)> {
        let all = store
            .of_user(tenant)
            .filter(|(key, _)| key.arc_class == self.class);
        let timely = all.filter(|(_, record)| self.time(record).is_some_and(&within));
        timely
            .filter(|(_, record)| !self.excluded.iter().any(|segment| segment.has(record)))
            .collect()
    }

    pub(super) fn time(&self, record: &Record) -> Option<f64> {
        match &self.time_field {
            None => Some(record.timestamp),
            Some(field) => record
                .fields
                .get(field)?
                .get()
                .parse()
                .ok()
                .map(super::arguments::as_seconds),
        }
    }
}

pub(super) fn records(call: &mut Call<'_>) -> Outcome {
    let arguments = &call.arguments;
    let selection = Selection::read(arguments)?;
    let (start, end) = (
        arguments.moment("start_time")?,
        arguments.moment("end_time")?,
    );
    let segment = Segment::read("segment", arguments.value("segment")?)?;
    let most = arguments.optional_count("sampling_threshold")?;

    let mut found = selection.contexts(call.store, call.tenant, |time| {
        (start..=end).contains(&time)
    });
    found.retain(|(_, record)| segment.has(record));
    let total = found.len();
    // Evenly over all that match, so that a sample has something of each part.
    let step = most.map_or(1, |most| total.div_ceil(most).max(1));
    let crcs: Vec<RawObject> = found
        .into_iter()
        .step_by(step)
        .map(|(key, record)| shown(key, record))
        .collect();
    Ok(json::raw(
        &RawObject::default()
            .with("crcs", &crcs)
            .with("total", &total),
    ))
}

/// A context with its fields beside its id.
fn shown(key: &Key, record: &Record) -> RawObject {
    let mut object = RawObject::default()
        .with("context", &key.context_id)
        .with("user_id", &key.user_id)
        .with("timestamp", &record.timestamp);
    for (name, value) in record.fields.iter() {
        object.set(name, value.to_owned());
    }
    object
}
