//! The background exporter: accepts now, delivers later, and accounts for every message.
//!
//! Each client that enqueues has a thread of its own, so that a server that hangs, or a disk, holds up no other client's
//! messages; with one thread for all, every wait would have to be a state of some loop instead of a call. What that costs is
//! in `docs/threads-and-exit.md`.
//!
//! The law that holds at each moment, under the one lock: accepted = delivered + rejected + expired +
//! dropped + on disk + in memory + in flight.
#![forbid(unsafe_code)]

mod back_off;
mod batch;
mod blame;
mod buffer;
mod durable;
mod endpoint;
mod enqueue;
mod exit;
mod latency;
mod outcome;
mod report;
mod settle;
pub mod spool;
mod state;
mod statistics;
mod worker;

pub use enqueue::Enqueuer;
pub use exit::at_exit;
pub use report::Reporter;
pub use statistics::markdown;
pub use worker::Delivery;
#[cfg(fuzzing)]
pub use {back_off::BackOff, back_off::Limits, outcome::Outcome};

use crate::config::{Overflow, QueueConfig};
use crate::error::Error;
use crate::sync::{Condvar, Deadline, Mutex, MutexGuard, lock, must_not_wait, wait};
use crate::thread;
use buffer::Load;
use endpoint::Endpoint;
use once_cell::sync::OnceCell;
use spool::Spool;
use state::State;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longer than any wait that somebody will see the end of.
const FOREVER: Duration = Duration::from_secs(3600);

/// How long closing waits for threads to end that make no other request, at least.
const END_PATIENCE_MS: u64 = 200;

/// What a closed queue did not deliver.
pub struct Undelivered {
    /// Dropped, or in a request that is still under way.
    pub lost: u64,
    /// Left in the spool for the next run, those in a request that is still under way included.
    pub on_disk: u64,
}

/// A client's queue. Its thread starts with the first message.
pub struct Queue {
    config: QueueConfig,
    state: Mutex<State>,
    /// Wakes the thread.
    work: Condvar,
    /// Wakes those who wait for room, for a flush or for the end.
    progress: Condvar,
    /// Wakes the thread that flushes the spool.
    unflushed: Condvar,
    /// Opened with the first message, or for what an earlier run left.
    spool: OnceCell<Spool>,
    /// Tells the endpoint and the user that the spool belongs to from others.
    fingerprint: String,
    reporter: Reporter,
    epoch: Instant,
}

impl Queue {
    /// A queue for the endpoint with this name, whose spool, if it is to have one, belongs to that endpoint and
    /// one user.
    pub fn new(
        config: QueueConfig,
        endpoint: &str,
        fingerprint: String,
        reporter: Reporter,
    ) -> Arc<Self> {
        Arc::new(Queue {
            state: Mutex::new(State::new(&config, Endpoint::of(endpoint))),
            spool: OnceCell::new(),
            fingerprint,
            reporter,
            config,
            work: Condvar::new(),
            progress: Condvar::new(),
            unflushed: Condvar::new(),
            epoch: Instant::now(),
        })
    }

    /// Whether messages survive the program.
    pub fn durable(&self) -> bool {
        self.config.spool_dir.is_some()
    }

    /// Milliseconds on the queue's own clock.
    fn now_ms(&self) -> u32 {
        self.epoch.elapsed().as_millis() as u32
    }

