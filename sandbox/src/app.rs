//! The app server: the services beside the export.

mod aggregate;
mod arguments;
mod cell;
mod config;
mod grammar;
mod ingested;
mod insights;
mod metric;
mod onboarding;
mod sampling;
mod segment;
mod stats;
mod suggest;
mod validate;

use hyper::StatusCode;
use serde_json::{json, value::RawValue};

use self::arguments::{Arguments, BadArgument};
use self::config::ConfigBook;
use self::sampling::SamplingBook;
use crate::{
    answer::Answer,
    json::{self, RawObject},
    request::Request,
    store::Store,
};

/// The newer name of `/stats`, which not every server knows.
pub(crate) const SEGMENTS_PATH: &str = "/get_segments_for_dimensions";

/// What the services keep.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    configs: ConfigBook,
    sampling: SamplingBook,
    uploads: u64,
}

impl Workspace {
    pub(crate) fn shown_configs(&self) -> RawObject {
        self.configs.shown()
    }

    pub(crate) fn shown_sampling(&self) -> Vec<RawObject> {
        self.sampling.shown(None)
    }
}

/// One call of a service.
struct Call<'a> {
    tenant: &'a str,
    arguments: Arguments,
    store: &'a Store,
    workspace: &'a mut Workspace,
}

/// What goes into `response_data`, or why the call is refused.
type Outcome = Result<Box<RawValue>, BadArgument>;
type Service = fn(&mut Call<'_>) -> Outcome;

const SERVICES: [(&str, Service); 16] = [
    ("/upload_config", config::upload),
    ("/upload_config_for_context_class", config::upload_for_class),
    ("/configs", config::current),
    ("/get_new_config_fields", suggest::from_data),
    ("/suggest_new_config", suggest::from_events),
    ("/validate_config", validate::whole),
    ("/validate_config_per_context_class", validate::of_class),
    ("/insights", insights::find),
    ("/get_ingested_data", ingested::records),
    ("/get_segment", aggregate::segments),
    ("/stats", stats::by_dimension),
    (SEGMENTS_PATH, stats::by_dimension),
    ("/create_openai_context_class", onboarding::openai_class),
    ("/get_sampling_factors", sampling::list),
    ("/create_sampling_factor", sampling::create),
    (HISTORY_PATH, config::history),
];
const HISTORY_PATH: &str = "/get_config_history";
const CSV_PATH: &str = "/initiate_csv_upload_request";

pub(crate) fn is_path(path: &str) -> bool {
    path == CSV_PATH || SERVICES.iter().any(|(name, _)| *name == path)
}

pub(crate) fn answer(
    request: &Request,
    tenant: &str,
    store: &Store,
    workspace: &mut Workspace,
) -> Answer {
    let path = request.route();
    let outcome = Arguments::read(&request.body).and_then(|arguments| {
        let mut call = Call {
            tenant,
            arguments,
            store,
            workspace,
        };
        if path == CSV_PATH {
            return onboarding::csv_upload(&mut call);
        }
        match SERVICES.iter().find(|(name, _)| *name == path) {
            Some((_, service)) => service(&mut call),
            None => Err(BadArgument(format!("there is no service {path}"))),
        }
    });
    // Two services answer without the envelope.
    let bare = matches!(path, HISTORY_PATH | CSV_PATH);
    match outcome {
        Ok(body) if bare => Answer::json(StatusCode::OK, &body),
        Ok(data) => Answer::json(
            StatusCode::OK,
            &RawObject::default().with("response_data", &data),
        ),
        Err(BadArgument(reason)) if path == CSV_PATH => Answer::json(
            StatusCode::BAD_REQUEST,
            &json!({"error_message": reason, "issues": []}),
        ),
        Err(BadArgument(reason)) => {
            Answer::json(StatusCode::BAD_REQUEST, &json!({ "response_data": reason }))
        }
    }
}

/// A payload made of computed values only.
fn computed(value: &serde_json::Value) -> Outcome {
    Ok(json::raw(value))
}
