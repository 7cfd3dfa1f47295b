//! What a queue knows, all of it under one lock.

use super::back_off::BackOff;
use super::buffer::{Buffer, Load};
use super::endpoint::Endpoint;
use super::latency::Latency;
use super::report::Unreported;
use super::spool::SpoolError;
use crate::config::QueueConfig;
use crate::sync::Deadline;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How many rejected messages are remembered, the latest.
const REMEMBERED: usize = 100;

/// Messages by what became of them, and other totals since the queue was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub accepted: u64,
    pub delivered: u64,
    pub rejected: u64,
    pub expired: u64,
    pub dropped_overflow: u64,
    pub dropped_close: u64,
    pub dropped_damaged: u64,
    /// Messages that an earlier run left in the spool; accepted, too.
    pub recovered: u64,
    /// Messages of calls that found no room; never accepted.
    pub refused: u64,
    pub requests: u64,
    pub retries: u64,
    pub splits: u64,
}

impl Counters {
    pub fn settled(&self) -> u64 {
        self.delivered
            + self.rejected
            + self.expired
            + self.dropped_overflow
            + self.dropped_close
            + self.dropped_damaged
    }
}

/// What is done with the spool.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    Append,
    Read,
    Acknowledge,
    Flush,
    Adopt,
}

/// How delivery is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Ok,
    BackingOff,
    Paused,
    Closed,
}

/// A batch that was refused for its size, and divided.
#[derive(Clone, Copy, Debug)]
pub struct Oversized {
    /// The limit that was known before: right after all if one message alone is to blame.
    pub limit: Option<u64>,
    /// The size that was refused last, until a part is accepted.
    pub refused: Option<u64>,
    /// How many of its messages are left.
    pub messages: u64,
}

/// A message that the service rejected.
#[derive(Clone, Debug, Serialize)]
pub struct Rejection {
    pub context_id: Option<String>,
    pub reason: String,
}

/// A point in the order of messages.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    messages: u64,
    recovered: u64,
}

pub struct State {
    pub buffer: Buffer,
    pub in_flight: Load,
    /// What the spool holds, without what was read from it.
    pub on_disk: Load,
    /// When the oldest of that was accepted, at the earliest.
    pub on_disk_since_ms: u32,
    pub counters: Counters,
    pub latency: Latency,
    pub health: Health,
    pub last_error: Option<String>,
    pub rejections: VecDeque<Rejection>,
    pub unreported: Unreported,
    pub endpoint: Arc<Endpoint>,
    /// Whether the last access to the spool failed, of any kind, and a bit for each kind.
    pub storage_failed: bool,
    failed_accesses: u8,
    /// How many messages of the spool cannot be read until then.
    pub unreadable: Option<(u64, Instant)>,
    /// The waits while the service lets nobody in.
    pub pause: BackOff,
    /// The largest batch that the service takes, as learned from its refusals.
    pub largest_batch: Option<u64>,
    pub oversized: Option<Oversized>,
    /// How many requests succeeded since that was learned or raised.
    pub successes: u32,
    /// How often in a row the service had an error of its own.
    pub suspicions: u32,
    /// How many messages are left of a batch that was divided for that.
    pub suspects: u64,
    /// Messages, known by a hash of their text, that the service failed at alone.
    pub accused: Vec<u64>,
    /// Whether one of them is the first, and waits for others to overtake it.
    pub stopped: bool,
    /// How many of the first of these the service took others after: if it fails at one of them once more, that is to blame.
    pub tried: usize,
    /// How many of the first messages in the queue overtook older ones.
    overtaking: u64,
    /// Messages that were settled before others that are older, and how many those are at most.
    ahead: u64,
    behind: u64,
    /// Messages that are being written to the spool.
    pub appending: u64,
    /// Send without lingering until this point is reached.
    pub flush_to: Option<Mark>,
    /// Whether the last call found no room.
    pub full: bool,
    pub started: bool,
    /// When the spools of ended programs are looked for again, and how long the pause before that is.
    pub adopt_at: Option<Instant>,
    pub adoption_pause: Duration,
    /// Whether what was adopted last is still being delivered.
    pub draining_adopted: bool,
    /// Bytes of the spool that are not flushed yet.
    pub unflushed: u64,
    /// How many expired and how many damaged messages of the spool are counted already.
    pub expired_on_disk: u64,
    pub lost_on_disk: u64,
    pub flusher: Option<JoinHandle<()>>,
    pub thread: Option<JoinHandle<()>>,
    /// Renews the sampling factors.
    pub renewal: Option<JoinHandle<()>>,
    pub closing: Option<Deadline>,
    /// Whether the client is about to be closed: no call waits for room.
    pub hurried: bool,
    /// Whether nothing lingers for that any more.
    pub prompt: bool,
    pub finished: bool,
}

