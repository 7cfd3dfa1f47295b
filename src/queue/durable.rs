//! The queue's dealings with its spool: keeping what is accepted, reading it, acknowledging it.

use super::batch::Batch;
use super::buffer::{Load, full_from};
use super::spool::{MEASURE, Message, Options, Spool, SpoolError, Sync};
use super::state::{Access, State};
use super::{FOREVER, Queue};
use crate::clock::now_ms;
use crate::config::{QueueConfig, SpoolSync};
use crate::error::Error;
use crate::log::{Level, Logger};
use crate::sync::{Deadline, lock, wait};
use crate::thread;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SEGMENT_BYTES: u64 = 4 << 20;

/// With `interval`, the disk is flushed after so many bytes at the latest.
const SYNC_BYTES: u64 = 1 << 20;

/// How long to wait before what could not be read or flushed is tried again, at first.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Opens a spool in this folder. `fingerprint` tells one endpoint and user from another.
fn open(folder: &str, config: &QueueConfig, fingerprint: &str) -> Result<Spool, Error> {
    let options = Options {
        root: folder.into(),
        fingerprint: fingerprint.to_owned(),
        max_bytes: config.spool_max_bytes.into(),
        keep_free_bytes: config.spool_keep_free_bytes.into(),
        segment_bytes: SEGMENT_BYTES.min(u64::from(config.spool_max_bytes) / 4),
        sync: match config.spool_sync {
            SpoolSync::Os => Sync::Os,
            SpoolSync::Interval => Sync::Interval,
            SpoolSync::Always => Sync::Always,
        },
        retention: Duration::from_secs_f64(config.spool_retention_hours * 3600.0),
        read_again: TRY_AGAIN,
    };
    Spool::open(options).map_err(|error| {
        let text = format!("config_json: queue.spool_dir: {error}");
        match error {
            SpoolError::Exhausted { .. } => Error::Exhausted(text),
            _ => Error::Initialization(text),
        }
    })
}

impl Queue {
    /// Opens the configured spool, if there is one and it is not open yet.
    pub(super) fn open_spool(&self) -> Result<(), Error> {
        if let Some(folder) = &self.config.spool_dir {
            self.spool
                .get_or_try_init(|| open(folder, &self.config, &self.fingerprint))?;
        }
        Ok(())
    }

