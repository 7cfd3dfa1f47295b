//! Sampling factors that the service keeps: fetched at start, and again when they have become old.
#![forbid(unsafe_code)]

use crate::config::Config;
use crate::error::Error;
use crate::log::Level;
use crate::message::Sampling;
use crate::services::{Caller, Outcome, find};
use crate::sync::{Deadline, lock};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A call waits this long for new factors at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long after a failure they are fetched again, if that is sooner than when they would have become old.
const AGAIN: Duration = Duration::from_secs(10);

/// The sampling that a client applies.
pub struct Factors {
    configured: Arc<Sampling>,
    /// Where the service keeps the factors.
    kept: Option<Mutex<Kept>>,
    max_age: Duration,
}

/// Factors as the service gave them last.
struct Kept {
    sampling: Arc<Sampling>,
    /// When the next fetch is due.
    due: Instant,
}

/// One sampling configuration of the service's.
#[derive(Deserialize)]
struct Entry {
    config_name: String,
    factors_map: Option<BTreeMap<String, f64>>,
    default_factor: Option<f64>,
}

impl Factors {
    pub fn new(config: &Config) -> Self {
        let sampling = Sampling {
            default_rate: config.default_sampling_rate,
            class_rates: config
                .context_class_to_sampling_rate
                .clone()
                .unwrap_or_default(),
        };
        let configured = Arc::new(sampling);
        let kept = Kept {
            sampling: configured.clone(),
            due: Instant::now(),
        };
        let fetched = config.sampling_config_name.is_some();
        Factors {
            configured,
            kept: fetched.then(|| Mutex::new(kept)),
            // Decades are for ever, and what is older than nothing is due at once.
            max_age: Duration::from_secs_f64(
                config.sampling_factors_max_age_seconds.clamp(0.0, 1e9),
            ),
        }
    }

    /// For a forked child: as its parent knew them, if nobody was changing them just then.
    pub fn inherited(&self, config: &Config) -> Self {
        let own = Factors::new(config);
        let parents = self.kept.as_ref().and_then(|kept| kept.try_lock().ok());
        if let (Some(own), Some(parents)) = (&own.kept, parents) {
            *lock(own) = Kept {
                sampling: parents.sampling.clone(),
                due: parents.due,
            };
        }
        own
    }

    /// The sampling to apply now. Fetches it first where that is due; a failure leaves what there was.
    pub fn current(&self, caller: &Caller, deadline: Deadline) -> Cow<'_, Arc<Sampling>> {
        self.renew(caller, deadline);
        self.known()
    }

    /// Fetches the factors where that is due.
    pub fn renew(&self, caller: &Caller, deadline: Deadline) {
        if !self.begin_fetch() {
            return;
        }
        if let Err(error) = self.fetch(caller, deadline) {
            caller.logger.log(
                Level::Warning,
                format_args!("Sampling factors stay as they were: {error}"),
            );
        }
    }

    /// Whether they are too old.
    pub fn due(&self) -> bool {
        let kept = self.kept.as_ref();
        kept.is_some_and(|kept| lock(kept).due <= Instant::now())
    }

    /// Whether a fetch is due; if so it is the caller's to make, and nobody else's for a while.
    fn begin_fetch(&self) -> bool {
        let Some(kept) = &self.kept else {
            return false;
        };
        let mut kept = lock(kept);
        let due = kept.due <= Instant::now();
        if due {
            kept.due = Instant::now() + self.max_age.min(AGAIN);
        }
        due
    }

    /// The sampling as last known, without asking the service.
    pub fn known(&self) -> Cow<'_, Arc<Sampling>> {
        match &self.kept {
            Some(kept) => Cow::Owned(lock(kept).sampling.clone()),
            None => Cow::Borrowed(&self.configured),
        }
    }

    /// Fetches the factors; an error if the service does not know the configured name.
    pub fn fetch(&self, caller: &Caller, deadline: Deadline) -> Result<(), Error> {
        let (Some(name), Some(kept)) = (&caller.config.sampling_config_name, &self.kept) else {
            return Ok(());
        };
        let arguments = serde_json::json!({"config_name": name}).to_string();
        let patience = deadline.half(PATIENCE);
        let data = match caller.run(find("get_sampling_factors")?, &arguments, patience)? {
            Outcome::Data(data) => data,
            Outcome::Issues { error, .. } => return Err(error),
        };
        let entries: Vec<Entry> = serde_json::from_str(data.get())
            .map_err(|error| Error::UnexpectedResponse(format!("Sampling factors: {error}")))?;
        let entry = entries.into_iter().find(|entry| entry.config_name == *name);
        let Some(entry) = entry else {
            return Err(Error::Initialization(format!(
                "sampling_config_name: the service has no sampling configuration {name:?}"
            )));
        };
        let sampling = Sampling {
            default_rate: entry
                .default_factor
                .unwrap_or(caller.config.default_sampling_rate),
            class_rates: entry.factors_map.unwrap_or_default(),
        };
        *lock(kept) = Kept {
            sampling: Arc::new(sampling),
            due: Instant::now() + self.max_age,
        };
        Ok(())
    }
}