impl State {
    pub fn new(config: &QueueConfig, endpoint: Arc<Endpoint>) -> Self {
        State {
            // A batch that is never full would linger in a queue that is.
            buffer: Buffer::new(
                config.batch_messages.min(config.max_messages),
                config.batch_bytes.min(config.max_bytes),
            ),
            in_flight: Load::default(),
            on_disk: Load::default(),
            on_disk_since_ms: 0,
            counters: Counters::default(),
            latency: Latency::default(),
            health: Health::Ok,
            last_error: None,
            rejections: VecDeque::new(),
            unreported: Unreported::default(),
            endpoint,
            storage_failed: false,
            failed_accesses: 0,
            unreadable: None,
            pause: BackOff::default(),
            largest_batch: None,
            oversized: None,
            successes: 0,
            suspicions: 0,
            suspects: 0,
            accused: Vec::new(),
            stopped: false,
            tried: 0,
            overtaking: 0,
            ahead: 0,
            behind: 0,
            appending: 0,
            flush_to: None,
            full: false,
            started: false,
            adopt_at: None,
            adoption_pause: Duration::ZERO,
            draining_adopted: false,
            unflushed: 0,
            expired_on_disk: 0,
            lost_on_disk: 0,
            flusher: None,
            thread: None,
            renewal: None,
            closing: None,
            hurried: false,
            prompt: false,
            finished: false,
        }
    }

    pub fn closed(&self) -> bool {
        self.closing.is_some()
    }

    pub fn flushing(&self) -> bool {
        self.closed() || self.prompt || self.flush_to.is_some_and(|mark| self.pending(mark) > 0)
    }

    /// The point at which all is settled that has been accepted by now.
    pub fn mark(&self) -> Mark {
        Mark {
            // What is being written may come to lie before what was accepted.
            messages: self.counters.accepted + self.appending,
            recovered: self.counters.recovered,
        }
    }

    /// The first so many messages of the queue come before so many older ones.
    pub fn overtook(&mut self, count: u64, of: u64) {
        self.overtaking += count;
        self.behind = self.behind.max(of);
    }

    /// The first messages of the queue were settled.
    pub fn settled_in_order(&mut self, count: u64) {
        self.suspects = self.suspects.saturating_sub(count);
        let ahead = count.min(self.overtaking);
        self.overtaking -= ahead;
        self.ahead += ahead;
        self.behind = self.behind.saturating_sub(count - ahead);
        if self.behind == 0 {
            self.ahead = 0;
        }
    }

    /// Messages were settled that so many older ones wait behind.
    pub fn settled_ahead(&mut self, count: u64, of: u64) {
        self.ahead += count;
        self.behind = self.behind.max(of);
    }

    /// How many messages are to be settled before that point is reached; some too many while messages are settled out of
    /// order, and where what was being written could not be.
    pub fn pending(&self, mark: Mark) -> u64 {
        // What was recovered since is older, and comes first.
        let recovered = self.counters.recovered.saturating_sub(mark.recovered);
        let pending = (mark.messages + recovered).saturating_sub(self.in_order());
        pending.min(self.unsettled()).max(self.passed_over())
    }

    /// How many messages there are from the oldest on that is not settled, settled ones among them.
    pub fn since_oldest(&self) -> u64 {
        // What closing drops, or expires on disk, came in no order.
        if self.unsettled() == 0 {
            return 0;
        }
        let since = (self.counters.accepted + self.appending).saturating_sub(self.in_order());
        since.max(self.passed_over())
    }

    fn unsettled(&self) -> u64 {
        (self.counters.accepted + self.appending).saturating_sub(self.counters.settled())
    }

    /// How many messages are settled with all that are older.
    fn in_order(&self) -> u64 {
        self.counters.settled().saturating_sub(self.ahead)
    }

    /// What cannot be read.
    fn passed_over(&self) -> u64 {
        let (readable, _) = self.readable();
        self.on_disk.messages.saturating_sub(readable)
    }

    /// What is left of the wait after a failure.
    pub fn waiting(&self) -> Option<Duration> {
        self.endpoint.left_alone().max(self.pause.left())
    }

    /// How many messages of the spool can be read, as far as known, and when the others are tried again.
    pub fn readable(&self) -> (u64, Option<Duration>) {
        let on_disk = self.on_disk.messages;
        let Some((messages, until)) = self.unreadable else {
            return (on_disk, None);
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return (on_disk, None);
        }
        (on_disk.saturating_sub(messages), Some(left))
    }

