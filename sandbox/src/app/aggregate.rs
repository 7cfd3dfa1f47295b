use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    Call, Outcome,
    arguments::{Arguments, BadArgument},
    cell::Cell,
    computed, config,
    ingested::Selection,
    metric::{Metric, Sample},
    segment::Segment,
};
use crate::{
    json::{self, Kind},
    store::Record,
};

const HISTOGRAM_BINS: usize = 10;
const BASELINE: &str = "{}";

/// Which metrics are wanted of a field.
struct Wanted {
    field: String,
    metrics: Vec<Metric>,
}

struct Resolution {
    name: String,
    seconds: f64,
}

/// How each segment is to be described.
struct View {
    selection: Selection,
    wanted: Vec<Wanted>,
    resolutions: Vec<Resolution>,
    histogram: bool,
    /// Where time buckets begin.
    offset: f64,
}

pub(super) fn segments(call: &mut Call<'_>) -> Outcome {
    let arguments = &call.arguments;
    let selection = Selection::read(arguments)?;
    let (from, to) = (
        arguments.moment("timestamp_from")?,
        arguments.moment("timestamp_to")?,
    );
    let right_inclusive = arguments.flag("right_inclusive")?;
    // Checked, and without effect: see the documentation.
    arguments.flag("include_super_segments")?;
    arguments.optional_text("time_zone")?;
    let requested = Segment::list(arguments, "requested_segments")?.unwrap_or_default();
    let baseline = Segment::optional(arguments, "baseline_segment")?.unwrap_or_else(Segment::all);

    let within = |time: f64| time >= from && (time < to || (right_inclusive && time <= to));
    let found = selection.contexts(call.store, call.tenant, within);
    let records: Vec<&Record> = found.into_iter().map(|(_, record)| record).collect();
    let view = View {
        wanted: wanted(call, &selection.class, &records)?,
        resolutions: resolutions(arguments)?,
        histogram: arguments.flag("with_histogram")?,
        offset: arguments
            .optional_number("time_series_offset_seconds")?
            .unwrap_or(0.0),
        selection,
    };
    let mut described = Map::new();
    for segment in &requested {
        described.insert(segment.text.clone(), view.describe(segment, &records));
    }
    described.insert(BASELINE.to_owned(), view.describe(&baseline, &records));
    computed(&Value::Object(described))
}

impl View {
    fn describe(&self, segment: &Segment, records: &[&Record]) -> Value {
        let inside: Vec<&Record> = records
            .iter()
            .copied()
            .filter(|record| segment.has(record))
            .collect();
        let mut description = Map::new();
        description.insert("size".to_owned(), json!(inside.len()));
        description.insert("metrics".to_owned(), self.metrics(&inside));
        if self.histogram {
            let fields = self
                .wanted
                .iter()
                .map(|wanted| (wanted.field.clone(), histogram(&inside, &wanted.field)));
            description.insert("histogram".to_owned(), Value::Object(fields.collect()));
        }
        if !self.resolutions.is_empty() {
            let series = self.resolutions.iter();
            let series = series.map(|resolution| {
                (
                    resolution.name.clone(),
                    self.series(&inside, resolution.seconds),
                )
            });
            description.insert("time_series".to_owned(), Value::Object(series.collect()));
        }
        Value::Object(description)
    }

    fn metrics(&self, records: &[&Record]) -> Value {
        let fields = self.wanted.iter().map(|wanted| {
            let sample = Sample::of(records, &wanted.field);
            let measured = wanted
                .metrics
                .iter()
                .map(|metric| (metric.name().to_owned(), json!(sample.measure(*metric))));
            (wanted.field.clone(), Value::Object(measured.collect()))
        });
        Value::Object(fields.collect())
    }

    /// One entry for each time span that has contexts, in order of time.
    fn series(&self, records: &[&Record], seconds: f64) -> Value {
        let mut buckets: BTreeMap<i64, Vec<&Record>> = BTreeMap::new();
        for record in records {
            if let Some(time) = self.selection.time(record) {
                buckets
                    .entry(((time - self.offset) / seconds).floor() as i64)
                    .or_default()
                    .push(record);
            }
        }
        let entries = buckets.into_iter().map(|(number, records)| {
            let start = number as f64 * seconds + self.offset;
            json!({"timestamp": start, "size": records.len(), "metrics": self.metrics(&records)})
        });
        entries.collect()
    }
}

