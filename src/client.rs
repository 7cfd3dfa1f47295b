//! A client: wires the parts together and owns no logic of its own.
#![forbid(unsafe_code)]

use crate::account::Account;
use crate::answer::{Answer, status_of};
use crate::config::Config;
use crate::error::Error;
use crate::export::Exporter;
use crate::factors::Factors;
use crate::gate::Gate;
use crate::log::{Level, Logger};
use crate::services::{Caller, OlderPaths};
use crate::status::{Family, Status};
use crate::sync::Deadline;
use std::sync::Arc;

pub struct Client {
    config: Arc<Config>,
    account: Account,
    logger: Logger,
    factors: Factors,
    older_paths: OlderPaths,
    gate: Gate,
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
            account,
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

    /// Refuses new calls and waits for those under way; a negative time-out waits as long as they take.
    pub fn close(&self, timeout_ms: i64) -> Answer {
        if self.gate.close(Deadline::after(timeout_ms.try_into().ok())) {
            return Answer::success();
        }
        let error = Error::StillBusy;
        Answer::failure(Status::Timeout, &error)
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
