use serde_json::json;

use super::{Call, Outcome, arguments::BadArgument, computed};
use crate::{export::check_class, json};

const OPENAI_TYPES: [&str; 2] = ["Completion", "ChatCompletion"];

/// Makes a class for the logs of OpenAI calls; a class that is there already is left alone.
pub(super) fn openai_class(call: &mut Call<'_>) -> Outcome {
    let class = call.arguments.context_class()?;
    check_class(&class).map_err(|reason| BadArgument(format!("context_class {reason}")))?;
    let api = call.arguments.text("openai_api_type")?;
    if !OPENAI_TYPES.contains(&api.as_str()) {
        return Err(BadArgument::new(
            "openai_api_type",
            &format!("one of {}", OPENAI_TYPES.join(", ")),
        ));
    }
    let template = json!({
        "fields": {
            "model": {"type": "string", "function": "identity"},
            "prompt_tokens": {"type": "numeric", "function": "identity"},
            "completion_tokens": {"type": "numeric", "function": "identity"},
            "total_tokens": {"type": "numeric", "function": "identity"},
        },
        "stanzas": {},
    });
    call.workspace
        .configs
        .add_class(call.tenant, &class, &json::raw(&template));
    computed(&json!({"context_class": class, "openai_api_type": api}))
}

/// Takes note of a file to come; nothing reads it.
pub(super) fn csv_upload(call: &mut Call<'_>) -> Outcome {
    let arguments = &call.arguments;
    let file_path = arguments.text("file_path")?;
    let class = arguments.context_class()?;
    check_class(&class).map_err(|reason| BadArgument(format!("context_class {reason}")))?;
    arguments.optional_text("context_id_field")?;
    arguments.optional_text("export_timestamp_field")?;
    call.workspace.uploads += 1;
    let upload_id = format!("csv-{}", call.workspace.uploads);
    computed(&json!({"upload_id": upload_id, "file_path": file_path, "context_class": class}))
}
