//! How long messages took from being accepted to being settled: a histogram of fixed size.

/// Buckets per doubling: percentiles are exact to about 9 %.
const STEPS: u32 = 8;
/// As many as milliseconds in 32 bits can have.
const DOUBLINGS: u32 = 32;

pub struct Latency {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Latency {
            counts: vec![0; (STEPS * DOUBLINGS) as usize],
            total: 0,
        }
    }
}

impl Latency {
    pub fn record(&mut self, milliseconds: u32, messages: u64) {
        let exact = f64::from(milliseconds.max(1));
        let bucket = (exact.log2() * f64::from(STEPS)) as usize;
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += messages;
            self.total += messages;
        }
    }

    /// The time, in milliseconds, within which this share of the messages was settled.
    pub fn percentile(&self, share: f64) -> Option<f64> {
        let wanted = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                let upper = (bucket as f64 + 1.0) / f64::from(STEPS);
                return Some((upper.exp2() * 10.0).round() / 10.0);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_about_right() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentile(0.5), None);
        for milliseconds in 1..=1000 {
            latency.record(milliseconds, 1);
        }
        for (share, expected) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = latency.percentile(share).unwrap();
            assert!(
                (expected..expected * 1.1).contains(&found),
                "{share}: {found}"
            );
        }
    }
}
