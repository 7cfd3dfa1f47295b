//! The queue's dealings with its spool: keeping what is accepted, reading it, acknowledging it.

use super::batch::Batch;
use super::buffer::Load;
use super::spool::{Message, Options, Spool, SpoolError, Sync};
use super::state::{Health, State};
use super::{FOREVER, Queue};
use crate::config::{QueueConfig, SpoolSync};
use crate::error::Error;
use crate::export::now_ms;
use crate::sync::{Deadline, lock};
use crate::thread;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

const SEGMENT_BYTES: u64 = 4 << 20;

/// With `interval`, the disk is flushed after so many bytes at the latest.
const SYNC_BYTES: u64 = 1 << 20;

const STACK_BYTES: usize = 128 * 1024;

/// Opens the configured spool. `fingerprint` tells one endpoint and user from another.
pub fn open(config: &QueueConfig, fingerprint: String) -> Result<Option<Spool>, Error> {
    let Some(root) = &config.spool_dir else {
        return Ok(None);
    };
    let options = Options {
        root: root.into(),
        fingerprint,
        max_bytes: config.spool_max_bytes.into(),
        keep_free_bytes: config.spool_keep_free_bytes.into(),
        segment_bytes: SEGMENT_BYTES.min(u64::from(config.spool_max_bytes) / 4),
        sync: match config.spool_sync {
            SpoolSync::Os => Sync::Os,
            SpoolSync::Interval => Sync::Interval,
            SpoolSync::Always => Sync::Always,
        },
        sync_interval: Duration::from_millis(config.spool_sync_interval_ms.into()),
        sync_bytes: SYNC_BYTES,
        retention: Duration::from_secs_f64(config.spool_retention_hours * 3600.0),
    };
    let spool = Spool::open(options);
    spool
        .map(Some)
        .map_err(|error| Error::Initialization(format!("config_json: queue.spool_dir: {error}")))
}

impl Queue {
    /// Keeps all of these messages in the spool, or none; whether it could. Waits for room as configured.
    pub(super) fn keep<'s>(
        &'s self,
        spool: &Spool,
        mut state: MutexGuard<'s, State>,
        messages: &[&[u8]],
        new: Load,
    ) -> Result<(MutexGuard<'s, State>, bool), Error> {
        let mut deadline = None;
        loop {
            if state.closed() {
                return Err(Error::Closed);
            }
            match spool.append(messages) {
                Ok(()) => break,
                Err(SpoolError::Full { reason }) => {
                    let patience = || Deadline::after(Some(self.patience_ms()));
                    let Some(left) = deadline.get_or_insert_with(patience).left(FOREVER) else {
                        state.counters.refused += new.messages;
                        state.full = true;
                        state.last_error = Some(format!("The spool is full: {reason}"));
                        return Err(Error::QueueFull);
                    };
                    state = self.wait_for_progress(state, left);
                }
                Err(error) => {
                    // A disk that fails must not cost messages: memory has to do.
                    state.health = Health::StorageError;
                    state.last_error = Some(error.to_string());
                    return Ok((state, false));
                }
            }
        }
        state.full = false;
        if state.health == Health::StorageError {
            state.health = Health::Ok;
        }
        if state.on_disk.messages == 0 {
            state.on_disk_since_ms = self.now_ms();
        }
        state.on_disk.add(new);
        self.wrote(&mut state, new.bytes);
        Ok((state, true))
    }

    /// Whether what waits in the spool makes a batch by itself.
    pub(super) fn ripe_on_disk(&self, load: Load) -> bool {
        let ripe = |part: u64, whole: u32| part as f64 >= f64::from(whole) * super::buffer::FULL;
        ripe(load.messages, self.config.batch_messages) || ripe(load.bytes, self.config.batch_bytes)
    }

    /// The next batch of the spool.
    pub(super) fn read(&self, spool: &Spool, state: &mut State) -> Option<Batch> {
        let messages = spool.read(
            self.config.batch_messages as usize,
            self.config.batch_bytes as usize,
        );
        let mut batch = Batch::default();
        for message in &messages {
            batch.push_kept(&message.payload, self.accepted_ms(message), message.ticket);
        }
        state.on_disk.subtract(Load::of(&batch));
        self.reconcile(spool, state, messages.is_empty());
        (!batch.is_empty()).then_some(batch)
    }

    /// When a message was accepted, on the queue's clock, which began anew since if that was an earlier run.
    fn accepted_ms(&self, message: &Message) -> u32 {
        let age = now_ms().saturating_sub(message.enqueued_ms);
        self.now_ms()
            .wrapping_sub(u32::try_from(age).unwrap_or(u32::MAX / 2))
    }

    /// Accounts for messages that the spool gave up by itself: too old, or damaged.
    fn reconcile(&self, spool: &Spool, state: &mut State, drained: bool) {
        let expired = spool.counts().expired.saturating_sub(state.expired_on_disk);
        state.expired_on_disk += expired;
        state.counters.expired += expired;
        state.on_disk.messages = state.on_disk.messages.saturating_sub(expired);
        if drained {
            state.counters.dropped_damaged += state.on_disk.messages;
            state.on_disk = Load::default();
        }
        state.on_disk_since_ms = self.now_ms();
    }

    /// The spool needs these messages no more.
    pub(super) fn acknowledge(&self, state: &mut State, batch: &Batch) {
        let Some(spool) = &self.spool else {
            return;
        };
        if let Err(error) = spool.acknowledge(batch.tickets()) {
            // They may be sent again by a later run; nothing is lost.
            state.health = Health::StorageError;
            state.last_error = Some(error.to_string());
        }
    }

    /// A spool is known to be drained when its end was read, which no counted message leads to.
    pub(super) fn read_to_the_end(&self, spool: &Spool) {
        let mut state = lock(&self.state);
        if state.on_disk.messages > 0 {
            return;
        }
        if let Some(batch) = self.read(spool, &mut state) {
            state.counters.recovered += batch.len() as u64;
            state.counters.accepted += batch.len() as u64;
            state.buffer.put_back(batch);
        }
    }

    /// Takes over what a program that ended has left; whether there was one.
    pub(super) fn adopt(&self, spool: &Spool) -> bool {
        let before = spool.counts();
        if spool.adopt() == 0 {
            return false;
        }
        let after = spool.counts();
        let mut state = lock(&self.state);
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
        if self.spool.is_none() || self.config.spool_sync != SpoolSync::Interval {
            return Ok(None);
        }
        let queue = self.clone();
        let started = thread::with_signals_blocked(|| {
            let builder = std::thread::Builder::new().name("mona-flush".into());
            builder
                .stack_size(STACK_BYTES)
                .spawn(move || queue.flush_disk())
        });
        started
            .map(Some)
            .map_err(|error| Error::Internal(format!("no thread for the spool: {error}")))
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
            let result = self.spool.as_ref().map_or(Ok(()), Spool::sync);
            state = lock(&self.state);
            if let Err(error) = result {
                state.health = Health::StorageError;
                state.last_error = Some(error.to_string());
            }
            if finished {
                return;
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
