//! The services: one function that runs any row of the table.
#![forbid(unsafe_code)]

mod document;
mod request;
mod response;
mod table;

pub use document::{index, page};
pub use response::Outcome;
pub use table::{SERVICES, Service};
#[cfg(fuzzing)]
pub use {request::Arguments, request::body, response::read};

use crate::account::{Access, Account, Endpoint};
use crate::answer::{Answer, Failure, failed, status_of};
use crate::config::{Config, Secret, did_you_mean};
use crate::error::Error;
use crate::log::{Level, Logger};
use crate::options::Options;
use crate::status::{Family, Status};
use crate::sync::{Deadline, lock};
use crate::transport::Response;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::sync::Mutex;

const NOT_FOUND: u16 = 404;

/// What a service call needs of its client.
pub struct Caller<'a> {
    pub config: &'a Config,
    pub account: &'a Account,
    pub logger: &'a Logger,
    pub older_paths: &'a OlderPaths,
}

/// Names of services that this client's server knows by their older path only.
#[derive(Default)]
pub struct OlderPaths(Mutex<BTreeSet<&'static str>>);

#[derive(Serialize)]
struct Document<'a> {
    success: bool,
    data: Option<&'a RawValue>,
    #[serde(flatten)]
    failure: Failure<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issues: Option<&'a RawValue>,
}

/// The row of a service.
pub fn find(name: &str) -> Result<&'static Service, Error> {
    SERVICES
        .iter()
        .find(|service| service.name == name)
        .ok_or_else(|| {
            let hint = did_you_mean(name, SERVICES.iter().map(|service| service.name));
            Error::argument("service", format!("there is no service {name:?}{hint}"))
        })
}

/// Which service is to be called, and until when.
pub struct Order {
    service: &'static Service,
    deadline: Deadline,
}

impl Order {
    pub fn read(name: &str, options: Option<&str>) -> Result<Order, Error> {
        Ok(Order {
            service: find(name)?,
            deadline: Options::read(options, &["timeout_ms"])?.deadline,
        })
    }
}

impl Caller<'_> {
    /// Calls a service by its name.
    pub fn call(&self, name: &str, arguments: &str, options: Option<&str>) -> Answer {
        match Order::read(name, options) {
            Ok(order) => self.carry_out(&order, arguments),
            Err(error) => self.failure(&error, None),
        }
    }

    pub fn carry_out(&self, order: &Order, arguments: &str) -> Answer {
        match self.run(order.service, arguments, order.deadline) {
            Ok(Outcome::Data(data)) => {
                let document = Document {
                    success: true,
                    data: Some(&data),
                    failure: Failure::none(),
                    issues: None,
                };
                Answer::new(Status::Ok, &document)
            }
            Ok(Outcome::Issues { error, issues }) => self.failure(&error, Some(&issues)),
            Err(error) => self.failure(&error, None),
        }
    }

    /// Runs one row of the table.
    pub fn run(
        &self,
        service: &Service,
        arguments: &str,
        deadline: Deadline,
    ) -> Result<Outcome, Error> {
        let arguments = request::Arguments::read(service, arguments)?;
        let access = self.account.access(deadline)?;
        let user_id = &access.user_id;
        let body = request::body(service, arguments, user_id, self.author())?;
        let mut response = self.post(service, &access, body.into())?;
        let outcome = response::read(service, &response, user_id);
        match (&outcome, &self.config.api_key) {
            (Ok(Outcome::Issues { .. }) | Err(Error::Refused { .. }), Some(key)) => {
                // It may quote the key, which it is sent as the author of a configuration.
                response.conceal(key);
                response::read(service, &response, user_id)
            }
            _ => outcome,
        }
    }

    /// Who uploads a configuration when the caller does not say: the API key that logged in.
    fn author(&self) -> Option<&Secret> {
        self.config
            .api_key
            .as_ref()
            .filter(|_| self.account.authenticated())
    }

    /// Posts to the service's path, or to its older one where the server does not know the newer.
    fn post(&self, service: &Service, access: &Access, body: Bytes) -> Result<Response, Error> {
        let send = |path| self.account.post(access, Endpoint::App(path), body.clone());
        let Some(older) = service.older_path else {
            return send(service.path);
        };
        if lock(&self.older_paths.0).contains(service.name) {
            return send(older);
        }
        let response = send(service.path)?;
        if response.status != NOT_FOUND {
            return Ok(response);
        }
        let response = send(older)?;
        if response.ok() {
            lock(&self.older_paths.0).insert(service.name);
        }
        Ok(response)
    }

    fn failure(&self, error: &Error, issues: Option<&RawValue>) -> Answer {
        let mut text = error.to_string();
        if !self.account.authenticated() && !matches!(error, Error::InvalidArgument { .. }) {
            text.push_str(
                " (the client does not authenticate, which Mona must have allowed for the account)",
            );
        }
        let status = match error {
            Error::Refused { .. } => failed(Family::Service, self.config),
            other => status_of(other, Family::Service, self.config),
        };
        if !matches!(error, Error::InvalidArgument { .. }) {
            self.logger.log(Level::Error, &text);
        }
        let document = Document {
            success: false,
            data: None,
            failure: Failure::new(error, &text),
            issues,
        };
        Answer::new(status, &document)
    }
}

#[cfg(test)]
mod tests;
