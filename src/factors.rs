//! Sampling factors that the service keeps: fetched at start, and again when they have become old.
#![forbid(unsafe_code)]

use crate::config::Config;
use crate::error::Error;
use crate::log::Level;
use crate::message::Sampling;
use crate::services::{Caller, Outcome, find};
use crate::sync::{Deadline, lock};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// An export waits this long for new factors at most.
const PATIENCE_MS: u64 = 5_000;

/// The sampling that a client applies.
pub struct Factors {
    state: Mutex<State>,
    max_age: Duration,
}

struct State {
    sampling: Arc<Sampling>,
    /// When the next fetch is due; `None` where nothing is to be fetched.
    due: Option<Instant>,
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
        Factors {
            state: Mutex::new(State {
                sampling: Arc::new(sampling),
                due: config.sampling_config_name.is_some().then(Instant::now),
            }),
            max_age: Duration::from_secs_f64(config.sampling_factors_max_age_seconds),
        }
    }

    /// The sampling to apply now. Fetches it first where that is due; a failure leaves what there was, and
    /// the next try waits as long as after a success.
    pub fn current(&self, caller: &Caller, deadline: Deadline) -> Arc<Sampling> {
        {
            let mut state = lock(&self.state);
            match state.due {
                Some(due) if due <= Instant::now() => {
                    state.due = Some(Instant::now() + self.max_age)
                }
                _ => return state.sampling.clone(),
            }
        }
        if let Err(error) = self.fetch(caller, deadline) {
            caller.logger.log(
                Level::Warning,
                format_args!("Sampling factors stay as they were: {error}"),
            );
        }
        lock(&self.state).sampling.clone()
    }

    /// The sampling as last known, without asking the service.
    pub fn known(&self) -> Arc<Sampling> {
        lock(&self.state).sampling.clone()
    }

    /// Fetches the factors; an error if the service does not know the configured name.
    pub fn fetch(&self, caller: &Caller, deadline: Deadline) -> Result<(), Error> {
        let Some(name) = &caller.config.sampling_config_name else {
            return Ok(());
        };
        let arguments = serde_json::json!({"config_name": name}).to_string();
        let patience = deadline.sooner(PATIENCE_MS);
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
        let mut state = lock(&self.state);
        state.sampling = Arc::new(sampling);
        state.due = Some(Instant::now() + self.max_age);
        Ok(())
    }
}
