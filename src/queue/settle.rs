//! After an attempt: what it delivered, what is tried again, and when.

use super::Queue;
use super::back_off::Limits;
use super::batch::Batch;
use super::blame::{self, SUSPICIONS};
use super::buffer::{Load, age_ms};
use super::outcome::{Outcome, Refusal};
use super::state::{Access, Health, Rejection, State};
use crate::log::{Later, Level, Logger};
use crate::message::text;
use crate::raw;
use crate::sync::lock;
use std::time::Duration;

/// After so many successes a learned limit is raised by a tenth.
const SUCCESSES_TO_RAISE: u32 = 100;

impl Queue {
    pub(super) fn settle(&self, batch: Batch, outcome: Outcome, logger: &Logger) {
        // Made without the lock, because a callback may call the library.
        let log = &logger.later();
        let outcome = self.judged(outcome, &batch);
        let acknowledged = match outcome {
            // Without the lock: nobody else is to wait for the disk.
            Outcome::Settled(_) => Some(self.acknowledge(&batch)),
            _ => None,
        };
        let mut state = lock(&self.state);
        state.in_flight = Load::default();
        if let Some(acknowledged) = acknowledged {
            state.accessed(Access::Acknowledge, acknowledged.as_ref().err());
        }
        let mut news = News::Answered;
        match outcome {
            Outcome::Settled(rejected) => self.delivered(&mut state, &batch, rejected, log),
            Outcome::Split { error, too_large } => {
                if too_large {
                    blame::refuse(&mut state, &batch);
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
            Outcome::Pause { error, passing } => {
                log.log(Level::Error, format_args!("Delivery is paused: {error}"));
                self.pause(&mut state, batch, error, passing);
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

    /// What the outcome comes to for this batch: a message that is refused alone is rejected, and so is one that the
    /// service fails at again and again while it takes others.
    fn judged(&self, outcome: Outcome, batch: &Batch) -> Outcome {
        match outcome {
            Outcome::Retry {
                error,
                suspicious: true,
                ..
            } if batch.len() == 1 && self.has_tried(batch) => {
                Outcome::all_refused(batch.len(), &error)
            }
            Outcome::Split {
                too_large: true, ..
            } if batch.len() <= 1 => {
                blame::message_alone(&mut lock(&self.state));
                outcome.of_batch(1)
            }
            outcome => outcome.of_batch(batch.len()),
        }
    }

    /// Whether the service took others since it failed at this message.
    fn has_tried(&self, batch: &Batch) -> bool {
        let state = lock(&self.state);
        let tried = state.accused.iter().take(state.tried);
        tried.copied().any(|one| one == blame::hash(batch))
    }

    fn back_off_limits(&self) -> Limits {
        Limits::of_ms(
            self.config.back_off_first_ms,
            self.config.back_off_longest_ms,
        )
    }

    fn pause(&self, state: &mut State, batch: Batch, error: String, passing: bool) {
        let limits = if passing {
            self.back_off_limits()
        } else {
            Limits::of_ms(self.config.pause_first_ms, self.config.pause_longest_ms)
        };
        state.last_error = Some(error);
        state.health = Health::Paused;
        state.pause.failed(limits, None);
        state.counters.retries += 1;
        state.buffer.put_back(batch);
    }

    /// The service took the batch, but for these messages.
    fn delivered(&self, state: &mut State, batch: &Batch, rejected: Vec<Refusal>, log: &Later) {
        if let Some(spool) = self.spool.get() {
            self.count_given_up(spool, state);
        }
        state.counters.rejected += rejected.len() as u64;
        state.counters.delivered += (batch.len() - rejected.len()) as u64;
        let now_ms = self.now_ms();
        for at_ms in batch.times_ms() {
            state.latency.record(age_ms(now_ms, at_ms), 1);
        }
        for (index, reason) in rejected {
            let message = index.map(|index| batch.message(index));
            let context_id = message.and_then(context_id).map(|id| raw::brief(&id));
            let reason = raw::brief(&reason);
            log.log(
                Level::Error,
                format_args!(
                    "The service rejected message {}: {reason}",
                    context_id.as_deref().unwrap_or_default()
                ),
            );
            if let Some(message) = message.filter(|_| self.reporter.logs_messages) {
                let message = String::from_utf8_lossy(message);
                log.log(Level::Error, format_args!("Failed message: {message}"));
            }
            let rejection = Rejection { context_id, reason };
            self.name(state, &rejection);
            state.remember(rejection);
        }
        state.health = Health::Ok;
        state.pause.succeeded();
        blame::acquit(state, batch);
        state.successes += 1;
        blame::learn(state, batch);
        if state.successes >= SUCCESSES_TO_RAISE {
            state.successes = 0;
            // Beyond what a batch may have there is nothing to learn.
            let most = u64::from(self.config.batch_bytes);
            let raised = |largest: u64| (largest + largest / 10).min(most);
            state.largest_batch = state.largest_batch.map(raised);
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
    if !suspicious {
        state.tried = 0;
    }
    state.stopped = false;
    let suspected = state.suspicions >= SUSPICIONS;
    if suspected && batch.len() > 1 {
        state.suspects = state.suspects.max(batch.len() as u64);
        split(state, batch);
        return;
    }
    if suspected {
        blame::accuse(state, &batch);
    }
    state.buffer.put_back(batch);
    blame::overtake(state);
}

/// The context id of a message as it stands on the wire.
pub(super) fn context_id(message: &[u8]) -> Option<String> {
    let value = text::member(std::str::from_utf8(message).ok()?, "contextId")?;
    match serde_json::from_str(value) {
        Ok(text) => Some(text),
        Err(_) => Some(value.to_owned()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::asynchronous;
    use crate::config::Config;
    use crate::events::Events;
    use crate::queue::Reporter;
    use crate::transport::{self, Response};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::SystemTime;

    pub fn queue(config: &Config) -> (Arc<Queue>, Logger) {
        let events = Events::new(asynchronous::limits(config));
        let logger = Logger::new(config, events.clone());
        let reporter = Reporter::new(config, events);
        // An endpoint that no other queue has.
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let url = format!("http://{}.test", NUMBER.fetch_add(1, Ordering::Relaxed));
        let queue = Queue::new(config.queue.clone(), &url, "0".repeat(32), reporter);
        (queue, logger)
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
        queue.settle(
            batch(),
            Outcome::Pause {
                error,
                passing: false,
            },
            &logger,
        );
        assert!(lock(&queue.state).pause.failing());
        queue.settle(batch(), Outcome::Settled(Vec::new()), &logger);
        assert!(!lock(&queue.state).pause.failing());
    }

    #[test]
    fn a_flush_waits_for_what_is_under_way_though_later_messages_were_dropped() {
        let config = r#"{"user_id": "u", "queue": {"overflow": "drop_oldest"}}"#;
        let (queue, logger) = queue(&Config::from_json(Some(config)).unwrap());
        let batch = batch();
        let mut state = lock(&queue.state);
        state.counters.accepted = 1;
        state.in_flight = Load::of(&batch);
        let mark = state.mark();
        for _ in 0..4 {
            state.buffer.push(b"{}", 0);
        }
        state.counters.accepted += 4;
        let surplus = Load {
            messages: 3,
            bytes: 0,
        };
        assert!(queue.drop_oldest(&mut state, surplus));
        assert_eq!(state.pending(mark), 1);
        drop(state);
        queue.settle(batch, Outcome::Settled(Vec::new()), &logger);
        assert_eq!(lock(&queue.state).pending(mark), 0);
    }

    #[test]
    fn a_flush_waits_for_a_message_that_others_overtook() {
        let (queue, logger) = queue(&Config::from_json(Some(r#"{"user_id": "u"}"#)).unwrap());
        let accused = batch();
        let mut other = Batch::default();
        other.push(br#"{"contextId": "other"}"#, 0);
        let mut state = lock(&queue.state);
        state.counters.accepted = 1;
        let mark = state.mark();
        state.counters.accepted = 2;
        blame::accuse(&mut state, &accused);
        state.buffer.append(accused);
        state.buffer.append(other);
        blame::overtake(&mut state);
        let other = state.buffer.take().unwrap();
        drop(state);
        queue.settle(other, Outcome::Settled(Vec::new()), &logger);
        let mut state = lock(&queue.state);
        assert_eq!(state.pending(mark), 1);
        let accused = state.buffer.take().unwrap();
        drop(state);
        queue.settle(accused, Outcome::Settled(Vec::new()), &logger);
        assert_eq!(lock(&queue.state).pending(mark), 0);
    }

    #[test]
    fn nothing_overtakes_a_message_when_the_service_cannot_be_reached() {
        let (queue, logger) = queue(&Config::from_json(Some(r#"{"user_id": "u"}"#)).unwrap());
        let accused = batch();
        let mut other = Batch::default();
        other.push(br#"{"contextId": "other"}"#, 0);
        let mut state = lock(&queue.state);
        blame::accuse(&mut state, &accused);
        state.buffer.append(other);
        drop(state);
        let unreachable = Outcome::Retry {
            error: "unreachable".to_owned(),
            retry_after: None,
            suspicious: false,
        };
        queue.settle(accused, unreachable, &logger);
        let first = lock(&queue.state).buffer.take().unwrap();
        assert_eq!(first.message(0), b"{}");
    }

    #[test]
    fn a_learned_limit_grows_no_further_than_batches_do() {
        let config = r#"{"user_id": "u", "queue": {"batch_bytes": 1000}}"#;
        let (queue, logger) = queue(&Config::from_json(Some(config)).unwrap());
        lock(&queue.state).largest_batch = Some(950);
        for _ in 0..2 * SUCCESSES_TO_RAISE {
            queue.settle(batch(), Outcome::Settled(Vec::new()), &logger);
        }
        assert_eq!(lock(&queue.state).largest_batch, Some(1000));
    }

    /// What is left of the waits for the endpoint and for its door after a batch of one was answered so.
    fn waits(status: u16, retry_after: &str) -> [Option<f64>; 2] {
        let waits = r#""back_off_first_ms": 500000, "back_off_longest_ms": 500000"#;
        let pauses = r#""pause_first_ms": 700000, "pause_longest_ms": 700000"#;
        let config = format!(r#"{{"user_id": "u", "queue": {{{waits}, {pauses}}}}}"#);
        let (queue, logger) = queue(&Config::from_json(Some(&config)).unwrap());
        let asked = transport::retry_after(retry_after);
        let answer = Ok(Response::bodiless(status, asked));
        queue.settle(batch(), Outcome::of(&answer, 1), &logger);
        let state = lock(&queue.state);
        [state.endpoint.left_alone(), state.pause.left()].map(|left| Some(left?.as_secs_f64()))
    }

    #[test]
    fn after_each_status_the_server_is_left_alone_for_as_long_as_it_asks_and_no_less_than_usual() {
        let date = |seconds: u64, ahead: bool| {
            let by = Duration::from_secs(seconds);
            let now = SystemTime::now();
            httpdate::fmt_http_date(if ahead { now + by } else { now - by })
        };
        let (ahead, past) = (date(2000, true), date(2000, false));
        // What a server may say, and between which seconds the wait is then.
        let forms: [(&str, f64, f64); 9] = [
            ("", 500.0, 500.0),
            ("2000", 2000.0, 2200.0),
            ("100", 500.0, 500.0),
            (&ahead, 2000.0, 2200.0),
            (&past, 500.0, 500.0),
            ("1000000000", 3600.0, 3960.0),
            ("-5", 500.0, 500.0),
            ("1.5", 500.0, 500.0),
            ("soon", 500.0, 500.0),
        ];
        for status in 200..600 {
            for (retry_after, least, most) in forms {
                let retried = matches!(status, 408 | 425 | 429)
                    || status >= 500 && !matches!(status, 501 | 505);
                let shut = matches!(status, 300..=399 | 401 | 403 | 404 | 405 | 407 | 410);
                let expected = [(retried, least, most), (shut, 700.0, 700.0)];
                let found = waits(status, retry_after);
                for (found, (waits, least, most)) in found.into_iter().zip(expected) {
                    // What has passed of it by now is far less than a tenth.
                    let right = found.map(|left| (least * 0.9..=most).contains(&left));
                    assert_eq!(
                        right,
                        waits.then_some(true),
                        "{status}, {retry_after:?}: {found:?}"
                    );
                }
            }
        }
    }
}
