//! An honest, small version of what Mona finds: segments in which the mean of a number is far from that of the class.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Call, Outcome,
    cell::Cell,
    computed,
    ingested::Selection,
    metric::{Metric, Sample},
    segment::of_value,
};
use crate::store::{Record, now};

/// The one kind of insight that there is here, named as Mona names it.
const TYPE: &str = "KapiAverageDriftInSegment";
/// How many standard deviations make an insight.
const LEAST_ANOMALY: f64 = 1.0;
/// As many give the highest score, 1.
const FULL_SCORE_ANOMALY: f64 = 4.0;
/// A field with more different texts is no dimension: an id would make every context a segment.
const MOST_VALUES: usize = 100;

struct Found<'a> {
    metric: &'a str,
    dimension: &'a str,
    label: &'a str,
    size: usize,
    value: f64,
    anomaly: f64,
}

/// The whole that segments are held against.
struct Whole {
    size: usize,
    mean: f64,
    std: f64,
}

pub(super) fn find(call: &mut Call<'_>) -> Outcome {
    let arguments = &call.arguments;
    let selection = Selection::read(arguments)?;
    let least_size = arguments.number("min_segment_size")?;
    let least_score = arguments
        .optional_number("min_insight_score")?
        .unwrap_or(0.0);
    let types = arguments.texts("insight_types")?;
    let metric = arguments.optional_text("metric_name")?;
    let span = arguments.optional_number("time_range_seconds")?;
    // All insights are discovered by this very call, and so are within any such range.
    arguments.optional_number("first_discovered_on_range_seconds")?;
    if types.is_some_and(|types| !types.iter().any(|name| name == TYPE)) {
        return computed(&json!([]));
    }
    let now = now();
    let found = selection.contexts(call.store, call.tenant, |time| {
        span.is_none_or(|span| time >= now - span)
    });
    let records: Vec<&Record> = found.into_iter().map(|(_, record)| record).collect();
    let least_size = if least_size < 1.0 {
        least_size * records.len() as f64
    } else {
        least_size
    };

    let dimensions = dimensions(&records);
    let mut insights: Vec<(f64, Value)> = Vec::new();
    for field in metrics(&records)
        .iter()
        .filter(|field| metric.as_ref().is_none_or(|metric| metric == *field))
    {
        let Some(whole) = Whole::of(&records, field) else {
            continue;
        };
        for (dimension, groups) in &dimensions {
            for (label, group) in groups
                .iter()
                .filter(|(_, group)| group.len() as f64 >= least_size)
            {
                let Some(found) = whole.compare(field, dimension, label, group) else {
                    continue;
                };
                let score = (found.anomaly / FULL_SCORE_ANOMALY).min(1.0);
                if score >= least_score {
                    insights.push((
                        score,
                        found.shown(&whole, call.tenant, &selection.class, score, now),
                    ));
                }
            }
        }
    }
    insights.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    computed(&insights.into_iter().map(|(_, insight)| insight).collect())
}

impl Whole {
    fn of(records: &[&Record], field: &str) -> Option<Self> {
        let sample = Sample::of(records, field);
        let (mean, std) = (
            sample.measure(Metric::Average)?,
            sample.measure(Metric::Std)?,
        );
        (std > 0.0).then_some(Self {
            size: records.len(),
            mean,
            std,
        })
    }

    fn compare<'a>(
        &self,
        metric: &'a str,
        dimension: &'a str,
        label: &'a str,
        group: &[&Record],
    ) -> Option<Found<'a>> {
        let value = Sample::of(group, metric).measure(Metric::Average)?;
        let anomaly = (value - self.mean).abs() / self.std;
        (anomaly >= LEAST_ANOMALY).then_some(Found {
            metric,
            dimension,
            label,
            size: group.len(),
            value,
            anomaly,
        })
    }
}

impl Found<'_> {
    fn shown(&self, whole: &Whole, tenant: &str, class: &str, score: f64, now: f64) -> Value {
        json!({
            "user_id": tenant,
            "arc_class": class,
            "score": score,
            "main_signal": {
                "user_id": tenant,
                "arc_class": class,
                "timestamp": now.floor(),
                "signal_type": TYPE,
                "is_desc": self.value < whole.mean,
                "anomaly_level": self.anomaly,
                "value": self.value,
                "benchmark": whole.mean,
                "std": whole.std,
                "segment": of_value(self.dimension, self.label),
                "segment_size": self.size,
                "segment_ratio": self.size as f64 / whole.size as f64,
                "baseline_segment": "{}",
                "kapi": self.metric,
            },
        })
    }
}

/// The fields that have numbers.
fn metrics(records: &[&Record]) -> BTreeSet<String> {
    let fields = records.iter().flat_map(|record| record.fields.iter());
    let numeric = fields.filter(|(_, value)| matches!(Cell::of(Some(value)), Cell::Number(_)));
    numeric.map(|(name, _)| name.to_owned()).collect()
}

/// The fields that have texts or booleans, and the contexts of each value.
fn dimensions<'s>(records: &[&'s Record]) -> BTreeMap<String, BTreeMap<String, Vec<&'s Record>>> {
    let mut dimensions: BTreeMap<String, BTreeMap<String, Vec<&Record>>> = BTreeMap::new();
    for record in records {
        for (name, value) in record.fields.iter() {
            let cell = Cell::of(Some(value));
            if matches!(cell, Cell::Text(_) | Cell::Boolean(_)) {
                dimensions
                    .entry(name.to_owned())
                    .or_default()
                    .entry(cell.label())
                    .or_default()
                    .push(record);
            }
        }
    }
    dimensions.retain(|_, values| values.len() <= MOST_VALUES);
    dimensions
}