fn wanted(call: &Call<'_>, class: &str, records: &[&Record]) -> Result<Vec<Wanted>, BadArgument> {
    let Some(listed) = call.arguments.list("metrics")? else {
        let first = config::first_field(call, class);
        let first = first.or_else(|| {
            records
                .first()?
                .fields
                .iter()
                .next()
                .map(|(name, _)| name.to_owned())
        });
        return Ok(first
            .into_iter()
            .map(|field| Wanted {
                field,
                metrics: vec![Metric::Average],
            })
            .collect());
    };
    let read = |value| -> Option<(String, Vec<String>)> {
        let object = json::object(value)?;
        let types = object
            .present("types")
            .map_or(Some(vec!["average".to_owned()]), |types| {
                serde_json::from_str(types.get()).ok()
            })?;
        Some((json::text(object.get("field")?)?, types))
    };
    let mut wanted = Vec::new();
    for value in listed {
        let shape = r#"a list of {"field": "f", "types": ["average"]}"#;
        let (field, types) = read(value).ok_or_else(|| BadArgument::new("metrics", shape))?;
        let metrics = types
            .iter()
            .map(|name| Metric::read("metrics.types", name))
            .collect::<Result<_, _>>()?;
        wanted.push(Wanted { field, metrics });
    }
    Ok(wanted)
}

fn resolutions(arguments: &Arguments) -> Result<Vec<Resolution>, BadArgument> {
    let name = "time_series_resolutions";
    let listed = arguments.list(name)?.unwrap_or_default();
    let read = listed.into_iter().map(|value| {
        let text = match json::kind(value) {
            Kind::String => json::text(value).unwrap_or_default(),
            _ => value.get().to_owned(),
        };
        let seconds = duration(&text).filter(|seconds| *seconds > 0.0);
        let seconds = seconds.ok_or_else(|| {
            BadArgument::new(name, "a list of spans like \"1h\", \"1d\" or seconds")
        })?;
        Ok(Resolution {
            name: text,
            seconds,
        })
    });
    read.collect()
}

/// `5m`, `1h`, `1d` and `2w`; without a letter, seconds.
fn duration(text: &str) -> Option<f64> {
    let units = [
        ('m', 60.0),
        ('h', 3_600.0),
        ('d', 86_400.0),
        ('w', 604_800.0),
    ];
    let unit = units
        .into_iter()
        .find_map(|(letter, seconds)| Some((text.strip_suffix(letter)?, seconds)));
    let (count, seconds) = unit.unwrap_or((text, 1.0));
    count
        .parse::<u32>()
        .ok()
        .map(|count| f64::from(count) * seconds)
}

/// Ten bins of equal width for numbers, and otherwise how often each value is there.
fn histogram(records: &[&Record], field: &str) -> Value {
    let sample = Sample::of(records, field);
    let (Some(&low), Some(&high)) = (sample.numbers.first(), sample.numbers.last()) else {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for record in records {
            for item in Cell::of(record.fields.get(field)).items() {
                *counts.entry(item.label()).or_default() += 1;
            }
        }
        return counts
            .into_iter()
            .map(|(value, count)| json!({"value": value, "count": count}))
            .collect();
    };
    let width = (high - low) / HISTOGRAM_BINS as f64;
    let mut counts = [0_usize; HISTOGRAM_BINS];
    for number in &sample.numbers {
        let bin = if width > 0.0 {
            ((number - low) / width).floor() as usize
        } else {
            0
        };
        // The largest number belongs to the last bin, not to one after it.
        if let Some(count) = counts.get_mut(bin.min(HISTOGRAM_BINS - 1)) {
            *count += 1;
        }
    }
    let bins = counts.iter().enumerate().map(|(bin, count)| {
        let edge = |bin: usize| low + width * bin as f64;
        json!({"from": edge(bin), "to": edge(bin + 1), "count": count})
    });
    bins.collect()
}
