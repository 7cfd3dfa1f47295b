//! What a call returns: a status and one JSON document.
#![forbid(unsafe_code)]

use crate::auth;
use crate::config::Config;
use crate::error::Error;
use crate::status::{Family, Status};
use serde::Serialize;

pub struct Answer {
    pub status: Status,
    pub document: String,
}

/// The members that tell of a failure; none but `error_message` (null) stands in a success.
#[derive(Serialize)]
pub struct Failure<'a> {
    pub error_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retriable: Option<bool>,
}

impl<'a> Failure<'a> {
    pub fn none() -> Self {
        Failure {
            error_message: None,
            error_kind: None,
            retriable: None,
        }
    }

    /// Of an error and its text, or of none.
    pub fn of(error: Option<&Error>, message: Option<&'a str>) -> Self {
        match (error, message) {
            (Some(error), Some(message)) => Failure::new(error, message),
            _ => Failure::none(),
        }
    }

    pub fn new(error: &Error, message: &'a str) -> Self {
        Failure {
            error_message: Some(message),
            error_kind: Some(error.kind()),
            retriable: Some(error.retriable()),
        }
    }
}

#[derive(Serialize)]
struct Plain<'a> {
    success: bool,
    #[serde(flatten)]
    failure: Failure<'a>,
}

impl Answer {
    pub fn new(status: Status, document: &impl Serialize) -> Answer {
        match serde_json::to_string(document) {
            Ok(document) => Answer { status, document },
            Err(error) => Answer::internal(&error.to_string()),
        }
    }

    /// Success that nobody wants to read about: no document is made.
    pub fn unread() -> Answer {
        Answer {
            status: Status::Ok,
            document: String::new(),
        }
    }

    /// Success with nothing more to say.
    pub fn success() -> Answer {
        let document = Plain {
            success: true,
            failure: Failure::none(),
        };
        Answer::new(Status::Ok, &document)
    }

    /// A failure with nothing more to say than the error.
    pub fn failure(status: Status, error: &Error) -> Answer {
        let message = error.to_string();
        let document = Plain {
            success: false,
            failure: Failure::new(error, &message),
        };
        Answer::new(status, &document)
    }

    /// Of a call that ended in a panic.
    pub fn panicked() -> Answer {
        let error = Error::Internal("a panic was contained".to_owned());
        Answer::failure(Status::Internal, &error)
    }

    fn internal(problem: &str) -> Answer {
        let problem = serde_json::Value::from(format!("Internal error: {problem}"));
        Answer {
            status: Status::Internal,
            document: format!(
                "{{\"success\":false,\"error_message\":{problem},\"error_kind\":\"internal\",\"retriable\":false}}"
            ),
        }
    }
}

/// The status of a failed call, as the client's raise settings want it.
pub fn status_of(error: &Error, family: Family, config: &Config) -> Status {
    let family = match error {
        Error::InvalidArgument { .. } => return Status::InvalidArgument,
        Error::Initialization(_) => return Status::Initialization,
        Error::Closed => return Status::Closed,
        Error::QueueFull
        | Error::LargerThanQueue
        | Error::Storage(_)
        | Error::Exhausted(_)
        | Error::TooManyCalls => return Status::QueueFull,
        Error::NoEvent => return Status::Timeout,
        Error::Internal(_) => return Status::Internal,
        Error::Authentication { .. } => Family::Authentication,
        Error::Timeout { server, .. } if *server == auth::SERVER => Family::Authentication,
        _ => family,
    };
    failed(family, config)
}

/// The status of a failure of this family.
pub fn failed(family: Family, config: &Config) -> Status {
    let raise = match family {
        Family::Authentication => config.raise_authentication_exceptions,
        Family::Export => config.raise_export_exceptions,
        Family::Service => config.raise_service_exceptions,
    };
    if raise {
        Status::of(family)
    } else {
        Status::Failed
    }
}
