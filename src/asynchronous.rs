//! Asynchronous calls: what is to run becomes a call, and its answer an event.
#![forbid(unsafe_code)]

use crate::answer::Answer;
use crate::config::Config;
use crate::error::Error;
use crate::events::{Call, Event, Limits, Polled, Refusal, Turn};
use crate::status::Status;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What an event tells of.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Export,
    Service,
    Delivery,
    Log,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Export => "export",
            Kind::Service => "service",
            Kind::Delivery => "delivery",
            Kind::Log => "log",
        }
    }
}

pub fn limits(config: &Config) -> Limits {
    Limits {
        workers: config.async_workers as usize,
        calls: config.async_max_calls as usize,
        bytes: config.async_max_bytes as usize,
        notices: config.events_max_bytes as usize,
    }
}

/// A call with a payload of so many bytes. A panic ends it as any other failure does.
pub fn call(
    kind: Kind,
    tag: u64,
    bytes: usize,
    run: impl FnOnce() -> Answer + Send + 'static,
) -> Call {
    let run = move |turn| {
        let answer = match turn {
            Turn::Run => catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Answer::panicked()),
            Turn::Closed => Answer::failure(Status::Closed, &Error::Closed),
        };
        event(kind, tag, &answer)
    };
    Call {
        tag,
        bytes,
        run: Box::new(run),
    }
}

/// The document of a synchronous call, with what it is about in front.
pub fn event(kind: Kind, tag: u64, answer: &Answer) -> String {
    let members = answer.document.strip_prefix('{').unwrap_or("}");
    let (kind, status) = (kind.name(), answer.status as i32);
    format!("{{\"type\":\"{kind}\",\"tag\":\"{tag}\",\"status\":{status},{members}")
}

/// What starting a call gives.
pub fn started(result: Result<(), Refusal>) -> Answer {
    match result {
        Ok(()) => Answer::success(),
        Err(Refusal::Full) => Answer::failure(Status::QueueFull, &Error::TooManyCalls),
        Err(Refusal::Closed) => Answer::failure(Status::Closed, &Error::Closed),
        Err(Refusal::NoThread(error)) => {
            Answer::failure(Status::QueueFull, &Error::no_thread(error))
        }
    }
}

/// What a poll gives: a tag and an event's document, or why there is none.
pub fn polled(polled: Polled) -> (u64, Answer) {
    match polled {
        Polled::Event(Event { tag, document }) => {
            let answer = Answer {
                status: Status::Ok,
                document,
            };
            (tag, answer)
        }
        Polled::Nothing => (0, Answer::failure(Status::Timeout, &Error::NoEvent)),
        Polled::Closed => (0, Answer::failure(Status::Closed, &Error::Closed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_the_document_and_what_it_is_about() {
        let told = call(Kind::Export, u64::MAX, 0, Answer::success);
        assert_eq!(
            (told.run)(Turn::Run),
            r#"{"type":"export","tag":"18446744073709551615","status":0,"success":true,"error_message":null}"#
        );
    }

    #[test]
    fn a_call_that_does_not_run_says_that_the_client_is_closed() {
        let told = call(Kind::Service, 7, 0, || unreachable!());
        assert_eq!(
            (told.run)(Turn::Closed),
            r#"{"type":"service","tag":"7","status":-7,"success":false,"error_message":"The client is closed","error_kind":"closed","retriable":false}"#
        );
    }
}
