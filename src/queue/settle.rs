//! After an attempt: what it delivered, what is tried again, and when.

use super::Queue;
use super::back_off::Limits;
use super::batch::Batch;
use super::buffer::{Load, age_ms};
use super::outcome::Outcome;
use super::state::{Health, Rejection, State};
use crate::log::{Later, Level, Logger};
use crate::message::text;
use crate::raw;
use crate::sync::lock;
use std::time::Duration;

/// A batch is never made smaller than this because of its size.
const SMALLEST_LIMIT: u64 = 64 * 1024;

/// After so many successes a learned limit is raised by a tenth.
const SUCCESSES_TO_RAISE: u32 = 100;

/// After so many errors of the service in a row, one message of the batch is suspected.
const SUSPICIONS_TO_SPLIT: u32 = 3;

impl Queue {
    pub(super) fn settle(&self, batch: Batch, outcome: Outcome, logger: &Logger) {
        // Made without the lock, because a callback may call the library.
        let log = &logger.later();
        let outcome = outcome.of_batch(batch.len());
        let stored = match outcome {
            // Without the lock: nobody else is to wait for the disk.
            Outcome::Settled(_) => self.acknowledge(&batch),
            _ => Ok(()),
        };
        let mut state = lock(&self.state);
        state.in_flight = Load::default();
        if let Err(error) = stored {
            state.stored(Err(&error));
        }
        let mut news = News::Answered;
        match outcome {
            Outcome::Settled(rejected) => self.delivered(&mut state, &batch, rejected, log),
            Outcome::Split { error, too_large } => {
                if too_large {
                    learn(&mut state, &batch);
                }
                state.last_error = Some(error);
                split(&mut state, batch);
            }
            Outcome::Retry {
                error,
                retry_after,
                suspicious,
            } => {
                retry(&mut state, batch, error, suspicious, log);
                news = News::Failed(retry_after);
            }
            Outcome::Pause { error } => {
                log.log(Level::Error, format_args!("Delivery is paused: {error}"));
                self.pause(&mut state, batch, error);
                news = News::Nothing;
            }
        }
        if state.finished {
            // The queue was closed while this was under way: nobody will try again.
            state.finish();
        }
        self.report(&mut state);
        let endpoint = state.endpoint.clone();
        drop(state);
        self.progress.notify_all();
        match news {
            News::Answered => endpoint.succeeded(),
            News::Failed(retry_after) => endpoint.failed(self.back_off_limits(), retry_after),
            News::Nothing => endpoint.undecided(),
        }
    }

    fn back_off_limits(&self) -> Limits {
        Limits::of_ms(
            self.config.back_off_first_ms,
            self.config.back_off_longest_ms,
        )
    }

    fn pause(&self, state: &mut State, batch: Batch, error: String) {
        let limits = Limits::of_ms(self.config.pause_first_ms, self.config.pause_longest_ms);
        state.last_error = Some(error);
        state.health = Health::Paused;
        state.pause.failed(limits, None);
        state.counters.retries += 1;
        state.buffer.put_back(batch);
    }

    /// The service took the batch, but for these messages.
    fn delivered(
        &self,
        state: &mut State,
        batch: &Batch,
        rejected: Vec<(usize, String)>,
        log: &Later,
    ) {
        if let Some(spool) = &self.spool {
            self.count_given_up(spool, state);
        }
        state.counters.rejected += rejected.len() as u64;
        state.counters.delivered += (batch.len() - rejected.len()) as u64;
        let now_ms = self.now_ms();
        for at_ms in batch.times_ms() {
            state.latency.record(age_ms(now_ms, at_ms), 1);
        }
        for (index, reason) in rejected {
            let context_id = context_id(batch.message(index)).map(|id| raw::brief(&id));
            let reason = raw::brief(&reason);
            log.log(
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
        state.health = Health::Ok;
        state.pause.succeeded();
        state.suspicions = 0;
        state.successes += 1;
        if state.successes >= SUCCESSES_TO_RAISE {
            state.successes = 0;
            state.largest_batch = state.largest_batch.map(|largest| largest + largest / 10);
        }
    }
}

/// What an attempt says about the endpoint.
enum News {
    Answered,
    Failed(Option<Duration>),
    Nothing,
}

/// Tries the halves apart.
fn split(state: &mut State, batch: Batch) {
    state.counters.splits += 1;
    state.suspicions = 0;
    let (first, second) = batch.halves();
    state.buffer.put_back(second);
    state.buffer.put_back(first);
}

fn retry(state: &mut State, batch: Batch, error: String, suspicious: bool, log: &Later) {
    log.log(
        Level::Warning,
        format_args!("A batch will be sent again: {error}"),
    );
    state.last_error = Some(error);
    state.health = Health::BackingOff;
    state.counters.retries += 1;
    state.suspicions = if suspicious { state.suspicions + 1 } else { 0 };
    if state.suspicions >= SUSPICIONS_TO_SPLIT && batch.len() > 1 {
        split(state, batch);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asynchronous;
    use crate::config::Config;
    use crate::events::Events;
    use crate::queue::Reporter;
    use std::sync::Arc;

    fn queue(config: &Config) -> (Arc<Queue>, Logger) {
        let events = Events::new(asynchronous::limits(config));
        let logger = Logger::new(config, events.clone());
        let reporter = Reporter::new(config, events);
        let url = "http://settle.test";
        let queue = Queue::new(config.queue.clone(), url, String::new(), reporter);
        (queue.unwrap(), logger)
    }

    fn batch() -> Batch {
        let mut batch = Batch::default();
        batch.push(b"{}", 0);
        batch
    }

    #[test]
    fn a_door_that_opened_is_forgotten_to_have_been_closed() {
        let config = Config::from_json(Some(r#"{"user_id": "u"}"#)).unwrap();
        let (queue, logger) = queue(&config);
        let error = "closed".to_owned();
        queue.settle(batch(), Outcome::Pause { error }, &logger);
        assert!(lock(&queue.state).pause.failing());
        queue.settle(batch(), Outcome::Settled(Vec::new()), &logger);
        assert!(!lock(&queue.state).pause.failing());
    }
}
