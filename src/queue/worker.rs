//! The thread of a queue: takes batches, sends them, settles them.

use super::batch::Batch;
use super::blame::overtake;
use super::buffer::{Load, age_ms};
use super::outcome::Outcome;
use super::state::{Access, State};
use super::{FOREVER, Queue};
use crate::account::{Account, Endpoint};
use crate::config::Config;
use crate::error::Error;
use crate::factors::Factors;
use crate::log::Logger;
use crate::message::Envelope;
use crate::services::{Caller, OlderPaths};
use crate::sync::{Deadline, MutexGuard, lock};
use crate::thread;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What the answer to a batch may have, in bytes: room for a reason for each of its messages, and no more, since
/// a server must not be able to fill the memory.
const ANSWER: usize = 64 * 1024;
const ANSWER_PER_MESSAGE: usize = 512;

/// How long to wait before the spools of programs that ended are looked for again. A program that is just
/// ending still holds its spool.
const FIRST_ADOPTION_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_ADOPTION_PAUSE: Duration = Duration::from_secs(60);

/// What the thread needs to deliver.
pub struct Delivery {
    pub config: Arc<Config>,
    pub account: Arc<Account>,
    pub logger: Logger,
    pub factors: Arc<Factors>,
    pub older_paths: Arc<OlderPaths>,
}

impl Delivery {
    /// Starts the thread of this queue.
    pub fn start(self, queue: Arc<Queue>) -> Result<JoinHandle<()>, Error> {
        let run = move || {
            let _end = End(queue.clone());
            queue.take_over(&self.logger);
            while let Some(batch) = queue.next(&self.logger) {
                let outcome = self.send(&queue, &batch);
                queue.settle(batch, outcome, &self.logger);
            }
            if let Some(spool) = queue.spool.get() {
                // The host may keep a closed client for long.
                spool.let_go();
            }
        };
        thread::start("mona-queue", thread::MEDIUM_STACK, run).map_err(Error::no_thread)
    }

    /// Starts a thread that renews the sampling factors, because enqueueing waits for no server.
    pub fn renew_factors(self, deadline: Deadline) -> std::io::Result<JoinHandle<()>> {
        thread::start("mona-factors", thread::AMPLE_STACK, move || {
            let caller = Caller {
                config: &self.config,
                account: &self.account,
                logger: &self.logger,
                older_paths: &self.older_paths,
            };
            self.factors.renew(&caller, deadline);
        })
    }

    fn send(&self, queue: &Queue, batch: &Batch) -> Outcome {
        let deadline = queue.attempt_deadline(&lock(&queue.state));
        let access = match self.account.access(deadline) {
            Ok(access) => access,
            Err(error) => return Outcome::of(&Err(error), batch.len()),
        };
        let body = batch.body(&Envelope {
            user_id: &access.user_id,
            default_action: None,
            sample_config_name: self.config.sampling_config_name.as_deref(),
        });
        lock(&queue.state).counters.requests += 1;
        let limit = ANSWER + batch.len() * ANSWER_PER_MESSAGE;
        let result = self
            .account
            .post_within(&access, Endpoint::Export, body, limit);
        Outcome::of(&result, batch.len())
    }
}

/// Ends delivery where a panic ends its thread, so that nobody waits for it: not for a flush, a close or the end of the program.
struct End(Arc<Queue>);

impl Drop for End {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.break_down();
        }
    }
}

impl Queue {
    /// Accepts nothing more. What is under way may have arrived; nobody will know.
    fn break_down(&self) {
        let mut state = lock(&self.state);
        state.closing.get_or_insert_default();
        let under_way = std::mem::take(&mut state.in_flight);
        if self.durable() {
            state.on_disk.add(under_way);
        } else {
            state.counters.dropped_close += under_way.messages;
        }
        state.finish();
        state.last_error = Some("Delivery ended by an error in the library".to_owned());
        self.report(&mut state);
        let endpoint = state.endpoint.clone();
        drop(state);
        self.progress.notify_all();
        self.unflushed.notify_all();
        endpoint.undecided();
    }

    /// When what is attempted now must be over.
    pub(super) fn attempt_deadline(&self, state: &State) -> Deadline {
        let closing = state.closing.unwrap_or_default();
        closing.sooner(self.config.attempt_timeout_ms.into())
    }

