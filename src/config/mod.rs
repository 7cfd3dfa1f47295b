//! Configuration: one JSON object, the environment behind it, one table of keys.
#![forbid(unsafe_code)]

mod document;
mod erased;
mod keys;
mod nearest;
mod setting;

pub use document::markdown;
pub use erased::Erased;
pub use keys::{Config, QueueConfig};
pub(crate) use nearest::did_you_mean;
pub(crate) use setting::is_whole;
pub use setting::{DeliveryEvents, LogEvents, Overflow, Rates, Secret, SpoolSync};

use crate::environment;
use crate::error::Error;
use crate::raw::fault;
use crate::transport::Proxies;
use keys::NAMES;
use serde_json::{Map, Value};

const ARGUMENT: &str = "config_json";

impl Config {
    /// Reads the configuration object; what it leaves out comes from the process's environment.
    pub fn from_json(text: Option<&str>) -> Result<Config, Error> {
        Config::read(text, &environment::variable)
    }

    /// As [`Config::from_json`], with an environment of the caller's.
    pub fn read(
        text: Option<&str>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, Error> {
        let document = match text {
            Some(text) => parse(text)?,
            None => Erased(Map::new().into()),
        };
        let Value::Object(object) = &*document else {
            return Err(Error::argument(ARGUMENT, "$ must be an object"));
        };
        for name in object.keys() {
            if !NAMES.contains(&name.as_str()) {
                let hint = did_you_mean(name, NAMES.iter().copied());
                return Err(Error::Initialization(format!(
                    "config_json: unknown key {name:?}{hint}"
                )));
            }
        }
        let mut config = Config::resolve(object, environment)?;
        // Now, because a forked child finds another environment.
        config.proxies = Proxies::new(config.proxy.as_ref(), environment)?;
        // Now, because the host may change its folder, and a forked child opens both again.
        let here = std::env::current_dir().unwrap_or_default();
        for path in [&mut config.ca_file, &mut config.queue.spool_dir] {
            if let Some(path) = path
                && let Some(absolute) = here.join(&path).to_str()
            {
                *path = absolute.to_owned();
            }
        }
        config.check()?;
        Ok(config)
    }

    /// What no single key can tell.
    fn check(&self) -> Result<(), Error> {
        let rates = self.context_class_to_sampling_rate.as_ref();
        if rates.is_some_and(|rates| !rates.is_empty()) && self.sampling_config_name.is_some() {
            return Err(Error::Initialization(
                "config_json: only one of sampling_config_name and context_class_to_sampling_rate can be given".into(),
            ));
        }
        if self.queue.spool_dir.is_some() && self.queue.overflow == Overflow::DropOldest {
            return Err(Error::Initialization(
                "config_json: queue.overflow drop_oldest cannot be had with queue.spool_dir, which loses no message: use reject or block".into(),
            ));
        }
        Ok(())
    }
}

fn parse(text: &str) -> Result<Erased, Error> {
    let value = serde_json::from_str(text).map(Erased);
    // The parser's text never shows a value.
    value.map_err(|error| Error::argument(ARGUMENT, fault(text, &error)))
}

#[cfg(test)]
mod tests;
