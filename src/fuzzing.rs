//! Doors for the fuzz targets to what is private. Compiled for them only.
#![forbid(unsafe_code)]
#![allow(clippy::indexing_slicing)]

use crate::account;
use crate::auth;
use crate::config::Secret;
use crate::error::Error;
use crate::export::Verdict;
use crate::queue::{BackOff, Limits, Outcome};
use crate::services::{self, SERVICES};
use crate::transport::{Response, retry_after};
use std::time::{Duration, Instant};

/// What is told of a login that fails.
pub fn login_answer(status: u16, body: &str, secret: &str) -> Result<(), String> {
    let secret = Secret::new(secret.to_owned());
    let answer = auth::read(
        Response::with(status, body),
        Instant::now(),
        &[Some(&secret)],
    );
    answer
        .map(|_| ())
        .map_err(|attempt| attempt.error.to_string())
}

pub fn tenant(jwt: &str) -> Option<String> {
    auth::tenant(jwt)
}

pub fn host(tenant: &str) -> Option<String> {
    account::host("incoming", tenant).ok()
}

/// How many messages failed, and which of them, where they are known, are rejected for good.
pub fn export_answer(status: u16, body: &str, sent: usize) -> (usize, Option<Vec<Option<usize>>>) {
    let failed = Verdict::of(&Response::with(status, body), sent).failed;
    let outcome = Outcome::of(&Ok(Response::with(status, body)), sent);
    let rejected = match outcome.of_batch(sent) {
        Outcome::Settled(rejected) => Some(rejected.into_iter().map(|(index, _)| index).collect()),
        _ => None,
    };
    (failed, rejected)
}

/// How long a server is left alone that answers with this `Retry-After`.
pub fn back_off_after(value: &str) -> Option<Duration> {
    let mut back_off = BackOff::default();
    back_off.failed(Limits::of_ms(1, 2), Some(retry_after(value)?));
    back_off.left()
}

pub fn service_request(service: u8, arguments: &str, user_id: &str) -> Result<Vec<u8>, Error> {
    let service = &SERVICES[usize::from(service) % SERVICES.len()];
    let arguments = services::Arguments::read(service, arguments)?;
    let author = Secret::new("key".to_owned());
    services::body(service, arguments, user_id, Some(&author))
}

pub fn service_answer(service: u8, status: u16, body: &str, user_id: &str) -> String {
    let service = &SERVICES[usize::from(service) % SERVICES.len()];
    match services::read(service, &Response::with(status, body), user_id) {
        Ok(services::Outcome::Data(data)) => data.get().to_owned(),
        Ok(services::Outcome::Issues { issues, .. }) => issues.get().to_owned(),
        Err(error) => serde_json::Value::from(error.to_string()).to_string(),
    }
}
