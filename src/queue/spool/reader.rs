//! The reading side: messages in order, and their acknowledgement.
#![forbid(unsafe_code)]

use super::frames::{Frame, Frames};
use super::segment::Segment;
use super::store::{Store, now_ms, segment_name};
use super::writer::{Spool, storage};
use super::{Message, SpoolError, Ticket, disk};
use crate::sync::lock;
use std::collections::HashSet;
use std::io::Result;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// After so many failures in a row a segment is left for a later run.
const ATTEMPTS: u32 = 3;
/// Expired messages acknowledged at once.
const EXPIRED: usize = 1000;

#[derive(Debug)]
pub(super) struct Reader {
    /// The directory of an instance that is gone: its messages are older and come first.
    pub orphan: Option<Place>,
    own: Place,
    /// How many directories were adopted, the present one included.
    pub adoptions: u64,
    /// Directories that hold nothing this version can deliver or remove.
    pub fruitless: HashSet<String>,
}

/// How far a directory is read.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    pub store: Arc<Store>,
    /// The segment being read, or the least number the next one may have.
    number: u64,
    current: Option<(Arc<Segment>, Frames)>,
    failures: u32,
}

struct Batch {
    messages: Vec<Message>,
    expired: Vec<Ticket>,
    max_messages: usize,
    bytes_left: usize,
    /// Messages enqueued until then are too old.
    expired_ms: Option<u64>,
    full: bool,
}

impl Reader {
    pub fn new(store: Arc<Store>) -> Self {
        Reader {
            orphan: None,
            own: Place::new(0, store),
            adoptions: 0,
            fruitless: HashSet::new(),
        }
    }

    /// Removes the adopted directory once it is drained.
    pub fn finish_orphan(&mut self) {
        let Some(place) = self.orphan.take_if(|place| place.store.is_drained()) else {
            return;
        };
        if !place.store.remove_if_empty().unwrap_or(false) {
            self.fruitless.insert(place.store.name().to_owned());
        }
    }

    fn acknowledge(&mut self, tickets: &[Ticket]) -> Result<()> {
        let mut result = Ok(());
        let same = |a: &Ticket, b: &Ticket| (a.store, a.segment) == (b.store, b.segment);
        for group in tickets.chunk_by(same) {
            let mut places = self.orphan.iter().chain([&self.own]);
            let Some(ticket) = group.first() else {
                continue;
            };
            // A directory that is drained and gone needs no acknowledgement.
            if let Some(place) = places.find(|place| place.id == ticket.store) {
                result = place.store.acknowledge(ticket.segment, group).and(result);
            }
        }
        self.finish_orphan();
        result
    }
}

impl Spool {
    /// The next messages that were neither read nor acknowledged yet, in order; one at least if
    /// there is one, whatever its size.
    pub fn read(&self, max_messages: usize, max_bytes: usize) -> Vec<Message> {
        let mut batch = Batch {
            messages: Vec::new(),
            expired: Vec::new(),
            max_messages,
            bytes_left: max_bytes,
            expired_ms: expired_ms(self.options.retention),
            full: max_messages == 0 || self.is_forked(),
        };
        let mut reader = lock(&self.reader);
        while !batch.full {
            let Reader { orphan, own, .. } = &mut *reader;
            for place in orphan.iter_mut().chain([own]) {
                place.fill(&mut batch);
            }
            lock(&self.shared.counts).expired += batch.expired.len() as u64;
            // An acknowledgement that does not reach the disk only means to find them expired again.
            let _ = reader.acknowledge(&batch.expired);
            batch.full |= batch.expired.len() < EXPIRED || !batch.messages.is_empty();
            batch.expired.clear();
        }
        batch.messages
    }

    /// These messages need not be delivered any more.
    pub fn acknowledge(&self, messages: &[Ticket]) -> std::result::Result<(), SpoolError> {
        self.check_process()?;
        let acknowledged = lock(&self.reader).acknowledge(messages);
        acknowledged.map_err(|error| storage("record what was delivered", &error))
    }

    /// Reads again from the first unacknowledged message on.
    pub fn rewind(&self) {
        let mut reader = lock(&self.reader);
        let Reader { orphan, own, .. } = &mut *reader;
        for place in orphan.iter_mut().chain([own]) {
            place.number = 0;
            place.current = None;
        }
    }
}

impl Place {
    pub fn new(id: u64, store: Arc<Store>) -> Self {
        Place {
            id,
            store,
            number: 0,
            current: None,
            failures: 0,
        }
    }

    /// Reads until the batch is full or nothing more is to be read now.
    fn fill(&mut self, batch: &mut Batch) {
        while !batch.full && batch.expired.len() < EXPIRED {
            match self.step(batch) {
                Ok(true) => self.failures = 0,
                Ok(false) => return,
                Err(_) => return self.fail(),
            }
        }
    }

    /// One frame or segment further; false if there is none.
    fn step(&mut self, batch: &mut Batch) -> Result<bool> {
        let (segment, frames) = match &mut self.current {
            Some(current) => current,
            None => match self.store.segment_from(self.number) {
                None => return Ok(false),
                Some(segment) => {
                    self.number = segment.number;
                    let name = segment_name(segment.number);
                    let file = disk::open_file(&self.store.directory, &name, false, false)?;
                    let frames = Frames::new(file, segment.seal, super::format::HEADER);
                    self.current.insert((segment, frames))
                }
            },
        };
        // In this order: what became visible before the seal is seen.
        let settled = segment.settled();
        let limit = segment.visible.load(SeqCst);
        if let Some(end) = segment.acked_until(frames.offset()) {
            frames.seek(end);
            return Ok(true);
        }
        match frames.next(limit)? {
            Some(frame) if segment.acked_until(frame.at).is_some() => {}
            Some(frame) => {
                let from = frame.from;
                if !batch.take(self.id, segment.number, frame) {
                    frames.seek(from);
                }
            }
            None if settled => {
                lock(&segment.state).end = Some(frames.offset());
                let segment = Arc::clone(segment);
                self.number = segment.number.saturating_add(1);
                self.current = None;
                if segment.complete() {
                    // A file that cannot be removed now is removed by the next run.
                    let _ = self.store.retire(&segment);
                }
            }
            None => return Ok(false),
        }
        Ok(true)
    }

    fn fail(&mut self) {
        self.failures += 1;
        self.current = None;
        if self.failures < ATTEMPTS {
            return;
        }
        self.failures = 0;
        if let Some(segment) = self.store.segment_from(self.number) {
            segment.suspended.store(true, SeqCst);
        }
    }
}

impl Batch {
    /// Whether the frame found a place.
    fn take(&mut self, store: u64, segment: u64, frame: Frame) -> bool {
        let ticket = Ticket {
            store,
            segment,
            from: frame.from,
            end: frame.end,
            bytes: frame.payload.len() as u32,
        };
        let enqueued_ms = frame.head.enqueued_ms;
        if self.expired_ms.is_some_and(|limit| enqueued_ms <= limit) {
            self.expired.push(ticket);
            return true;
        }
        if frame.payload.len() > self.bytes_left && !self.messages.is_empty() {
            self.full = true;
            return false;
        }
        self.bytes_left = self.bytes_left.saturating_sub(frame.payload.len());
        self.messages.push(Message {
            ticket,
            enqueued_ms,
            payload: frame.payload,
        });
        self.full = self.messages.len() >= self.max_messages;
        true
    }
}

/// The time of the youngest message that is too old, if any can be.
fn expired_ms(retention: Duration) -> Option<u64> {
    let retention = u64::try_from(retention.as_millis()).ok()?;
    now_ms().checked_sub(retention)
}
