//! From a service's answer to the caller's data.

use super::table::{Response as Shape, Service};
use crate::error::Error;
use crate::raw::{Members, is_falsy, words};
use crate::transport::Response;
use serde_json::value::RawValue;

/// What a service answered.
#[derive(Debug)]
pub enum Outcome {
    Data(Box<RawValue>),
    /// The service found fault with what it was given.
    Issues {
        error: Error,
        issues: Box<RawValue>,
    },
}

/// Members of a refusal that hold the reason, the likeliest first.
const REASONS: [&str; 6] = [
    "response_data",
    "error_message",
    "topLevelError",
    "errors",
    "error",
    "message",
];

pub fn read(service: &Service, response: &Response, user_id: &str) -> Result<Outcome, Error> {
    let text = response.text();
    let answer: Option<Members> = serde_json::from_str(&text).ok();
    if !response.ok() {
        return refusal(response.status, &answer.unwrap_or_default());
    }
    let Some(answer) = answer else {
        return Err(unexpected(service, "is not a JSON object"));
    };
    let fault = answer.get("error_message");
    if let Some(message) = fault.filter(|message| !is_falsy(message)) {
        return Err(Error::Refused {
            status: response.status,
            text: words(message),
        });
    }
    if service.response == Shape::Validation
        && let Some(issues) = issues(&answer)
    {
        return Ok(found_fault(response.status, &answer, issues));
    }
    data(service, answer, user_id).map(Outcome::Data)
}

/// A refusal, in the service's own words where it has any.
fn refusal(status: u16, answer: &Members) -> Result<Outcome, Error> {
    if let Some(issues) = issues(answer) {
        return Ok(found_fault(status, answer, issues));
    }
    let said = REASONS
        .iter()
        .find_map(|name| answer.get_some(name))
        .map(words);
    let text = said.filter(|text| !text.is_empty()).unwrap_or_else(|| {
        format!("Could not get server response for the wanted service (status {status})")
    });
    Err(Error::Refused { status, text })
}

/// The `issues` of an answer or of its `response_data`.
fn issues(answer: &Members) -> Option<Box<RawValue>> {
    if let Some(issues) = answer.get("issues").filter(|issues| !is_falsy(issues)) {
        return Some(issues.to_owned());
    }
    let data: Members = serde_json::from_str(answer.get("response_data")?.get()).ok()?;
    data.get("issues").map(ToOwned::to_owned)
}

fn found_fault(status: u16, answer: &Members, issues: Box<RawValue>) -> Outcome {
    let said = answer.get_some("error_message").map(words);
    let said = said.unwrap_or_else(|| "The service found issues".to_owned());
    let text = format!("{said}: {}", issues.get());
    Outcome::Issues {
        error: Error::Refused { status, text },
        issues,
    }
}

fn data(service: &Service, answer: Members, user_id: &str) -> Result<Box<RawValue>, Error> {
    match service.response {
        Shape::History => return history(service, &answer),
        Shape::Done => return Ok(RawValue::TRUE.to_owned()),
        Shape::DataOrAll if answer.get("response_data").is_none() => return object(answer.0),
        _ => {}
    }
    let data = answer.get("response_data");
    let data = match data {
        // What was found fault with would have been named.
        None if service.response == Shape::Validation => RawValue::NULL,
        None => return Err(unexpected(service, "has no response_data")),
        Some(data) => data,
    };
    match service.response {
        Shape::Member(name) => member(service, data, name),
        Shape::Named(name) => object(vec![(name.to_owned(), data.to_owned())]),
        Shape::UserConfig => {
            let config = member(service, data, "raw_configuration_data")?;
            object(vec![(user_id.to_owned(), config)])
        }
        _ => Ok(data.to_owned()),
    }
}

fn history(service: &Service, answer: &Members) -> Result<Box<RawValue>, Error> {
    let message = answer.get_some("msg");
    let message = message.ok_or_else(|| unexpected(service, "has no msg: there is no history"))?;
    let configs = answer.get("configs").unwrap_or(RawValue::NULL);
    object(vec![
        ("msg".to_owned(), message.to_owned()),
        ("configs".to_owned(), configs.to_owned()),
    ])
}

fn member(service: &Service, data: &RawValue, name: &str) -> Result<Box<RawValue>, Error> {
    let members: Option<Members> = serde_json::from_str(data.get()).ok();
    let found = members.as_ref().and_then(|members| members.get(name));
    let missing = || unexpected(service, &format!("has no {name} in its response_data"));
    found.map(ToOwned::to_owned).ok_or_else(missing)
}

fn object(members: Vec<(String, Box<RawValue>)>) -> Result<Box<RawValue>, Error> {
    serde_json::value::to_raw_value(&Members(members))
        .map_err(|error| Error::Internal(error.to_string()))
}

fn unexpected(service: &Service, problem: &str) -> Error {
    Error::UnexpectedResponse(format!("The answer to {} {problem}", service.name))
}
