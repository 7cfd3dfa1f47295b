//! Which messages are kept.

use crate::random;
use sha2::{Digest, Sha224};
use std::collections::BTreeMap;

const BUCKETS: u64 = 10_000_000;

/// Sampling rates: the share of messages that is kept, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// For classes that have no rate of their own.
    pub default_rate: f64,
    pub class_rates: BTreeMap<String, f64>,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling {
            default_rate: 1.0,
            class_rates: BTreeMap::new(),
        }
    }
}

impl Sampling {
    pub fn keeps_all(&self) -> bool {
        self.default_rate >= 1.0 && self.class_rates.is_empty()
    }

    /// Messages of one context id are kept or dropped together, by every client and process alike;
    /// those without an id by chance.
    pub fn keep(&self, class: &str, id: Option<&str>) -> bool {
        let rate = self
            .class_rates
            .get(class)
            .copied()
            .unwrap_or(self.default_rate);
        if rate >= 1.0 {
            return true;
        }
        match id.filter(|id| !id.is_empty()) {
            Some(id) => rate >= 0.0 && bucket(id) <= rate,
            None => rate > 0.0 && random::unit() <= rate,
        }
    }
}

/// Where an id falls between 0 and 1: its SHA-224 modulo ten million, as the Python package computes it.
pub fn bucket(id: &str) -> f64 {
    let digest = Sha224::digest(id.as_bytes());
    let remainder = digest
        .iter()
        .fold(0, |rest, byte| (rest * 256 + u64::from(*byte)) % BUCKETS);
    remainder as f64 / BUCKETS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_equal_those_of_the_python_package() {
        for (id, expected) in [
            ("a", 0.3363797),
            ("abc", 0.4815783),
            ("id0", 0.6225542),
            ("id1", 0.3418062),
            ("12345", 0.0707927),
            ("test-context-id", 0.4951807),
            ("CONTEXT_INSTANCE_UNIQUE_ID", 0.6730933),
            ("MY.SUB", 0.1546305),
            ("ffffffff-ffff-ffff-ffff-ffffffffffff", 0.0771699),
        ] {
            assert_eq!(bucket(id), expected, "{id}");
        }
    }

    #[test]
    fn a_bucket_equal_to_the_rate_is_kept() {
        let mut sampling = Sampling {
            default_rate: 0.3363797,
            ..Sampling::default()
        };
        assert!(sampling.keep("C", Some("a")));
        sampling.default_rate = 0.3363796;
        assert!(!sampling.keep("C", Some("a")));
    }

    #[test]
    fn rates_of_all_and_of_none_hold_with_and_without_an_id() {
        let mut sampling = Sampling::default();
        sampling.class_rates.insert("LESS".into(), -1.0);
        sampling.class_rates.insert("NONE".into(), 0.0);
        sampling.class_rates.insert("ALL".into(), 1.0);
        for id in [None, Some(""), Some("a")] {
            assert!(sampling.keep("ALL", id));
            assert!(!sampling.keep("NONE", id) && !sampling.keep("LESS", id));
        }
        // One in ten million is kept, as the Python package does.
        assert_eq!(bucket("5582486"), 0.0);
        assert!(sampling.keep("NONE", Some("5582486")) && !sampling.keep("LESS", Some("5582486")));
    }

    #[test]
    fn messages_without_an_id_are_kept_at_about_the_rate() {
        let sampling = Sampling {
            default_rate: 0.25,
            ..Sampling::default()
        };
        let kept = (0..20_000).filter(|_| sampling.keep("C", None)).count();
        assert!((4_500..5_500).contains(&kept), "{kept} of 20000");
    }
}
