use super::{arguments::BadArgument, cell::Cell};
use crate::store::Record;

/// What can be calculated of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    Average,
    Sum,
    Variance,
    NormalizedVariance,
    Std,
    StandardError,
    InterquartileRange,
    ExistenceRatio,
}

impl Metric {
    pub(super) const ALL: [Self; 8] = [
        Self::Average,
        Self::Sum,
        Self::Variance,
        Self::NormalizedVariance,
        Self::Std,
        Self::StandardError,
        Self::InterquartileRange,
        Self::ExistenceRatio,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Average => "average",
            Self::Sum => "sum",
            Self::Variance => "variance",
            Self::NormalizedVariance => "normalized_variance",
            Self::Std => "std",
            Self::StandardError => "standard_error",
            Self::InterquartileRange => "interquartile_range",
            Self::ExistenceRatio => "existence_ratio",
        }
    }

    /// Mona's documentation writes some of the names with blanks.
    pub(super) fn read(argument: &str, name: &str) -> Result<Self, BadArgument> {
        let plain = name.to_ascii_lowercase().replace(' ', "_");
        let found = Self::ALL.into_iter().find(|metric| metric.name() == plain);
        let names = Self::ALL.map(Self::name).join(", ");
        found.ok_or_else(|| BadArgument::new(argument, &format!("one of {names}; not {name:?}")))
    }
}

/// The numbers of one field over some contexts.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// In ascending order.
    pub numbers: Vec<f64>,
    present: usize,
    size: usize,
}

impl Sample {
    pub(super) fn of(records: &[&Record], field: &str) -> Self {
        let cells: Vec<Cell> = records
            .iter()
            .map(|record| Cell::of(record.fields.get(field)))
            .collect();
        let mut numbers: Vec<f64> = cells
            .iter()
            .flat_map(|cell| cell.items().iter().filter_map(Cell::number))
            .collect();
        numbers.sort_by(f64::total_cmp);
        let present = cells.iter().filter(|cell| !cell.is_missing()).count();
        Self {
            numbers,
            present,
            size: records.len(),
        }
    }

    /// `None` where there is nothing to calculate with.
    pub(super) fn measure(&self, metric: Metric) -> Option<f64> {
        let count = self.numbers.len() as f64;
        if metric == Metric::ExistenceRatio {
            return (self.size > 0).then(|| self.present as f64 / self.size as f64);
        }
        if self.numbers.is_empty() {
            return None;
        }
        let sum: f64 = self.numbers.iter().sum();
        let mean = sum / count;
        let variance = self
            .numbers
            .iter()
            .map(|number| (number - mean).powi(2))
            .sum::<f64>()
            / count;
        match metric {
            Metric::Average => Some(mean),
            Metric::Sum => Some(sum),
            Metric::Variance => Some(variance),
            Metric::NormalizedVariance => (mean != 0.0).then(|| variance / mean.abs()),
            Metric::Std => Some(variance.sqrt()),
            Metric::StandardError => Some((variance / count).sqrt()),
            Metric::InterquartileRange => Some(self.quantile(0.75)? - self.quantile(0.25)?),
            Metric::ExistenceRatio => None,
        }
    }

    /// Between two numbers of the sample, the straight line between them.
    fn quantile(&self, part: f64) -> Option<f64> {
        let place = part * (self.numbers.len().checked_sub(1)? as f64);
        let low = self.numbers.get(place.floor() as usize)?;
        let high = self.numbers.get(place.ceil() as usize)?;
        Some(low + (high - low) * place.fract())
    }
}

#[cfg(test)]
mod tests {
    use super::{Metric, Sample};

    #[test]
    fn metrics_are_those_of_the_whole_population() {
        let sample = Sample {
            numbers: vec![1.0, 2.0, 3.0, 4.0],
            present: 4,
            size: 8,
        };
        let measured: Vec<Option<f64>> = Metric::ALL
            .iter()
            .map(|metric| sample.measure(*metric))
            .collect();
        let root = 1.25_f64.sqrt();
        let wanted = [2.5, 10.0, 1.25, 0.5, root, root / 2.0, 1.5, 0.5].map(Some);
        assert_eq!(measured, wanted);
    }

    #[test]
    fn nothing_has_no_average() {
        let sample = Sample {
            numbers: Vec::new(),
            present: 0,
            size: 0,
        };
        assert!(
            Metric::ALL
                .iter()
                .all(|metric| sample.measure(*metric).is_none())
        );
    }
}