    /// Whether messages of the spool are to be read: none is in memory, or too few that may overtake one that is accused.
    pub fn wants_more(&self) -> bool {
        self.buffer.load().messages == 0 || self.stopped && self.more_to_read()
    }

    /// Whether more messages of the spool can be read beside those in memory.
    pub fn more_to_read(&self) -> bool {
        self.readable().0 > 0 && self.buffer.looks_further()
    }

    /// Notes how an access to the spool went. It says nothing of other kinds: what can be written may not be readable.
    pub fn accessed(&mut self, access: Access, failure: Option<&SpoolError>) {
        let bit = 1 << access as u8;
        self.failed_accesses &= !bit;
        if let Some(error) = failure {
            self.failed_accesses |= bit;
            self.last_error = Some(error.to_string());
        }
        self.storage_failed = self.failed_accesses != 0;
    }

    pub fn remember(&mut self, rejection: Rejection) {
        if self.rejections.len() == REMEMBERED {
            self.rejections.pop_front();
        }
        self.rejections.push_back(rejection);
    }

    /// Ends delivery: what still waits is dropped, but for what the spool keeps.
    pub fn finish(&mut self) {
        while let Some(batch) = self.buffer.take() {
            if batch.tickets().is_empty() {
                self.counters.dropped_close += batch.len() as u64;
            } else {
                self.on_disk.add(Load::of(&batch));
            }
        }
        self.health = Health::Closed;
        self.finished = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(name: &str) -> State {
        let endpoint = Endpoint::of(&format!("http://{name}.test"));
        let mut state = State::new(&QueueConfig::default(), endpoint);
        state.counters.accepted = 5;
        state
    }

    #[test]
    fn a_failed_access_is_over_with_the_next_of_its_kind() {
        let mut state = state("storage");
        let reason = "it is";
        let error = SpoolError::Full { reason };
        let kinds = [
            Access::Append,
            Access::Read,
            Access::Acknowledge,
            Access::Flush,
            Access::Adopt,
        ];
        for kind in kinds {
            state.accessed(kind, Some(&error));
        }
        for kind in kinds {
            assert!(state.storage_failed);
            state.accessed(kind, None);
        }
        assert!(!state.storage_failed);
    }

    #[test]
    fn what_is_settled_counts_towards_a_flush() {
        let mut state = state("settled");
        let mark = state.mark();
        for (delivered, pending) in [(0, 5), (4, 1), (5, 0), (9, 0)] {
            state.counters.delivered = delivered;
            assert_eq!(state.pending(mark), pending);
        }
    }

    #[test]
    fn what_was_recovered_in_the_meantime_comes_first() {
        let mut state = state("recovered");
        let mark = state.mark();
        state.counters.recovered = 10;
        state.counters.accepted += 10;
        state.counters.delivered = 10;
        assert_eq!(state.pending(mark), 5);
    }

    #[test]
    fn what_is_being_written_may_come_first_unless_it_fails() {
        let mut state = state("appending");
        state.appending = 3;
        let mark = state.mark();
        state.counters.delivered = 5;
        assert_eq!(state.pending(mark), 3);
        state.appending = 0;
        assert_eq!(state.pending(mark), 0);
    }

    #[test]
    fn what_is_settled_before_older_messages_does_not_count_towards_a_flush() {
        let mut state = state("order");
        let mark = state.mark();
        state.counters.accepted += 10;
        state.counters.dropped_overflow = 8;
        state.settled_ahead(8, 5);
        assert_eq!((state.pending(mark), state.since_oldest()), (5, 15));
        state.counters.delivered = 2;
        state.settled_in_order(2);
        assert_eq!((state.pending(mark), state.since_oldest()), (3, 13));
        state.counters.delivered = 5;
        state.settled_in_order(3);
        assert_eq!((state.pending(mark), state.since_oldest()), (0, 2));
    }

    #[test]
    fn nothing_is_pending_once_closing_has_dropped_the_rest() {
        let mut state = state("closing");
        state.counters.dropped_overflow = 3;
        state.settled_ahead(3, 2);
        state.counters.dropped_close = 2;
        assert_eq!(state.since_oldest(), 0);
    }

    #[test]
    fn what_cannot_be_read_is_waited_for() {
        let mut state = state("unreadable");
        let mark = state.mark();
        state.counters.delivered = 5;
        state.on_disk.messages = 3;
        state.unreadable = Some((2, Instant::now() + Duration::from_secs(3600)));
        assert_eq!(state.pending(mark), 2);
    }
}
