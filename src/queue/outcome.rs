//! What an attempt to deliver a batch means for its messages.

use crate::auth;
use crate::error::{Error, is_retriable_status};
use crate::export::{Reasons, Verdict};
use crate::raw;
use crate::transport::Response;
use std::time::Duration;

/// A message that was refused, by its index if the service named it, and why.
pub type Refusal = (Option<usize>, String);

/// What is to be done with a batch that was sent.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// Delivered, but for these.
    Settled(Vec<Refusal>),
    /// Nothing is known to have arrived: send the same again, later.
    Retry {
        error: String,
        retry_after: Option<Duration>,
        /// The server had an error of its own, which one message may cause.
        suspicious: bool,
    },
    /// Something in it is refused: find out what by halves.
    Split { error: String, too_large: bool },
    /// The service lets nobody in: keep everything and ask again, now and then, or soon where that may pass.
    Pause { error: String, passing: bool },
}

impl Outcome {
    pub fn of(result: &Result<Response, Error>, messages: usize) -> Outcome {
        match result {
            Ok(response) => Outcome::of_response(response, messages),
            // The status says enough. Sent again, the batch would get the same answer, and arrive again.
            Err(Error::ResponseTooLarge {
                status,
                retry_after,
                ..
            }) => Outcome::of_response(&Response::bodiless(*status, *retry_after), messages),
            Err(error) => Outcome::of_error(error),
        }
    }

    /// What it comes to for a batch of so many messages: a message refused alone is rejected.
    pub fn of_batch(self, messages: usize) -> Outcome {
        match self {
            Outcome::Split { error, .. } if messages <= 1 => Outcome::all_refused(messages, &error),
            other => other,
        }
    }

    /// Nobody will ever accept it.
    pub fn all_refused(messages: usize, reason: &str) -> Outcome {
        Outcome::refused(messages, messages, reason)
    }

    /// Nobody will ever accept so many of its messages.
    fn refused(refused: usize, messages: usize, reason: &str) -> Outcome {
        let refusal = |index| ((refused == messages).then_some(index), reason.to_owned());
        Outcome::Settled((0..refused).map(refusal).collect())
    }

    fn of_error(error: &Error) -> Outcome {
        let text = error.to_string();
        match error {
            Error::Authentication { retriable, .. } => Outcome::Pause {
                error: text,
                passing: *retriable,
            },
            Error::Redirect { .. } => Outcome::Pause {
                error: text,
                passing: false,
            },
            // It says nothing of the server that messages go to.
            Error::Timeout { server, .. } if *server == auth::SERVER => Outcome::Pause {
                error: text,
                passing: true,
            },
            _ => Outcome::Retry {
                error: text,
                retry_after: None,
                suspicious: false,
            },
        }
    }

