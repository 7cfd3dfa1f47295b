//! The export endpoint.

mod message;
mod timestamp;

use hyper::StatusCode;
use serde_json::{json, value::RawValue};

pub(crate) use message::{Action, Message, check_class};

use crate::{
    answer::Answer,
    json::{self, Kind, RawObject},
    request::Request,
    store::Store,
};

/// Those that need a token and those that do not.
pub(crate) const PATHS: [&str; 4] = ["/export", "/sendEvent", "/monaExport", "/monaSendEvent"];
pub(crate) const OPEN_PATHS: [&str; 2] = ["/monaExport", "/monaSendEvent"];

/// Why a whole request is refused.
struct Refusal {
    status: StatusCode,
    reason: String,
}

impl Refusal {
    fn bad(reason: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            reason: reason.into(),
        }
    }
}

/// The messages of one user, ready to be read one by one.
struct Batch<'a> {
    user_id: String,
    default_action: Action,
    messages: Vec<&'a RawValue>,
}

/// Takes what is valid of a request into the store. `tenant` is whose token came with it.
pub(crate) fn answer(request: &Request, tenant: Option<&str>, store: &mut Store) -> Answer {
    match ingest(request, tenant, store) {
        Ok(answer) => answer,
        Err(refusal) => Answer::json(refusal.status, &json!({"topLevelError": refusal.reason})),
    }
}

fn ingest(request: &Request, tenant: Option<&str>, store: &mut Store) -> Result<Answer, Refusal> {
    let text = std::str::from_utf8(&request.body)
        .map_err(|error| Refusal::bad(format!("the body is not UTF-8: {error}")))?;
    let body: &RawValue = serde_json::from_str(text)
        .map_err(|error| Refusal::bad(format!("the body is not JSON: {error}")))?;
    let several = OPEN_PATHS.contains(&request.route()) && json::kind(body) == Kind::Array;
    let bodies = if several {
        json::array(body).unwrap_or_default()
    } else {
        vec![body]
    };
    let objects = bodies.iter().map(|body| {
        json::object(body).ok_or_else(|| Refusal::bad("the body must be a JSON object"))
    });
    let objects = objects.collect::<Result<Vec<RawObject>, Refusal>>()?;
    // All of them are looked at before any is taken in: a refused request changes nothing.
    let batches = objects
        .iter()
        .map(|object| batch(object, tenant))
        .collect::<Result<Vec<Batch>, Refusal>>()?;

    let mut failures = RawObject::default();
    let (mut total, mut failed) = (0_usize, 0_usize);
    for batch in &batches {
        for raw in &batch.messages {
            match Message::read(raw, batch.default_action) {
                Ok(message) => store.ingest(&batch.user_id, message, raw.get()),
                Err(failure) => {
                    let shown = json!({"contextId": failure.context_id, "reason": failure.reason});
                    failures.push(total.to_string(), json::raw(&shown));
                    failed += 1;
                }
            }
            total += 1;
        }
    }
    let status = if failed == 0 {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    let body = RawObject::default()
        .with("total", &total)
        .with("failed", &failed)
        .with("failure_reasons", &failures);
    Ok(Answer::json(status, &body))
}

fn batch<'a>(object: &'a RawObject, tenant: Option<&str>) -> Result<Batch<'a>, Refusal> {
    let user_id = object
        .get("userId")
        .and_then(json::text)
        .filter(|user_id| !user_id.is_empty())
        .ok_or_else(|| Refusal::bad("userId must be a non-empty string"))?;
    if tenant.is_some_and(|tenant| tenant != user_id) {
        let reason = format!("the access token is not for userId {user_id:?}");
        return Err(Refusal {
            status: StatusCode::FORBIDDEN,
            reason,
        });
    }
    let messages = object
        .get("messages")
        .and_then(json::array)
        .ok_or_else(|| Refusal::bad("messages must be an array"))?;
    let default_action =
        object
            .present("defaultAction")
            .map_or(Ok(Action::Overwrite), |action| {
                Action::read(action)
                    .map_err(|reason| Refusal::bad(format!("defaultAction {reason}")))
            })?;
    if object
        .present("sampleConfigName")
        .is_some_and(|name| json::kind(name) != Kind::String)
    {
        return Err(Refusal::bad("sampleConfigName must be a string"));
    }
    Ok(Batch {
        user_id,
        default_action,
        messages,
    })
}
