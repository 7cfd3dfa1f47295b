//! The export: messages through the stage, one request, and a document that accounts for every message.
#![forbid(unsafe_code)]

mod verdict;

use crate::account::{Account, Endpoint};
use crate::answer::{Answer, Failure, failed, status_of};
use crate::config::Config;
use crate::error::Error;
use crate::factors::Factors;
use crate::ffi::memory;
use crate::log::{Level, Logger};
use crate::message::{Envelope, Stage, Staged, text};
use crate::options::Options;
use crate::services::Caller;
use crate::status::{Family, Status};
use serde::Serialize;
pub use verdict::{Reasons, Verdict};

const OPTIONS: &[&str] = &["timeout_ms", "default_action", "filter_none_fields"];

/// What an export needs of its client.
pub struct Exporter<'a> {
    pub config: &'a Config,
    pub account: &'a Account,
    pub logger: &'a Logger,
    pub factors: &'a Factors,
    pub caller: Caller<'a>,
}

#[derive(Serialize)]
struct Document<'a> {
    success: bool,
    total: usize,
    sent: usize,
    failed: usize,
    failure_reasons: &'a Reasons,
    sampled_out: usize,
    empty: usize,
    #[serde(flatten)]
    failure: Failure<'a>,
}

impl Exporter<'_> {
    /// The options that an export knows.
    pub fn options(text: Option<&str>) -> Result<Options, Error> {
        Options::read(text, OPTIONS)
    }

    /// Exports one message object or an array of them.
    pub fn export(&self, messages: &str, options: &Options) -> Answer {
        self.try_export(messages, options).unwrap_or_else(|error| {
            Answer::failure(status_of(&error, Family::Export, self.config), &error)
        })
    }

    fn try_export(&self, messages: &str, options: &Options) -> Result<Answer, Error> {
        let filter = options.filter_none_fields;
        let sampling = self.factors.current(&self.caller, options.deadline);
        let stage = Stage {
            filter_none_fields: filter.unwrap_or(self.config.filter_none_fields_on_export),
            sampling: &sampling,
            now_ms: options.now_ms,
            complete: None,
            send_timestamp: self.config.use_send_timestamp_field,
            room: memory::room,
        };
        let mut staged = stage.run(messages)?;
        warn_of_older_timestamp(self.config, self.logger, &staged);
        match self.send(&mut staged, options) {
            Ok(verdict) => Ok(self.report(&staged, verdict, messages)),
            Err(error) => Ok(self.lost(&staged, &error)),
        }
    }

    fn send(&self, staged: &mut Staged, options: &Options) -> Result<Verdict, Error> {
        let access = self.account.access(options.deadline)?;
        if staged.indices.is_empty() {
            self.logger
                .log(Level::Info, "No message of this call is to be sent");
            return Ok(Verdict::accepted());
        }
        let body = staged.request_body(&Envelope {
            user_id: &access.user_id,
            default_action: options.default_action.as_deref(),
            sample_config_name: self.config.sampling_config_name.as_deref(),
        });
        let response = self.account.post(&access, Endpoint::Export, body.into())?;
        Ok(Verdict::of(&response, staged.indices.len()))
    }

    /// The document of a call whose request was answered, or needed none.
    fn report(&self, staged: &Staged, verdict: Verdict, messages: &str) -> Answer {
        let verdict = verdict.with_local(staged);
        let total = staged.indices.len() + staged.rejected.len();
        let error = verdict.error(total);
        let text = error.as_ref().map(Error::to_string);
        let document = Document {
            success: error.is_none(),
            total,
            sent: total - verdict.failed,
            failed: verdict.failed,
            failure_reasons: &verdict.reasons,
            sampled_out: staged.sampled_out,
            empty: staged.empty,
            failure: Failure::of(error.as_ref(), text.as_deref()),
        };
        let Some(error) = error else {
            return Answer::new(Status::Ok, &document);
        };
        self.logger.log(Level::Error, &error);
        if self.config.should_log_failed_messages {
            self.log_failed(&verdict.reasons, staged, messages);
        }
        Answer::new(failed(Family::Export, self.config), &document)
    }

    /// The document of a call whose request failed as a whole.
    fn lost(&self, staged: &Staged, error: &Error) -> Answer {
        let text = error.to_string();
        self.logger.log(Level::Error, &text);
        let total = staged.indices.len() + staged.rejected.len();
        let reasons = Verdict::all_failed(staged.indices.len(), text.clone()).with_local(staged);
        let document = Document {
            success: false,
            total,
            sent: 0,
            failed: total,
            failure_reasons: &reasons.reasons,
            sampled_out: staged.sampled_out,
            empty: staged.empty,
            failure: Failure::new(error, &text),
        };
        Answer::new(status_of(error, Family::Export, self.config), &document)
    }

    /// Writes the failed messages to the log: those that are named, or all that were sent where none is.
    fn log_failed(&self, reasons: &Reasons, staged: &Staged, messages: &str) {
        if !self.logger.enabled(Level::Error) {
            return;
        }
        let sent = || staged.indices.iter().map(|index| *index as usize).collect();
        let mut failed = vec![false; staged.given()];
        for index in reasons.indices().unwrap_or_else(sent) {
            if let Some(failed) = failed.get_mut(index) {
                *failed = true;
            }
        }
        for ((index, message), failed) in text::elements(messages).enumerate().zip(failed) {
            if failed {
                let text = format_args!("Failed message {index}: {message}");
                self.logger.log(Level::Error, text);
            }
        }
    }
}

/// Logs once for a call that used the older name of the timestamp, where that is wanted.
pub fn warn_of_older_timestamp(config: &Config, logger: &Logger, staged: &Staged) {
    if staged.export_timestamp_used && config.enable_deprecation_warnings_on_export_timestamp {
        let text = "exportTimestamp is deprecated: use sendTimestamp";
        logger.log(Level::Warning, text);
    }
}
