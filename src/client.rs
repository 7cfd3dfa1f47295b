//! A client: wires the parts together and owns no logic of its own.
#![forbid(unsafe_code)]

use crate::account::Account;
use crate::answer::{Answer, Failure, status_of};
use crate::config::Config;
use crate::error::Error;
use crate::export::Exporter;
use crate::factors::Factors;
use crate::gate::Gate;
use crate::log::{Level, Logger};
use crate::queue::{Enqueuer, Queue};
use crate::services::{Caller, OlderPaths};
use crate::status::{Family, Status};
use crate::sync::Deadline;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

pub struct Client {
    config: Arc<Config>,
    account: Arc<Account>,
    logger: Logger,
    factors: Factors,
    older_paths: OlderPaths,
    queue: Arc<Queue>,
    gate: Gate,
}

#[derive(Serialize)]
struct Flushing<'a> {
    success: bool,
    pending: u64,
    #[serde(flatten)]
    failure: Failure<'a>,
}

#[derive(Serialize)]
struct Closing<'a> {
    success: bool,
    undelivered: u64,
    #[serde(flatten)]
    failure: Failure<'a>,
}

impl Client {
    /// Makes a client; the answer tells of a failed login even where a client was made.
    pub fn new(config_json: Option<&str>) -> (Option<Client>, Answer) {
        let config = match Config::from_json(config_json) {
            Ok(config) => Arc::new(config),
            Err(error) => return (None, Answer::failure(Status::Initialization, &error)),
        };
        let logger = Logger::new(&config);
        let account = match Account::new(config.clone(), logger.clone()) {
            Ok(account) => account,
            Err(error) => return (None, Answer::failure(Status::Initialization, &error)),
        };
        let client = Client {
            account: Arc::new(account),
            queue: Queue::new(config.queue.clone()),
            factors: Factors::new(&config),
            older_paths: OlderPaths::default(),
            gate: Gate::default(),
            logger,
            config,
        };
        match client.start() {
            Ok(()) => (Some(client), Answer::success()),
            Err(error) => {
                let status = status_of(&error, Family::Authentication, &client.config);
                let stillborn = (status as i32) < 0;
                let status = if stillborn { status } else { Status::Ok };
                (
                    (!stillborn).then_some(client),
                    Answer::failure(status, &error),
                )
            }
        }
    }

    fn start(&self) -> Result<(), Error> {
        if !self.config.authenticate_on_init {
            return Ok(());
        }
        self.account.sign_in()?;
        match self.factors.fetch(&self.caller(), Deadline::after(None)) {
            Err(error @ Error::Initialization(_)) => Err(error),
            Err(error) => {
                let text = format_args!("Sampling factors could not be fetched: {error}");
                self.logger.log(Level::Warning, text);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    pub fn is_active(&self) -> bool {
        !self.gate.closed() && self.account.active()
    }

    pub fn export(&self, messages: &str, options: Option<&str>) -> Answer {
        self.within(|| {
            let exporter = Exporter {
                config: &self.config,
                account: &self.account,
                logger: &self.logger,
                factors: &self.factors,
                caller: self.caller(),
            };
            exporter.export(messages, options)
        })
    }

    pub fn service_call(&self, name: &str, arguments: &str, options: Option<&str>) -> Answer {
        #[cfg(feature = "panic-trigger")]
        if name == "mona_test_panic" {
            std::panic::panic_any("triggered");
        }
        self.within(|| self.caller().call(name, arguments, options))
    }

    /// Enqueues messages; makes no document of a success unless it is `wanted`.
    pub fn enqueue(&self, messages: &str, options: Option<&str>, wanted: bool) -> Answer {
        self.within(|| {
            let enqueuer = Enqueuer {
                config: &self.config,
                account: &self.account,
                logger: &self.logger,
                factors: &self.factors,
                queue: &self.queue,
                wanted,
            };
            enqueuer.enqueue(messages, options)
        })
    }

    /// Waits for what was enqueued before; a negative time-out waits as long as it takes.
    pub fn flush(&self, timeout_ms: i64) -> Answer {
        let pending = self
            .queue
            .flush(Deadline::after(timeout_ms.try_into().ok()));
        let error = (pending > 0).then_some(Error::StillPending);
        let text = error.as_ref().map(Error::to_string);
        let document = Flushing {
            success: error.is_none(),
            pending,
            failure: Failure::of(error.as_ref(), text.as_deref()),
        };
        let status = if pending == 0 {
            Status::Ok
        } else {
            Status::Timeout
        };
        Answer::new(status, &document)
    }

    pub fn statistics(&self) -> Answer {
        let mut members = self.queue.statistics();
        members.insert("success".to_owned(), true.into());
        members.insert("error_message".to_owned(), Value::Null);
        Answer::new(Status::Ok, &members)
    }

    /// Refuses new calls, delivers what is enqueued and waits for calls under way; a negative time-out
    /// waits as long as they take.
    pub fn close(&self, timeout_ms: i64) -> Answer {
        let deadline = Deadline::after(timeout_ms.try_into().ok());
        let quiet = self.gate.close(deadline);
        let undelivered = self.queue.close(deadline);
        let error = if quiet { None } else { Some(Error::StillBusy) };
        let text = error.as_ref().map(Error::to_string);
        let document = Closing {
            success: quiet,
            undelivered,
            failure: Failure::of(error.as_ref(), text.as_deref()),
        };
        Answer::new(if quiet { Status::Ok } else { Status::Timeout }, &document)
    }

    /// As [`Client::close`], for a client that is about to be dropped: calls under way are waited for, the
    /// queue as long as the configuration says.
    pub fn close_for_good(&self) {
        self.gate.close(Deadline::after(None));
        let patience = u64::from(self.config.queue.free_timeout_ms);
        self.queue.close(Deadline::after(Some(patience)));
    }

    fn caller(&self) -> Caller<'_> {
        Caller {
            config: &self.config,
            account: &self.account,
            logger: &self.logger,
            older_paths: &self.older_paths,
        }
    }

    fn within(&self, call: impl FnOnce() -> Answer) -> Answer {
        match self.gate.enter() {
            Some(_pass) => call(),
            None => Answer::failure(Status::Closed, &Error::Closed),
        }
    }
}