    fn of_response(response: &Response, messages: usize) -> Outcome {
        let status = response.status;
        let verdict = Verdict::of(response, messages);
        let error = match &verdict.reasons {
            Reasons::Text(text) => format!("status {status}: {}", raw::brief(text)),
            _ => format!("status {status}"),
        };
        match status {
            300..=399 | 401 | 403 | 404 | 405 | 407 | 410 => Outcome::Pause {
                error,
                passing: false,
            },
            413 => Outcome::Split {
                error,
                too_large: true,
            },
            status if is_retriable_status(status) => Outcome::Retry {
                error,
                retry_after: response.retry_after,
                suspicious: status == 500,
            },
            _ => match verdict.by_index(messages) {
                Some(named) => {
                    let refusal = |(index, reason)| (Some(index), reason);
                    Outcome::Settled(named.into_iter().map(refusal).collect())
                }
                None if matches!(status, 400 | 422) && messages > 1 => Outcome::Split {
                    error,
                    too_large: false,
                },
                None => Outcome::refused(verdict.failed, messages, &error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Outcome {
        Outcome::of(&Ok(Response::with(status, body)), 3)
    }

    fn refused(outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Settled(rejected) if rejected.len() == 3)
    }

    #[test]
    fn a_message_that_is_refused_alone_is_rejected() {
        for status in [400, 413, 422] {
            let split = of(status, "no");
            assert_eq!(of(status, "no").of_batch(2), split);
            let Outcome::Settled(rejected) = split.of_batch(1) else {
                panic!("{status} is not final");
            };
            assert_eq!(rejected.len(), 1);
            assert!(rejected[0].1.starts_with(&format!("status {status}: ")));
        }
    }

    #[test]
    fn every_status_has_its_consequence() {
        for status in 200..600 {
            let outcome = of(status, "");
            let expected = match status {
                300..=399 | 401 | 403 | 404 | 405 | 407 | 410 => {
                    matches!(outcome, Outcome::Pause { .. })
                }
                413 => matches!(
                    outcome,
                    Outcome::Split {
                        too_large: true,
                        ..
                    }
                ),
                400 | 422 => matches!(
                    outcome,
                    Outcome::Split {
                        too_large: false,
                        ..
                    }
                ),
                500 => matches!(
                    outcome,
                    Outcome::Retry {
                        suspicious: true,
                        ..
                    }
                ),
                408 | 425 | 429 => matches!(
                    outcome,
                    Outcome::Retry {
                        suspicious: false,
                        ..
                    }
                ),
                501 | 505 => refused(&outcome),
                501.. => matches!(
                    outcome,
                    Outcome::Retry {
                        suspicious: false,
                        ..
                    }
                ),
                400.. => refused(&outcome),
                _ => outcome == Outcome::Settled(vec![]),
            };
            assert!(expected, "{status}: {outcome:?}");
        }
    }

    #[test]
    fn messages_that_the_service_names_are_rejected_alone() {
        for status in [200, 400, 422] {
            let body = r#"{"failed":1,"failure_reasons":{"1":{"reason":"bad"}}}"#;
            let expected = vec![(Some(1), r#"{"reason":"bad"}"#.to_owned())];
            assert_eq!(of(status, body), Outcome::Settled(expected));
        }
    }

    #[test]
    fn a_long_answer_is_not_kept_for_each_message() {
        let body = format!(r#"{{"topLevelError":"{}"}}"#, "x".repeat(100_000));
        let Outcome::Settled(rejected) = of(418, &body) else {
            panic!("not settled");
        };
        assert!(rejected.iter().all(|(_, reason)| reason.len() < 2000));
    }

    #[test]
    fn a_message_that_is_named_twice_counts_for_nothing() {
        let body = r#"{"failed":2,"failure_reasons":{"1":"a","1":"b"}}"#;
        assert!(matches!(of(400, body), Outcome::Split { .. }));
    }

    #[test]
    fn a_count_without_names_is_found_out_by_halves() {
        let body = r#"{"failed":1,"failure_reasons":{}}"#;
        assert!(matches!(
            of(400, body),
            Outcome::Split {
                too_large: false,
                ..
            }
        ));
        assert!(matches!(
            of(400, r#"{"topLevelError":"x"}"#),
            Outcome::Split { .. }
        ));
    }

    #[test]
    fn a_count_of_messages_that_nobody_names_is_all_that_is_rejected() {
        for (status, body) in [
            (200, r#"{"failed":1}"#),
            (200, r#"{"failed":1,"failure_reasons":"x"}"#),
            (418, r#"{"failed":1,"failure_reasons":{}}"#),
        ] {
            let Outcome::Settled(rejected) = of(status, body) else {
                panic!("{status} is not final");
            };
            assert_eq!((rejected.len(), rejected[0].0), (1, None), "{body}");
        }
    }

    #[test]
    fn failures_on_the_way_are_retried_and_locked_doors_waited_for() {
        let connection = Error::Connection {
            server: "s",
            cause: "c".into(),
        };
        assert!(matches!(
            Outcome::of(&Err(connection), 1),
            Outcome::Retry { .. }
        ));
        for retriable in [false, true] {
            let login = Error::Authentication {
                message: "m".into(),
                retriable,
            };
            assert!(matches!(
                Outcome::of(&Err(login), 1),
                Outcome::Pause { passing, .. } if passing == retriable
            ));
        }
        let login = Error::Timeout {
            server: auth::SERVER,
            cause: "c".into(),
        };
        assert!(matches!(
            Outcome::of(&Err(login), 1),
            Outcome::Pause { passing: true, .. }
        ));
        let export = Error::Timeout {
            server: "rest-api",
            cause: "c".into(),
        };
        assert!(matches!(
            Outcome::of(&Err(export), 1),
            Outcome::Retry { .. }
        ));
        let redirect = Error::Redirect {
            server: "s",
            status: 302,
        };
        assert!(matches!(
            Outcome::of(&Err(redirect), 1),
            Outcome::Pause { .. }
        ));
    }
}