    /// Opens the spool and starts the threads, once. `start` starts the one that delivers.
    pub fn start(
        self: &Arc<Self>,
        start: impl FnOnce(Arc<Queue>) -> Result<JoinHandle<()>, Error>,
    ) -> Result<MutexGuard<'_, State>, Error> {
        // Tried again by the next call where something of it fails.
        let mut state = lock(&self.state);
        if !state.started && !state.closed() && self.durable() {
            // Without the lock: nobody else is to wait for the disk.
            drop(state);
            self.open_spool()?;
            state = lock(&self.state);
        }
        if !state.started && !state.closed() {
            if state.flusher.is_none() {
                state.flusher = self.start_flushing()?;
            }
            state.thread = Some(start(self.clone())?);
            state.started = true;
            state.endpoint.join(self);
            self.mark_used();
        }
        Ok(state)
    }

    /// Has a thread renew the sampling factors, unless one is at it. Not the one that delivers: the factors come from another server,
    /// which may hang.
    pub fn renew_factors(&self, start: impl FnOnce(Deadline) -> std::io::Result<JoinHandle<()>>) {
        let mut state = lock(&self.state);
        let busy = state
            .renewal
            .as_ref()
            .is_some_and(|thread| !thread.is_finished());
        if !busy && !state.closed() {
            // Without a thread they stay as they are, and the next call tries again.
            state.renewal = start(self.attempt_deadline(&state)).ok();
        }
    }

    /// Wakes the thread that delivers, which looks anew at what it waits for.
    fn wake(&self) {
        drop(lock(&self.state));
        self.work.notify_one();
    }

    /// Accepts all of these messages, which have this weight, or none.
    pub fn accept<'m>(
        self: &Arc<Self>,
        messages: impl Iterator<Item = &'m [u8]>,
        new: Load,
        start: impl FnOnce(Arc<Queue>) -> Result<JoinHandle<()>, Error>,
    ) -> Result<(), Error> {
        let state = match self.start(start) {
            Err(error @ Error::Exhausted(_)) => {
                lock(&self.state).counters.refused += new.messages;
                return Err(error);
            }
            started => started?,
        };
        if state.closed() {
            return Err(Error::Closed);
        }
        if let Some(spool) = self.spool.get() {
            let slices: Vec<&[u8]> = messages.collect();
            return self.keep(spool, state, &slices, new);
        }
        let mut state = self.room_for(state, new)?;
        let was_empty = state.buffer.load().messages == 0;
        let mut full = false;
        let now_ms = self.now_ms();
        for message in messages {
            full |= state.buffer.push(message, now_ms);
        }
        state.counters.accepted += new.messages;
        drop(state);
        if was_empty || full {
            self.work.notify_one();
        }
        Ok(())
    }

    /// What of these together does not fit.
    fn surplus(&self, loads: &[Load]) -> Load {
        let mut load = Load::default();
        loads.iter().for_each(|one| load.add(*one));
        Load {
            messages: load
                .messages
                .saturating_sub(self.config.max_messages.into()),
            bytes: load.bytes.saturating_sub(self.config.max_bytes.into()),
        }
    }

    /// The state, with room for the new load in it, as the overflow policy has it.
    fn room_for<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        new: Load,
    ) -> Result<MutexGuard<'s, State>, Error> {
        let none = Load::default();
        if self.surplus(&[new]) != none {
            state.counters.refused += new.messages;
            return Err(Error::LargerThanQueue);
        }
        let mut deadline = None;
        loop {
            if state.closed() {
                return Err(Error::Closed);
            }
            let surplus = self.surplus(&[state.buffer.load(), state.in_flight, new]);
            if surplus == none {
                state.full = false;
                return Ok(state);
            }
            // What is under way cannot be dropped: where it leaves no room, nothing is dropped in vain.
            if self.config.overflow == Overflow::DropOldest
                && self.surplus(&[state.in_flight, new]) == none
                && self.drop_oldest(&mut state, surplus)
            {
                continue;
            }
            if state.hurried {
                return Err(Error::Closed);
            }
            self.end_lingering(&mut state);
            let patience = || Deadline::after(Some(self.patience_ms()));
            let deadline = *deadline.get_or_insert_with(patience);
            if deadline.passed() {
                state.counters.refused += new.messages;
                state.full = true;
                return Err(Error::QueueFull);
            }
            state = wait(&self.progress, state, deadline);
        }
    }

    /// Somebody needs the room of what waits.
    fn end_lingering(&self, state: &mut State) {
        if !state.flushing() {
            state.flush_to = Some(state.mark());
            self.work.notify_one();
        }
    }

    /// Makes room for that much; whether there was anything to drop.
    fn drop_oldest(&self, state: &mut State, surplus: Load) -> bool {
        let awaited = state.flushing();
        let dropped = state.buffer.drop_oldest(surplus);
        state.counters.dropped_overflow += dropped;
        match state.in_flight.messages {
            0 => state.settled_in_order(dropped),
            older => state.settled_ahead(dropped, older),
        }
        if awaited && dropped > 0 {
            // By a flush, perhaps for the last of them.
            self.report(state);
            self.progress.notify_all();
        }
        dropped > 0
    }

    /// How long a call waits for room.
    fn patience_ms(&self) -> u64 {
        match self.config.overflow {
            // A callback may run on the very thread that makes room.
            Overflow::Block if !must_not_wait() => u64::from(self.config.block_ms),
            _ => 0,
        }
    }

    /// Waits until everything accepted before is settled; how many messages are not, and whether nothing is delivered any more.
    pub fn flush(&self, deadline: Deadline) -> (u64, bool) {
        let mut state = lock(&self.state);
        let mark = state.mark();
        state.flush_to = Some(mark);
        self.work.notify_one();
        loop {
            let pending = state.pending(mark);
            if pending == 0 || state.finished || deadline.passed() {
                return (pending, state.finished);
            }
            state = wait(&self.progress, state, deadline);
        }
    }

    /// Has no call wait for room any more, and where it `delivers`, does so without lingering from now on: the client is about to be
    /// closed.
    pub fn prepare_to_close(&self, delivers: bool) {
        let mut state = lock(&self.state);
        state.hurried = true;
        state.prompt = delivers;
        drop(state);
        self.progress.notify_all();
        self.work.notify_one();
    }

    /// Accepts nothing more, delivers what it can in time, and counts the rest as dropped, but for what the
    /// spool keeps.
    pub fn close(&self, deadline: Deadline) -> Undelivered {
        let mut state = lock(&self.state);
        state.closing.get_or_insert(deadline);
        self.work.notify_one();
        while state.started && !state.finished && !deadline.passed() {
            state = wait(&self.progress, state, deadline);
        }
        state.finish();
        self.report(&mut state);
        let in_flight = state.in_flight.messages;
        let kept = if self.durable() { in_flight } else { 0 };
        let undelivered = Undelivered {
            lost: state.counters.dropped_close + in_flight - kept,
            on_disk: state.on_disk.messages + kept,
        };
        let busy = state.in_flight.messages > 0;
        // A thread that still waits for a server ends by itself, when that has answered or the time is up.
        let threads = [
            state.thread.take_if(|_| !busy),
            state.flusher.take(),
            // It may be in a request.
            state
                .renewal
                .take_if(|thread| thread.is_finished() || !deadline.passed()),
        ];
        drop(state);
        self.progress.notify_all();
        self.work.notify_all();
        self.unflushed.notify_all();
        let deadline = if must_not_wait() {
            deadline
        } else {
            deadline.or_in(END_PATIENCE_MS)
        };
        threads
            .into_iter()
            .flatten()
            .for_each(|thread| thread::join(thread, deadline));
        undelivered
    }
}

