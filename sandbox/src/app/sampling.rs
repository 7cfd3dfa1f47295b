use serde_json::value::RawValue;

use super::{Call, Outcome, arguments::BadArgument};
use crate::json::{self, RawObject};

/// Sampling factors under one name. The factors stay as they were written.
#[derive(Debug)]
struct SamplingConfig {
    name: String,
    factors: RawObject,
    default_factor: Option<Box<RawValue>>,
}

#[derive(Debug, Default)]
pub(super) struct SamplingBook {
    configs: Vec<SamplingConfig>,
}

impl SamplingBook {
    pub(super) fn shown(&self, name: Option<&str>) -> Vec<RawObject> {
        let found = self
            .configs
            .iter()
            .filter(|config| name.is_none_or(|name| config.name == name));
        found.map(SamplingConfig::shown).collect()
    }

    fn set(&mut self, name: &str, class: Option<&str>, factor: &RawValue) {
        if !self.configs.iter().any(|config| config.name == name) {
            let name = name.to_owned();
            self.configs.push(SamplingConfig {
                name,
                factors: RawObject::default(),
                default_factor: None,
            });
        }
        let Some(config) = self.configs.iter_mut().find(|config| config.name == name) else {
            return;
        };
        match class {
            Some(class) => config.factors.set(class, factor.to_owned()),
            None => config.default_factor = Some(factor.to_owned()),
        }
    }
}

impl SamplingConfig {
    fn shown(&self) -> RawObject {
        let object = RawObject::default()
            .with("config_name", &self.name)
            .with("factors_map", &self.factors);
        match &self.default_factor {
            Some(factor) => object.with("default_factor", factor),
            None => object,
        }
    }
}

pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    let name = call.arguments.optional_text("config_name")?;
    Ok(json::raw(&call.workspace.sampling.shown(name.as_deref())))
}

pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    let arguments = &call.arguments;
    let name = arguments.text("config_name")?;
    let factor = arguments.value("sampling_factor")?;
    let number: Option<f64> = serde_json::from_str(factor.get()).ok();
    if !number.is_some_and(|number| (0.0..=1.0).contains(&number)) {
        return Err(BadArgument::new("sampling_factor", "a number from 0 to 1"));
    }
    let class = arguments.optional_text("context_class")?;
    call.workspace.sampling.set(&name, class.as_deref(), factor);
    Ok(json::raw(&true))
}
