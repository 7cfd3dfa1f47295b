//! A call that enqueues: all of its messages are accepted, or none.

use super::buffer::Load;
use super::{Delivery, Queue};
use crate::account::Account;
use crate::answer::{Answer, Failure, failed, status_of};
use crate::config::Config;
use crate::error::Error;
use crate::export::warn_of_older_timestamp;
use crate::factors::Factors;
use crate::ffi::memory;
use crate::log::Logger;
use crate::message::{Completion, Stage, Staged};
use crate::options::Options;
use crate::raw::{self, Members};
use crate::services::OlderPaths;
use crate::status::{Family, Status};
use serde::Serialize;
use std::sync::Arc;

const OPTIONS: &[&str] = &["default_action", "filter_none_fields"];

/// What enqueueing needs of its client.
pub struct Enqueuer<'a> {
    pub config: &'a Arc<Config>,
    pub account: &'a Arc<Account>,
    pub logger: &'a Logger,
    pub factors: &'a Arc<Factors>,
    pub older_paths: &'a Arc<OlderPaths>,
    pub queue: &'a Arc<Queue>,
    /// Whether the caller wants the document of a success.
    pub wanted: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    success: bool,
    accepted: usize,
    failed: usize,
    failure_reasons: &'a Members,
    sampled_out: usize,
    empty: usize,
    #[serde(flatten)]
    failure: Failure<'a>,
}

impl Enqueuer<'_> {
    pub fn enqueue(&self, messages: &str, options: Option<&str>) -> Answer {
        self.try_enqueue(messages, options).unwrap_or_else(|error| {
            Answer::failure(status_of(&error, Family::Export, self.config), &error)
        })
    }

    fn try_enqueue(&self, messages: &str, options: Option<&str>) -> Result<Answer, Error> {
        let options = Options::read(options, OPTIONS)?;
        let filter = options.filter_none_fields;
        if self.factors.due() {
            self.queue
                .renew_factors(|deadline| self.delivery().renew_factors(deadline));
        }
        let sampling = self.factors.known();
        let stage = Stage {
            filter_none_fields: filter.unwrap_or(self.config.filter_none_fields_on_export),
            sampling: &sampling,
            now_ms: options.now_ms,
            complete: Some(Completion {
                default_action: options
                    .default_action
                    .as_deref()
                    .filter(|action| !action.is_empty()),
            }),
            send_timestamp: self.config.use_send_timestamp_field,
            room: memory::room,
        };
        let mut staged = stage.run(messages)?;
        self.reject_large(&mut staged);
        warn_of_older_timestamp(self.config, self.logger, &staged);
        if !staged.rejected.is_empty() {
            return Ok(self.rejected(&staged));
        }
        if !staged.indices.is_empty() {
            let load = Load::weighing(staged.indices.len(), staged.message_bytes());
            self.queue.accept(staged.messages(), load, |queue| {
                self.delivery().start(queue)
            })?;
        }
        if !self.wanted {
            return Ok(Answer::unread());
        }
        let document = Document {
            success: true,
            accepted: staged.indices.len(),
            failed: 0,
            failure_reasons: &Members::default(),
            sampled_out: staged.sampled_out,
            empty: staged.empty,
            failure: Failure::none(),
        };
        Ok(Answer::new(Status::Ok, &document))
    }

    fn reject_large(&self, staged: &mut Staged) {
        let most = self.config.queue.max_message_bytes as usize;
        if staged.message_bytes() <= most {
            return;
        }
        let messages = staged.indices.iter().zip(staged.messages());
        let large: Vec<_> = messages
            .filter(|(_, message)| message.len() > most)
            .map(|(index, message)| {
                let bytes = message.len();
                let reason = format!("{bytes} bytes, more than queue.max_message_bytes ({most})");
                (*index, reason)
            })
            .collect();
        staged.rejected.extend(large);
    }

    /// A message that cannot be one: nothing of the call is accepted.
    fn rejected(&self, staged: &Staged) -> Answer {
        let reason = |(index, reason): &(u32, String)| (index.to_string(), raw::text(reason));
        let reasons = Members(staged.rejected.iter().map(reason).collect());
        let error = Error::Unsendable(format!(
            "{} messages cannot be sent; none of this call was accepted",
            staged.rejected.len()
        ));
        let text = error.to_string();
        let document = Document {
            success: false,
            accepted: 0,
            failed: staged.rejected.len(),
            failure_reasons: &reasons,
            sampled_out: staged.sampled_out,
            empty: staged.empty,
            failure: Failure::new(&error, &text),
        };
        Answer::new(failed(Family::Export, self.config), &document)
    }

    /// What the thread that delivers needs.
    pub fn delivery(&self) -> Delivery {
        Delivery {
            config: self.config.clone(),
            account: self.account.clone(),
            logger: self.logger.clone(),
            factors: self.factors.clone(),
            older_paths: self.older_paths.clone(),
        }
    }
}