#[cfg(test)]
mod tests {
    use super::buffer::Load;
    use super::settle::tests::queue;
    use crate::config::Config;
    use crate::sync::{lock, without_waiting};

    #[test]
    fn nothing_is_dropped_where_that_makes_no_room() {
        let config =
            r#"{"user_id": "u", "queue": {"overflow": "drop_oldest", "max_messages": 10}}"#;
        let (queue, _) = queue(&Config::from_json(Some(config)).unwrap());
        let mut state = lock(&queue.state);
        state.in_flight = Load::weighing(3, 6);
        for _ in 0..5 {
            state.buffer.push(b"{}", 0);
        }
        assert!(queue.room_for(state, Load::weighing(8, 16)).is_err());
        let state = lock(&queue.state);
        assert_eq!(
            (state.counters.refused, state.buffer.load().messages),
            (8, 5)
        );
        let state = queue.room_for(state, Load::weighing(7, 14)).ok().unwrap();
        assert_eq!(state.buffer.load().messages, 0);
    }

    #[test]
    fn a_call_from_within_a_callback_waits_for_no_room() {
        let config = r#"{"user_id": "u", "queue": {"overflow": "block", "block_ms": 60000}}"#;
        let (queue, _) = queue(&Config::from_json(Some(config)).unwrap());
        assert_eq!(queue.patience_ms(), 60_000);
        without_waiting(|| assert_eq!(queue.patience_ms(), 0));
    }
}