    /// The next batch to send, waited for; `None` when the thread is to end.
    fn next(&self, logger: &Logger) -> Option<Batch> {
        let mut state = lock(&self.state);
        loop {
            if let Some((messages, bytes)) = state.buffer.spare_wanted() {
                // Here, because a caller would take the page faults with the lock, and have all others wait.
                drop(state);
                let spare = Batch::with_pages(messages, bytes);
                state = lock(&self.state);
                // What filled may have been taken meanwhile.
                if state.buffer.spare_wanted().is_some() {
                    state.buffer.provide(spare);
                }
            }
            state = self.expire(state);
            self.report(&mut state);
            if self.over(&mut state) {
                state.finish();
                self.report(&mut state);
                drop(state);
                self.progress.notify_all();
                return None;
            }
            if self.adoption_in(&state) == Some(Duration::ZERO) {
                drop(state);
                self.take_over(logger);
                state = lock(&self.state);
                continue;
            }
            let mut wait = self.wait(&state);
            if wait.is_none()
                && state.wants_more()
                && let Some(spool) = self.spool.get()
            {
                drop(state);
                self.fill(spool);
                state = lock(&self.state);
                overtake(&mut state);
                continue;
            }
            if wait.is_none() {
                wait = state.endpoint.admit(state.closed());
            }
            let Some(wait) = wait else {
                return self.take(&mut state);
            };
            let wait = wait.min(self.adoption_in(&state).unwrap_or(wait));
            let woken = self.work.wait_timeout(state, wait);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn over(&self, state: &mut State) -> bool {
        let Some(deadline) = state.closing else {
            return false;
        };
        let empty = state.buffer.load().messages == 0 && state.readable().0 == 0;
        // Whoever closes does not wait for a server that is being left alone.
        state.finished || empty || deadline.passed() || state.waiting().is_some()
    }

    /// How long nothing is to be sent; `None` when it is time.
    fn wait(&self, state: &State) -> Option<Duration> {
        let (readable, read_again) = state.readable();
        let on_disk = readable > 0;
        let disk_since = on_disk.then_some(state.on_disk_since_ms);
        let Some(oldest) = state.buffer.oldest_ms().or(disk_since) else {
            return Some(read_again.unwrap_or(FOREVER));
        };
        let age = Duration::from_millis(age_ms(self.now_ms(), oldest).into());
        let time_to_live = Duration::from_millis(self.time_to_live_ms().into());
        if let Some(wait) = state.waiting() {
            let expiry = time_to_live
                .saturating_sub(age)
                .max(Duration::from_millis(1));
            return Some(if self.durable() {
                wait
            } else {
                wait.min(expiry)
            });
        }
        let linger = Duration::from_millis(self.config.linger_ms.into()).min(time_to_live / 2);
        let ripe = state.buffer.has_full() || on_disk && self.ripe_on_disk(state.on_disk);
        if ripe || state.flushing() || age >= linger {
            return None;
        }
        Some(linger - age)
    }

    /// Takes the oldest batch, no larger than the service is known to take.
    fn take(&self, state: &mut State) -> Option<Batch> {
        let mut batch = state.buffer.take()?;
        while state
            .largest_batch
            .is_some_and(|largest| batch.bytes() as u64 > largest)
            && batch.len() > 1
        {
            let (first, second) = batch.halves();
            state.buffer.put_back(second);
            batch = first;
        }
        state.in_flight = Load::of(&batch);
        Some(batch)
    }

    /// Adopts what an ended program left: at the beginning, soon after it found something, and ever more
    /// seldom as long as it finds nothing.
    fn take_over(&self, logger: &Logger) {
        let Some(spool) = self.spool.get() else {
            return;
        };
        self.tidy(spool);
        let adopted = self.adopt(spool, logger);
        let mut state = lock(&self.state);
        let pause = if adopted {
            Duration::ZERO
        } else {
            state.adoption_pause * 2
        };
        state.adoption_pause = pause.clamp(FIRST_ADOPTION_PAUSE, LONGEST_ADOPTION_PAUSE);
        state.adopt_at = Some(Instant::now() + state.adoption_pause);
        // As long as something waits, it may be of what was adopted.
        state.draining_adopted = adopted || (state.draining_adopted && has_waiting(&state));
    }

    /// How long until spools are looked for again, if they are at all.
    fn adoption_in(&self, state: &State) -> Option<Duration> {
        let at = state.adopt_at.filter(|_| !state.closed())?;
        if state.draining_adopted && !has_waiting(state) {
            // What was adopted is delivered: there may be more.
            return Some(Duration::ZERO);
        }
        Some(at.saturating_duration_since(Instant::now()))
    }

    fn time_to_live_ms(&self) -> u32 {
        if self.durable() {
            (self.config.spool_retention_hours * 3_600_000.0) as u32
        } else {
            self.config.time_to_live_ms
        }
    }

    /// Gives up what has become too old in memory.
    pub(super) fn expire<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let (expired, tickets) = state.buffer.expire(self.now_ms(), self.time_to_live_ms());
        if expired == 0 {
            return state;
        }
        state.counters.expired += expired;
        state.settled_in_order(expired);
        self.report(&mut state);
        self.progress.notify_all();
        if let Some(spool) = self.spool.get() {
            // Without the lock: nobody else is to wait for the disk.
            drop(state);
            let acknowledged = spool.acknowledge(&tickets);
            state = lock(&self.state);
            state.accessed(Access::Acknowledge, acknowledged.as_ref().err());
        }
        state
    }
}

fn has_waiting(state: &State) -> bool {
    state.on_disk.messages + state.buffer.load().messages > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asynchronous;
    use crate::events::Events;
    use crate::queue::Reporter;
    use crate::queue::settle::tests::queue;
    use serde_json::json;

    #[test]
    fn nothing_lingers_until_it_expires() {
        let keys = r#"{"linger_ms": 3600000, "time_to_live_ms": 1000000}"#;
        let config = Config::from_json(Some(&format!(r#"{{"user_id": "u", "queue": {keys}}}"#)));
        let (queue, _) = queue(&config.unwrap());
        let mut state = lock(&queue.state);
        state.buffer.push(b"{}", queue.now_ms());
        let wait = queue.wait(&state).unwrap();
        assert!(wait <= Duration::from_secs(500), "{wait:?}");
    }

    #[test]
    fn nobody_waits_for_a_thread_that_panicked() {
        let config = Config::from_json(Some(r#"{"user_id": "u"}"#)).unwrap();
        let (queue, _) = queue(&config);
        let mut state = lock(&queue.state);
        (0..5).for_each(|_| _ = state.buffer.push(b"{}", 0));
        state.counters.accepted = 8;
        state.in_flight.messages = 3;
        state.started = true;
        drop(state);
        let end = End(queue.clone());
        let thread = std::thread::spawn(move || {
            let _end = end;
            panic!("triggered");
        });
        assert!(thread.join().is_err());
        assert!(lock(&queue.state).finished);
        assert_eq!(queue.flush(Deadline::default()).0, 0);
        assert_eq!(queue.close(Deadline::default()).lost, 8);
        let counters = lock(&queue.state).counters;
        assert_eq!(counters.settled(), counters.accepted);
    }

    #[test]
    #[cfg(unix)]
    fn the_end_of_what_was_adopted_is_waited_for_however_long_that_takes() {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({"user_id": "u", "queue": {"spool_dir": folder.path().join("spool")}});
        let config = Config::from_json(Some(&config.to_string())).unwrap();
        let events = Events::new(asynchronous::limits(&config));
        let (logger, reporter) = (
            Logger::new(&config, events.clone()),
            Reporter::new(&config, events),
        );
        let (url, fingerprint) = ("http://adopting.test", "0".repeat(32));
        let queue = Queue::new(config.queue.clone(), url, fingerprint, reporter);
        queue.open_spool().unwrap();
        let wait = || queue.adoption_in(&lock(&queue.state));
        let mut state = lock(&queue.state);
        state.adoption_pause = LONGEST_ADOPTION_PAUSE;
        state.draining_adopted = true;
        state.on_disk.messages = 1;
        drop(state);
        for _ in 0..3 {
            queue.take_over(&logger);
            assert_ne!(wait(), Some(Duration::ZERO));
        }
        lock(&queue.state).on_disk.messages = 0;
        assert_eq!(wait(), Some(Duration::ZERO));
        queue.take_over(&logger);
        assert_ne!(wait(), Some(Duration::ZERO));
    }
}