    /// Keeps all of these messages in the spool, or none. Waits for room as configured. The disk is written to
    /// without the lock, so that nothing else waits for it.
    pub(super) fn keep<'s>(
        &'s self,
        spool: &Spool,
        mut state: MutexGuard<'s, State>,
        messages: &[&[u8]],
        new: Load,
    ) -> Result<(), Error> {
        let mut deadline = None;
        loop {
            let settled = state.counters.settled();
            state.appending += new.messages;
            drop(state);
            let appended = spool.append(messages);
            state = lock(&self.state);
            state.appending -= new.messages;
            if appended.is_err() {
                // A flush may have waited for these messages.
                self.progress.notify_all();
            }
            match appended {
                Ok(()) => break,
                Err(SpoolError::TooLarge) => {
                    state.counters.refused += new.messages;
                    return Err(Error::LargerThanQueue);
                }
                Err(SpoolError::Full { reason }) => {
                    self.end_lingering(&mut state);
                    let patience = || Deadline::after(Some(self.patience_ms()));
                    let deadline = *deadline.get_or_insert_with(patience);
                    if deadline.passed() {
                        state.counters.refused += new.messages;
                        state.full = true;
                        state.last_error = Some(format!("The spool is full: {reason}"));
                        return Err(Error::QueueFull);
                    }
                    state = self.wait_for_room(state, settled, deadline);
                    if state.closed() || state.hurried {
                        return Err(Error::Closed);
                    }
                }
                Err(error) => {
                    state.counters.refused += new.messages;
                    state.accessed(Access::Append, Some(&error));
                    return Err(Error::Storage(error.to_string()));
                }
            }
        }
        state.full = false;
        state.accessed(Access::Append, None);
        let before = state.on_disk;
        if before.messages == 0 {
            state.on_disk_since_ms = self.now_ms();
        }
        state.counters.accepted += new.messages;
        state.on_disk.add(new);
        let ripe = !self.ripe_on_disk(before) && self.ripe_on_disk(state.on_disk);
        self.wrote(&mut state, new.bytes);
        drop(state);
        if before.messages == 0 || ripe {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Waits until more is settled than that, or other clients of the folder may have made room. What else wakes it makes none;
    /// and calls that try again each time that one fails wake each other for ever.
    fn wait_for_room<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        settled: u64,
        deadline: Deadline,
    ) -> MutexGuard<'s, State> {
        let deadline = deadline.sooner(MEASURE.as_millis() as u64);
        let waiting = |state: &State| state.counters.settled() == settled && !state.hurried;
        while waiting(&state) && !state.closed() && !deadline.passed() {
            state = wait(&self.progress, state, deadline);
        }
        state
    }

    /// Whether what waits in the spool makes a batch by itself.
    pub(super) fn ripe_on_disk(&self, load: Load) -> bool {
        let full = |part: u64, most: u32| part >= u64::from(full_from(most));
        // Files take more than what is in them.
        let most_bytes = self.config.batch_bytes.min(self.config.spool_max_bytes / 2);
        full(load.messages, self.config.batch_messages) || full(load.bytes, most_bytes)
    }

    /// Reads the next batch of the spool into memory. Only the thread that delivers does this, when no message
    /// is in memory but perhaps one that is accused, with others of its context.
    pub(super) fn fill(&self, spool: &Spool) {
        let counted = lock(&self.state).on_disk.messages;
        // What is appended but not counted yet is left for the next time.
        let messages = spool.read(
            counted.min(self.config.batch_messages.into()) as usize,
            self.config.batch_bytes as usize,
        );
        let mut state = lock(&self.state);
        let given_up = self.count_given_up(spool, &mut state);
        state.accessed(Access::Read, messages.as_ref().err());
        match messages {
            Ok(messages) if messages.is_empty() => {
                if !given_up {
                    // There is something, and no frame of it can be read: with its end the segment is known for
                    // damaged.
                    spool.end_segment();
                    state.unreadable = Some((counted, Instant::now() + TRY_AGAIN));
                }
            }
            Ok(messages) => {
                let mut batch = Batch::default();
                for message in &messages {
                    batch.push_kept(&message.payload, self.accepted_ms(message), message.ticket);
                }
                state.on_disk.subtract(Load::of(&batch));
                if state.on_disk.messages == 0 {
                    state.on_disk.bytes = 0;
                }
                if let Some(last) = messages.last() {
                    state.on_disk_since_ms = self.accepted_ms(last);
                }
                state.unreadable = None;
                state.buffer.append(batch);
            }
            Err(_) => {
                state.unreadable = Some((counted, Instant::now() + TRY_AGAIN));
            }
        }
        if given_up {
            self.tell(state);
        }
    }

    /// Tells of messages that were given up, then wakes who waits for them: after a flush, the events are there.
    fn tell(&self, mut state: MutexGuard<'_, State>) {
        self.report(&mut state);
        drop(state);
        self.progress.notify_all();
    }

    /// When a message was accepted, on the queue's clock, which began anew since if that was an earlier run.
    fn accepted_ms(&self, message: &Message) -> u32 {
        let age = now_ms().saturating_sub(message.enqueued_ms);
        self.now_ms()
            .wrapping_sub(u32::try_from(age).unwrap_or(u32::MAX / 2))
    }

    /// Accounts for messages that the spool gave up by itself, because they were too old or damaged; whether
    /// there were any.
    pub(super) fn count_given_up(&self, spool: &Spool, state: &mut State) -> bool {
        let counts = spool.counts();
        let expired = counts.expired.saturating_sub(state.expired_on_disk);
        let damaged = counts.lost.saturating_sub(state.lost_on_disk);
        state.expired_on_disk += expired;
        state.lost_on_disk += damaged;
        state.counters.expired += expired;
        state.counters.dropped_damaged += damaged;
        state.on_disk.messages = state.on_disk.messages.saturating_sub(expired + damaged);
        expired + damaged > 0
    }

    /// Gives back the room of what is delivered: others may need it, and this client may never write again. A directory
    /// that was adopted is known to be drained when its end was read, which no counted message leads to.
    pub(super) fn tidy(&self, spool: &Spool) {
        spool.let_go();
        // With no message asked for there is nothing to fail.
        let _ = spool.read(0, 0);
        let mut state = lock(&self.state);
        if self.count_given_up(spool, &mut state) {
            self.tell(state);
        }
    }

    /// The spool needs these messages no more. One whose acknowledgement fails may be sent again by a later
    /// run; nothing is lost.
    pub(super) fn acknowledge(&self, batch: &Batch) -> Result<(), SpoolError> {
        match self.spool.get() {
            Some(spool) => spool.acknowledge(batch.tickets()),
            None => Ok(()),
        }
    }

    /// Takes over what a program that ended has left; whether there was one.
    pub(super) fn adopt(&self, spool: &Spool, logger: &Logger) -> bool {
        let (before, told) = (spool.counts(), spool.unadopted().is_some());
        let adopted = spool.adopt();
        let (after, unadopted) = (spool.counts(), spool.unadopted());
        if let Some(error) = unadopted.as_ref().filter(|_| !told) {
            logger.log(Level::Warning, format_args!("{error}. It is tried again"));
        }
        let frames = after.corrupt_frames - before.corrupt_frames;
        if frames > 0 {
            let bytes = after.corrupt_bytes - before.corrupt_bytes;
            logger.log(
                Level::Warning,
                format_args!("The spool of a program that ended is damaged: {frames} messages are lost ({bytes} bytes)"),
            );
        }
        let mut state = lock(&self.state);
        state.accessed(Access::Adopt, unadopted.as_ref());
        if adopted == 0 {
            return false;
        }
        let adopted = Load {
            messages: after.adopted - before.adopted,
            bytes: after.bytes.saturating_sub(before.bytes),
        };
        state.counters.recovered += adopted.messages;
        state.counters.accepted += adopted.messages;
        state.on_disk.add(adopted);
        true
    }

    /// With `interval`, a thread of its own flushes the disk: the other may be waiting for the network.
    pub(super) fn start_flushing(self: &Arc<Self>) -> Result<Option<JoinHandle<()>>, Error> {
        if !self.durable() || self.config.spool_sync != SpoolSync::Interval {
            return Ok(None);
        }
        let queue = self.clone();
        let flush = move || queue.flush_disk();
        let started = thread::start("mona-flush", thread::SMALL_STACK, flush);
        started.map(Some).map_err(Error::no_thread)
    }

    fn flush_disk(&self) {
        let interval = Duration::from_millis(self.config.spool_sync_interval_ms.into());
        let mut state = lock(&self.state);
        loop {
            state = self.wait_to_flush(state, FOREVER, |state| state.unflushed == 0);
            state = self.wait_to_flush(state, interval, |state| state.unflushed < SYNC_BYTES);
            let finished = state.finished;
            state.unflushed = 0;
            drop(state);
            let result = self.spool.get().map_or(Ok(()), Spool::sync);
            state = lock(&self.state);
            state.accessed(Access::Flush, result.as_ref().err());
            if finished {
                return;
            }
            if result.is_err() {
                state.unflushed = state.unflushed.max(1);
                state = self.wait_to_flush(state, TRY_AGAIN, |_| true);
            }
        }
    }

    fn wait_to_flush<'s>(
        &self,
        state: MutexGuard<'s, State>,
        patience: Duration,
        idle: impl Fn(&State) -> bool,
    ) -> MutexGuard<'s, State> {
        let waiting = |state: &mut State| !state.finished && idle(state);
        let woken = self.unflushed.wait_timeout_while(state, patience, waiting);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Notes that so many bytes are not flushed yet.
    pub(super) fn wrote(&self, state: &mut State, bytes: u64) {
        let before = state.unflushed;
        state.unflushed += bytes;
        if before == 0 || (before < SYNC_BYTES && state.unflushed >= SYNC_BYTES) {
            self.unflushed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
