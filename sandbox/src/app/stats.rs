use std::{cmp::Ordering, collections::BTreeMap};

use serde_json::{Value, json, value::RawValue};

use super::{
    Call, Outcome,
    arguments::{Arguments, BadArgument, as_seconds, number},
    cell::Cell,
    computed,
    ingested::Selection,
    metric::{Metric, Sample},
    segment::{Segment, of_value},
};
use crate::{
    json::{self, Kind},
    store::{Record, now},
};

/// A time range, its end not included.
struct TimeRange {
    from: f64,
    to: f64,
}

/// What is compared between two time ranges.
struct Measures([(String, Metric); 2]);

/// The contexts of one value of the dimension.
#[derive(Default)]
struct Group<'s> {
    target: Vec<&'s Record>,
    compared: Vec<&'s Record>,
}

pub(super) fn by_dimension(call: &mut Call<'_>) -> Outcome {
    let arguments = &call.arguments;
    let selection = Selection::read(arguments)?;
    let dimension = arguments.text("dimension")?;
    let measures = Measures([measure(arguments, 1)?, measure(arguments, 2)?]);
    let target = TimeRange::read(arguments, "target_time_range")?;
    let compared = TimeRange::read(arguments, "compared_time_range")?;
    let least = arguments.number("min_segment_size")?;
    let sort = arguments.text("sort_function")?;
    let baseline = Segment::optional(arguments, "baseline_segment")?.unwrap_or_else(Segment::all);
    let filters = ["target_segments_filter", "compared_segments_filter"]
        .map(|name| Segment::list(arguments, name));
    let [target_filter, compared_filter] = filters;

    let target = select(call, &selection, &target, target_filter?.as_deref());
    let compared = select(call, &selection, &compared, compared_filter?.as_deref());
    let least = if least < 1.0 {
        least * target.len() as f64
    } else {
        least
    };
    let mut groups: BTreeMap<String, Group<'_>> = BTreeMap::new();
    for record in &target {
        for label in labels(record, &dimension) {
            groups.entry(label).or_default().target.push(record);
        }
    }
    for record in &compared {
        for label in labels(record, &dimension) {
            groups.entry(label).or_default().compared.push(record);
        }
    }
    groups.retain(|_, group| group.target.len() as f64 >= least);
    let mut segments: Vec<(f64, Value)> = groups
        .iter()
        .map(|(label, group)| {
            (
                measures.rank(&sort, group),
                measures.describe(&dimension, label, group),
            )
        })
        .collect();
    segments.sort_by(|(one, _), (other, _)| other.partial_cmp(one).unwrap_or(Ordering::Equal));
    let segments: Vec<Value> = segments.into_iter().map(|(_, segment)| segment).collect();
    let inside = |records: &[&'_ Record]| -> Value {
        let records: Vec<&Record> = records
            .iter()
            .copied()
            .filter(|record| baseline.has(record))
            .collect();
        measures.of(&records)
    };
    computed(&json!({
        "segments": segments,
        "baseline": {"segment": baseline.text, "target": inside(&target), "compared": inside(&compared)},
    }))
}

fn measure(arguments: &Arguments, number: u8) -> Result<(String, Metric), BadArgument> {
    let kind = format!("metric_{number}_type");
    Ok((
        arguments.text(&format!("metric_{number}_field"))?,
        Metric::read(&kind, &arguments.text(&kind)?)?,
    ))
}

fn select<'s>(
    call: &Call<'s>,
    selection: &Selection,
    range: &TimeRange,
    filter: Option<&[Segment]>,
) -> Vec<&'s Record> {
    let found = selection.contexts(call.store, call.tenant, |time| {
        (range.from..range.to).contains(&time)
    });
    let records = found.into_iter().map(|(_, record)| record);
    records
        .filter(|record| {
            filter.is_none_or(|filter| filter.iter().any(|segment| segment.has(record)))
        })
        .collect()
}

/// A context with a list for a value belongs to each of its items.
fn labels(record: &Record, dimension: &str) -> Vec<String> {
    let mut labels: Vec<String> = Cell::of(record.fields.get(dimension))
        .items()
        .iter()
        .map(Cell::label)
        .collect();
    labels.sort();
    labels.dedup();
    labels
}

impl Measures {
    fn of(&self, records: &[&Record]) -> Value {
        let [first, second] = self.numbers(records);
        json!({"size": records.len(), "metric_1": first, "metric_2": second})
    }

    fn numbers(&self, records: &[&Record]) -> [Option<f64>; 2] {
        self.0
            .each_ref()
            .map(|(field, metric)| Sample::of(records, field).measure(*metric))
    }

    fn describe(&self, dimension: &str, label: &str, group: &Group<'_>) -> Value {
        json!({
            "segment": of_value(dimension, label),
            "size": group.target.len(),
            "target": self.of(&group.target),
            "compared": self.of(&group.compared),
        })
    }

    /// The larger comes first; an unknown order is that of the sizes.
    fn rank(&self, sort: &str, group: &Group<'_>) -> f64 {
        let [target, compared] = [self.numbers(&group.target), self.numbers(&group.compared)];
        let difference =
            |target: Option<f64>, compared: Option<f64>| Some((target? - compared?).abs());
        let rank = match sort {
            "metric_1" => target[0],
            "metric_2" => target[1],
            "metric_1_difference" => difference(target[0], compared[0]),
            "metric_2_difference" => difference(target[1], compared[1]),
            _ => Some(group.target.len() as f64),
        };
        rank.unwrap_or(f64::NEG_INFINITY)
    }
}

impl TimeRange {
    /// `[from, to]`, `{"from": ..., "to": ...}` (or start_time and end_time), or a number of seconds until now.
    fn read(arguments: &Arguments, name: &str) -> Result<Self, BadArgument> {
        let value = arguments.value(name)?;
        let moment = |value: &RawValue| number(name, value).map(as_seconds);
        if let Some([from, to]) = json::array(value).as_deref() {
            return Ok(Self {
                from: moment(from)?,
                to: moment(to)?,
            });
        }
        if let Some(object) = json::object(value) {
            let ends = [
                ["from", "to"],
                ["start_time", "end_time"],
                ["startTime", "endTime"],
            ];
            let found = ends
                .iter()
                .find_map(|[from, to]| Some((object.present(from)?, object.present(to)?)));
            if let Some((from, to)) = found {
                return Ok(Self {
                    from: moment(from)?,
                    to: moment(to)?,
                });
            }
        }
        if matches!(json::kind(value), Kind::Number | Kind::String) {
            let now = now();
            return Ok(Self {
                from: now - number(name, value)?,
                to: now,
            });
        }
        Err(BadArgument::new(
            name,
            "[from, to], {\"from\", \"to\"} or a number of seconds",
        ))
    }
}
