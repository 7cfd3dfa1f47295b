//! After an attempt: what it delivered, what is tried again, and when.

use super::Queue;
use super::batch::Batch;
use super::buffer::{Load, age_ms};
use super::outcome::Outcome;
use super::state::{Health, Rejection, State};
use crate::log::{Level, Logger};
use crate::message::text;
use crate::sync::lock;
use std::time::Duration;

/// A batch is never made smaller than this because of its size.
const SMALLEST_LIMIT: u64 = 64 * 1024;

/// After so many successes a learned limit is raised by a tenth.
const SUCCESSES_TO_RAISE: u32 = 100;

/// After so many errors of the service in a row, one message of the batch is suspected.
const SUSPICIONS_TO_SPLIT: u32 = 3;

/// No more of a reason is kept.
const MAX_REASON: usize = 1024;

impl Queue {
    pub(super) fn settle(&self, batch: Batch, outcome: Outcome, logger: &Logger) {
        let mut state = lock(&self.state);
        state.in_flight = Load::default();
        match outcome {
            Outcome::Settled(rejected) => self.delivered(&mut state, &batch, rejected, logger),
            Outcome::Refused(reason) => {
                let all = (0..batch.len())
                    .map(|index| (index, reason.clone()))
                    .collect();
                state.last_error = Some(reason);
                self.delivered(&mut state, &batch, all, logger);
            }
            Outcome::Retry {
                error,
                retry_after,
                suspicious,
            } => retry(&mut state, batch, error, retry_after, suspicious, logger),
            Outcome::Split { error, too_large } => {
                if too_large {
                    learn(&mut state, &batch);
                }
                self.split(&mut state, batch, error, logger);
            }
            Outcome::Pause { error } => {
                logger.log(Level::Error, format_args!("Delivery is paused: {error}"));
                state.last_error = Some(error);
                state.health = Health::Paused;
                state.pause.failed(None);
                state.counters.retries += 1;
                state.buffer.put_back(batch);
            }
        }
        if state.finished {
            // The queue was closed while this was under way: nobody will try again.
            state.finish();
        }
        self.report(&mut state);
        drop(state);
        self.progress.notify_all();
    }

    /// The service took the batch, but for these messages.
    fn delivered(
        &self,
        state: &mut State,
        batch: &Batch,
        rejected: Vec<(usize, String)>,
        logger: &Logger,
    ) {
        self.acknowledge(state, batch);
        state.counters.rejected += rejected.len() as u64;
        state.counters.delivered += (batch.len() - rejected.len()) as u64;
        let now_ms = self.now_ms();
        for at_ms in batch.times_ms() {
            state.latency.record(age_ms(now_ms, at_ms), 1);
        }
        for (index, reason) in rejected {
            let context_id = context_id(batch.message(index));
            let reason: String = reason.chars().take(MAX_REASON).collect();
            logger.log(
                Level::Error,
                format_args!(
                    "The service rejected message {}: {reason}",
                    context_id.as_deref().unwrap_or_default()
                ),
            );
            let rejection = Rejection { context_id, reason };
            self.name(state, &rejection);
            state.remember(rejection);
        }
        if state.health != Health::StorageError || !self.durable() {
            state.health = Health::Ok;
        }
        state.back_off.succeeded();
        state.pause.succeeded();
        state.suspicions = 0;
        state.successes += 1;
        if state.successes >= SUCCESSES_TO_RAISE {
            state.successes = 0;
            state.largest_batch = state.largest_batch.map(|largest| largest + largest / 10);
        }
    }

    /// Tries the halves apart, or gives up a message that is refused alone.
    fn split(&self, state: &mut State, batch: Batch, error: String, logger: &Logger) {
        state.last_error = Some(error.clone());
        if batch.len() <= 1 {
            self.delivered(state, &batch, vec![(0, error)], logger);
            return;
        }
        state.counters.splits += 1;
        state.suspicions = 0;
        let (first, second) = batch.halves();
        state.buffer.put_back(second);
        state.buffer.put_back(first);
    }
}

fn retry(
    state: &mut State,
    batch: Batch,
    error: String,
    retry_after: Option<Duration>,
    suspicious: bool,
    logger: &Logger,
) {
    logger.log(
        Level::Warning,
        format_args!("A batch will be sent again: {error}"),
    );
    state.last_error = Some(error);
    state.health = Health::BackingOff;
    state.counters.retries += 1;
    state.suspicions = if suspicious { state.suspicions + 1 } else { 0 };
    state.back_off.failed(retry_after);
    if state.suspicions >= SUSPICIONS_TO_SPLIT && batch.len() > 1 {
        state.counters.splits += 1;
        state.suspicions = 0;
        let (first, second) = batch.halves();
        state.buffer.put_back(second);
        state.buffer.put_back(first);
    } else {
        state.buffer.put_back(batch);
    }
}

/// The service refused a batch for its size: half of it may do.
fn learn(state: &mut State, batch: &Batch) {
    state.largest_batch = Some((batch.bytes() as u64 / 2).max(SMALLEST_LIMIT));
    state.successes = 0;
}

/// The context id of a message as it stands on the wire.
fn context_id(message: &[u8]) -> Option<String> {
    let value = text::member(std::str::from_utf8(message).ok()?, "contextId")?;
    match serde_json::from_str(value) {
        Ok(text) => Some(text),
        Err(_) => Some(value.to_owned()),
    }
}
